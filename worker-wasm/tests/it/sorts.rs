//! Sorts and first rows against arrow's lexicographic sort, with the order of arrival as its last key: sorts are stable.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, UInt64Array},
    compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch},
    datatypes::SchemaRef,
};
use fastrand::Rng;
use worker_wasm::{
    Fragment, RunError,
    fragment::{
        self, Column, Expr, Facts, Input, Pipeline, Range, Sink, Sort, SortKey, Source, Type,
    },
    runtime::Param,
};

use crate::{
    random,
    support::{GUARDED, Mix, go, open, seeds},
};

fn sort_fragment(columns: Vec<Column>, sort: Sort) -> Fragment {
    let fetches = usize::from(sort.fetch.is_some());
    let fetch = fragment::Param {
        ty: Type::UInt64,
        range: Range::Full,
    };
    Fragment {
        inputs: vec![Input { columns }],
        params: vec![fetch; fetches],
        pipelines: vec![
            Pipeline {
                source: Source::Input(0),
                operators: Vec::new(),
                sink: Sink::Sort(sort),
            },
            Pipeline {
                source: Source::Sorted(0),
                operators: Vec::new(),
                sink: Sink::Emit,
            },
        ],
    }
}

fn expected(batch: &RecordBatch, keys: &[SortKey], fetch: Option<usize>) -> RecordBatch {
    let arrival: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..batch.num_rows() as u64));
    let mut columns: Vec<_> = keys
        .iter()
        .map(|key| {
            let Expr::Column(index) = key.expr else {
                unreachable!("keys are columns here");
            };
            SortColumn {
                values: Arc::clone(batch.column(index)),
                options: Some(SortOptions {
                    descending: key.descending,
                    nulls_first: key.nulls_first,
                }),
            }
        })
        .collect();
    columns.push(SortColumn {
        values: arrival,
        options: None,
    });
    let order = lexsort_to_indices(&columns, fetch).unwrap();
    take_record_batch(batch, &order).unwrap()
}

/// All rows in order, and the most rows of one pull.
fn sorted(
    fragment: &Fragment,
    params: &[Param],
    batches: &[RecordBatch],
    rows_max: u32,
) -> Result<RecordBatch, RunError> {
    let mut instance = open(&GUARDED, fragment, params)?;
    for batch in batches {
        instance.push(0, batch, &mut go)?;
        assert!(instance.pull(rows_max, &mut go)?.is_none());
    }
    instance.finish(0, &mut go)?;
    let mut out = Vec::new();
    while let Some(batch) = instance.pull(rows_max, &mut go)? {
        assert!(batch.num_rows() <= rows_max as usize);
        out.push(batch);
    }
    Ok(concat_batches(&instance.schema(), &out).unwrap())
}

fn keys(rng: &mut Rng, columns: &[Column]) -> Vec<SortKey> {
    let mut positions: Vec<_> = (0..columns.len()).collect();
    rng.shuffle(&mut positions);
    positions.truncate(rng.usize(1..4));
    let positions = positions.into_iter();
    positions
        .map(|index| SortKey {
            expr: Expr::Column(index),
            descending: rng.bool(),
            nulls_first: rng.bool(),
        })
        .collect()
}

#[test]
fn sorted_rows_are_in_the_order_that_arrow_gives_them() {
    let mix = Mix::default();
    for seed in seeds(0, 150) {
        let mut rng = Rng::with_seed(seed);
        let mut columns = vec![random::fixed_column(&mut rng)];
        columns.extend((0..rng.usize(0..5)).map(|_| random::column(&mut rng)));
        let batches: Vec<_> = (0..rng.usize(1..5))
            .map(|_| {
                let rows = match rng.u32(0..6) {
                    0 => rng.usize(3000..9000),
                    _ => random::rows(&mut rng),
                };
                random::batch(&mut rng, &columns, rows)
            })
            .collect();
        let all = random::whole(&columns, &batches);
        let fetch = match rng.u32(0..6) {
            0..3 => None,
            3 => Some(rng.usize(0..3)),
            4 => Some(rng.usize(3..100)),
            _ => Some(rng.usize(100..20_000)),
        };
        let keys = keys(&mut rng, &columns);
        for key in &keys {
            let column = &columns[match key.expr {
                Expr::Column(index) => index,
                _ => unreachable!("keys are columns here"),
            }];
            mix.count(if key.descending { "desc" } else { "asc" });
            if column.nullable {
                let nulls = if key.nulls_first {
                    "nulls first"
                } else {
                    "nulls last"
                };
                mix.count(nulls);
            }
            mix.count(column.ty.to_string().split(' ').next().unwrap());
        }
        mix.count(match fetch {
            None => "all rows",
            Some(0) => "fetch 0",
            Some(fetch) if fetch >= all.num_rows() => "fetch more than there are",
            Some(_) if all.num_rows() > 16_384 => "fetch that cuts",
            Some(_) => "fetch",
        });
        let sort = Sort {
            keys: keys.clone(),
            fetch: fetch.map(|_| 0),
        };
        let params: Vec<_> = fetch
            .map(|fetch| Param::Int(fetch as i128))
            .into_iter()
            .collect();
        let fragment = sort_fragment(columns, sort);
        let rows_max = [1000, 1, 7, 65_536][rng.usize(0..4)];
        let rows_max = if all.num_rows() > 2000 {
            1000
        } else {
            rows_max
        };
        let out = sorted(&fragment, &params, &batches, rows_max).unwrap();
        let expected = expected(&all, &keys, fetch);
        assert_eq!(out.num_rows(), expected.num_rows(), "seed {seed}");
        for (index, (out, expected)) in out.columns().iter().zip(expected.columns()).enumerate() {
            assert_eq!(out, expected, "seed {seed}, column {index}\n{fragment}");
        }
    }
    mix.check(&[
        "desc",
        "asc",
        "nulls first",
        "nulls last",
        "all rows",
        "fetch 0",
        "fetch",
        "fetch that cuts",
        "fetch more than there are",
        "boolean",
        "int8",
        "int64",
        "uint16",
        "float32",
        "float64",
        "(decimal",
        "date32",
        "(timestamp",
        "utf8",
    ]);
}

#[test]
fn texts_that_begin_alike_are_told_apart_by_what_follows() {
    let column = |ty| Column {
        ty,
        nullable: true,
        facts: Facts::NONE,
    };
    let columns = vec![column(Type::Utf8), column(Type::Int64), column(Type::Utf8)];
    let mix = Mix::default();
    for seed in seeds(0, 40) {
        let mut rng = Rng::with_seed(seed);
        // Lengths around those of an inline text, of a key's words and of one word.
        let text = |rng: &mut Rng| {
            let length = [0, 1, 7, 8, 9, 12, 13, 14, 15, 16, 17, 40][rng.usize(0..12)];
            let mut text = "a".repeat(length);
            match rng.u32(0..5) {
                0 => return None,
                1 => text.push('\0'),
                2 => text.push('b'),
                3 => text.insert(length / 2, 'é'),
                _ => {}
            }
            Some(text)
        };
        let rows = [300, 20_000][usize::from(rng.u32(0..8) == 0)];
        let mut texts = || -> ArrayRef {
            let texts = (0..rows).map(|_| text(&mut rng));
            Arc::new(arrow::array::StringViewArray::from_iter(texts))
        };
        let (first, last) = (texts(), texts());
        let numbers = (0..rows).map(|_| Some(rng.i64(0..3)));
        let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from_iter(numbers));
        let fields = [("c0", first), ("c1", numbers), ("c2", last)];
        let fields = fields.map(|(name, array)| (name, array, true));
        let batch = RecordBatch::try_from_iter_with_nullable(fields).unwrap();
        let keys: Vec<_> = [vec![0, 1, 2], vec![1, 2, 0], vec![2], vec![0, 1]][rng.usize(0..4)]
            .iter()
            .map(|index| SortKey {
                expr: Expr::Column(*index),
                descending: rng.bool(),
                nulls_first: rng.bool(),
            })
            .collect();
        let fetch = [None, Some(1), Some(50), Some(1000)][rng.usize(0..4)];
        mix.count(if fetch.is_some() { "fetch" } else { "all rows" });
        if fetch.is_some_and(|_| rows > 16_384) {
            mix.count("fetch that cuts");
        }
        let sort = Sort {
            keys: keys.clone(),
            fetch: fetch.map(|_| 0),
        };
        let params: Vec<_> = fetch.map(Param::Int).into_iter().collect();
        let fragment = sort_fragment(columns.clone(), sort);
        let out = sorted(&fragment, &params, std::slice::from_ref(&batch), 1000).unwrap();
        let expected = expected(&batch, &keys, fetch.map(|fetch| fetch as usize));
        for (out, expected) in out.columns().iter().zip(expected.columns()) {
            assert_eq!(out, expected, "seed {seed}\n{fragment}");
        }
    }
    mix.check(&["fetch", "all rows", "fetch that cuts"]);
}

#[test]
fn a_sort_has_keys_and_they_are_no_computed_text() {
    let refused = |sort: &str| {
        let text = format!(
            "(fragment (input (column utf8)) (params)
             (pipeline (input 0) {sort}) (pipeline (sorted 0) (emit)))"
        );
        let fragment: Fragment = text.parse().unwrap();
        worker_wasm::compile(&fragment).unwrap_err()
    };
    for (sort, reason) in [
        ("(sort)", "a sort has keys"),
        (
            "(sort (asc (coalesce c0 c0) nulls-last))",
            "computed text is no sort key",
        ),
    ] {
        let error = std::error::Error::source(&refused(sort))
            .unwrap()
            .to_string();
        assert!(error.contains(reason), "{sort}: {error}");
    }
}

fn numbers(values: Vec<i64>) -> RecordBatch {
    let values: ArrayRef = Arc::new(arrow::array::Int64Array::from(values));
    RecordBatch::try_from_iter([("c0", values)]).unwrap()
}

fn int_column() -> Column {
    Column {
        ty: Type::Int64,
        nullable: false,
        facts: Facts::NONE,
    }
}

#[test]
fn a_sort_of_many_rows_takes_many_calls_and_can_be_stopped_in_each() {
    let sort = Sort {
        keys: vec![SortKey {
            expr: Expr::Column(0),
            descending: false,
            nulls_first: false,
        }],
        fetch: None,
    };
    let fragment = sort_fragment(vec![int_column()], sort);
    let mut rng = Rng::with_seed(7);
    let batches: Vec<_> = (0..20)
        .map(|_| numbers((0..50_000).map(|_| rng.i64(..)).collect()))
        .collect();
    let fill = || {
        let mut instance = open(&GUARDED, &fragment, &[]).unwrap();
        for batch in &batches {
            instance.push(0, batch, &mut go).unwrap();
        }
        instance
    };
    let mut calls = 0;
    let mut instance = fill();
    instance
        .finish(0, &mut || {
            calls += 1;
            Ok(())
        })
        .unwrap();
    assert!(calls > 50, "{calls} calls");
    for stop_at in [1, 10, calls / 2, calls] {
        let mut calls = 0;
        let stopped = fill().finish(0, &mut || {
            calls += 1;
            match calls == stop_at {
                true => Err(RunError::Stopped),
                false => Ok(()),
            }
        });
        assert!(matches!(stopped, Err(RunError::Stopped)), "{stopped:?}");
    }
}

#[test]
fn first_rows_need_memory_for_little_more_than_themselves() {
    let sort = Sort {
        keys: vec![SortKey {
            expr: Expr::Column(0),
            descending: true,
            nulls_first: false,
        }],
        fetch: Some(0),
    };
    let fragment = sort_fragment(vec![int_column()], sort);
    let mut instance = open(&GUARDED, &fragment, &[Param::Int(10)]).unwrap();
    let empty = instance.memory_bytes();
    // Ascending rows are the worst for a descending sort: each is better than all before it.
    for start in 0..40 {
        let values = (start * 50_000..(start + 1) * 50_000).collect();
        instance.push(0, &numbers(values), &mut go).unwrap();
    }
    instance.finish(0, &mut go).unwrap();
    let out = instance.pull(100, &mut go).unwrap().unwrap();
    assert_eq!(out, {
        let schema: SchemaRef = instance.schema();
        let best = numbers((1_999_990..2_000_000).rev().collect());
        RecordBatch::try_new(schema, best.columns().to_vec()).unwrap()
    });
    assert!(instance.pull(100, &mut go).unwrap().is_none());
    let used = instance.memory_bytes() - empty;
    assert!(used < 4 << 20, "{used} bytes");
}

#[test]
fn groups_are_sorted_and_sorted_rows_are_grouped_in_one_fragment() {
    let text = "(fragment (input (column int64)) (params (param uint64))
        (pipeline (input 0) (aggregate single (keys (rem c0 (cast p0 int64))) (count) (max c0)))
        (pipeline (groups 0) (filter (ne c0 (null int64))) (sort (desc c0 nulls-last)))
        (pipeline (sorted 1) (emit)))";
    // `ne` with a null is null: no row is left, and the sort of nothing is nothing.
    let fragment: Fragment = text.parse().unwrap();
    let batch = numbers((0..5000).collect());
    let none = sorted(
        &fragment,
        &[Param::Int(1000)],
        std::slice::from_ref(&batch),
        100,
    )
    .unwrap();
    assert_eq!(none.num_rows(), 0);
    let text = text.replace("(filter (ne c0 (null int64))) ", "");
    let text = text.replace(
        "(pipeline (sorted 1) (emit))",
        "(pipeline (sorted 1) (filter (lt c0 (cast p0 int64))) (aggregate single (keys c1) (count) (min c0)))
         (pipeline (groups 2) (emit))",
    );
    let fragment: Fragment = text.parse().unwrap();
    let out = sorted(&fragment, &[Param::Int(1000)], &[batch], 100).unwrap();
    let column = |index: usize| {
        let column = out.column(index);
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(column).values()[0]
    };
    assert_eq!(out.num_rows(), 1);
    assert_eq!([column(0), column(1), column(2)], [5, 1000, 0]);
}

#[test]
fn a_pull_that_filters_all_its_groups_out_does_not_end_the_others() {
    let text = "(fragment (input (column int64)) (params (param int64))
        (pipeline (input 0) (aggregate single (keys c0) (count)))
        (pipeline (groups 0) (filter (ge c0 p0)) (emit)))";
    let batch = numbers((0..1000).collect());
    let out = sorted(&text.parse().unwrap(), &[Param::Int(990)], &[batch], 100).unwrap();
    assert_eq!(out.num_rows(), 10);
}
