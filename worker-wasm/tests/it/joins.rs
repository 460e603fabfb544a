//! Hash joins against nested loops over rows: all kinds, one to three joins in a pipeline, several instances on one table.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, AsArray, RecordBatch, RecordBatchOptions, StringViewArray, UInt64Array},
    compute::{concat_batches, take},
    datatypes::{DataType, Field, Schema},
    row::{OwnedRow, RowConverter, SortField},
};
use fastrand::Rng;
use worker_wasm::{
    Fragment, RunError, compile,
    fragment::{
        Aggregate, AggregateFunction, Build, Call, Column, CompareOp, Expr, Facts, Input, Join,
        JoinKind, Mode, Operator, Pipeline, Sink, Source, Table, Type, ValueType,
    },
    runtime::{Instance, JoinTable, NoHostFunctions, Param},
};

use crate::{
    random,
    support::{GUARDED, Mix, Unlimited, drain, go, open, seeds},
};

const KINDS: [(JoinKind, &str); 8] = [
    (JoinKind::Inner, "inner"),
    (JoinKind::Left, "left"),
    (JoinKind::Right, "right"),
    (JoinKind::Full, "full"),
    (JoinKind::LeftSemi, "left semi"),
    (JoinKind::LeftAnti, "left anti"),
    (JoinKind::RightSemi, "right semi"),
    (JoinKind::RightAnti, "right anti"),
];

/// Rows of some columns as comparable values.
fn rows(batch: &RecordBatch, columns: &[usize]) -> Vec<OwnedRow> {
    let fields = columns.iter().map(|index| {
        let data_type: DataType = batch.column(*index).data_type().clone();
        SortField::new(data_type)
    });
    let arrays: Vec<_> = columns
        .iter()
        .map(|index| Arc::clone(batch.column(*index)))
        .collect();
    let converter = RowConverter::new(fields.collect()).unwrap();
    match columns {
        [] => Vec::new(),
        _ => {
            let rows = converter.convert_columns(&arrays).unwrap();
            rows.iter().map(|row| row.owned()).collect()
        }
    }
}

fn has_null(batch: &RecordBatch, columns: &[usize], row: usize) -> bool {
    columns
        .iter()
        .any(|index| batch.column(*index).is_null(row))
}

/// What a join of all rows puts out, by comparing every pair.
fn nested_loops(table: &RecordBatch, probing: &RecordBatch, join: &Join) -> RecordBatch {
    let positions: Vec<_> = join
        .keys
        .iter()
        .map(|key| match key {
            Expr::Column(index) => *index,
            _ => unreachable!("keys are columns here"),
        })
        .collect();
    let (left, right) = (rows(table, &join.table.keys), rows(probing, &positions));
    let filter = join.filter.as_ref().map(|filter| match filter {
        Expr::Compare(op, left, right) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(left), Expr::Column(right)) => {
                let right = right - table.num_columns();
                (
                    *op,
                    *left,
                    right,
                    rows(table, &[*left]),
                    rows(probing, &[right]),
                )
            }
            _ => unreachable!("filters compare columns here"),
        },
        _ => unreachable!("filters compare columns here"),
    });
    let is_match = |l: usize, r: usize| {
        let nulls = has_null(table, &join.table.keys, l) || has_null(probing, &positions, r);
        let keys = left[l] == right[r] && (join.nulls_equal || !nulls);
        keys && filter.as_ref().is_none_or(|(op, i, j, left, right)| {
            let nulls = table.column(*i).is_null(l) || probing.column(*j).is_null(r);
            !nulls
                && match op {
                    CompareOp::Lt => left[l] < right[r],
                    _ => left[l] != right[r],
                }
        })
    };
    let mut pairs = Vec::new();
    let mut matched = (vec![false; left.len()], vec![false; right.len()]);
    for r in 0..right.len() {
        for l in 0..left.len() {
            if is_match(l, r) {
                pairs.push((Some(l as u64), Some(r as u64)));
                matched.0[l] = true;
                matched.1[r] = true;
            }
        }
    }
    let lefts = |wanted: bool| -> Vec<_> {
        let rows = (0..left.len()).filter(|l| matched.0[*l] == wanted);
        rows.map(|l| (Some(l as u64), None)).collect()
    };
    let rights = |wanted: bool| -> Vec<_> {
        let rows = (0..right.len()).filter(|r| matched.1[*r] == wanted);
        rows.map(|r| (None, Some(r as u64))).collect()
    };
    let out = match join.kind {
        JoinKind::Inner => pairs,
        JoinKind::Left => [pairs, lefts(false)].concat(),
        JoinKind::Right => [pairs, rights(false)].concat(),
        JoinKind::Full => [pairs, lefts(false), rights(false)].concat(),
        JoinKind::LeftSemi => lefts(true),
        JoinKind::LeftAnti => lefts(false),
        JoinKind::RightSemi => rights(true),
        JoinKind::RightAnti => rights(false),
    };
    let picked = |batch: &RecordBatch, rows: Vec<Option<u64>>| {
        let rows = UInt64Array::from(rows);
        let columns = batch.columns().iter();
        columns
            .map(|column| take(column, &rows, None).unwrap())
            .collect::<Vec<_>>()
    };
    let (l, r): (Vec<_>, Vec<_>) = out.into_iter().unzip();
    let rows = l.len();
    let columns = match join.kind {
        JoinKind::LeftSemi | JoinKind::LeftAnti => picked(table, l),
        JoinKind::RightSemi | JoinKind::RightAnti => picked(probing, r),
        _ => [picked(table, l), picked(probing, r)].concat(),
    };
    let fields = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Field::new(format!("c{index}"), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).unwrap()
}

fn value_types(columns: &[Column]) -> Vec<ValueType> {
    let columns = columns.iter();
    columns
        .map(|column| ValueType::new(column.ty.clone(), column.nullable))
        .collect()
}

pub(crate) fn build_fragment(columns: Vec<Column>, keys: Vec<usize>) -> Fragment {
    Fragment {
        inputs: vec![Input { columns }],
        params: Vec::new(),
        pipelines: vec![Pipeline {
            source: Source::Input(0),
            operators: Vec::new(),
            sink: Sink::Build(Build { keys }),
        }],
    }
}

pub(crate) fn build(fragment: &Fragment, params: &[Param], batches: &[RecordBatch]) -> JoinTable {
    let mut instance = open(&GUARDED, fragment, params).unwrap();
    for batch in batches {
        instance.push(0, batch, &mut go).unwrap();
    }
    instance.finish(0, &mut go).unwrap();
    assert!(instance.pull(100, &mut go).unwrap().is_none());
    instance.take_table().unwrap()
}

/// The table of what several instances have read, each its share of the batches.
fn build_together(fragment: &Fragment, shares: &[&[RecordBatch]]) -> JoinTable {
    let instances = shares.iter().map(|share| {
        let mut instance = open(&GUARDED, fragment, &[]).unwrap();
        instance.hold_rows().unwrap();
        for batch in *share {
            instance.push(0, batch, &mut go).unwrap();
        }
        instance.finish(0, &mut go).unwrap();
        instance
    });
    let mut instances = instances.collect::<Vec<_>>();
    let mut first = instances.pop().unwrap();
    let mut others: Vec<_> = instances.iter_mut().collect();
    let at_once = first.lay_out(&mut others, &mut go).unwrap();
    match at_once {
        true => std::thread::scope(|scope| {
            for other in others {
                scope.spawn(|| other.copy_rows(&mut go).unwrap());
            }
        }),
        false => {
            for other in others {
                other.copy_rows(&mut go).unwrap();
            }
        }
    }
    let misses = |first: &mut Instance| {
        let taken = first.take_table();
        assert!(matches!(taken, Err(RunError::Shape { .. })), "{taken:?}");
    };
    match at_once {
        // Not all rows are there.
        true => {
            instances.clear();
            misses(&mut first);
            first.copy_rows(&mut go).unwrap();
        }
        // Not all who build are gone.
        false => {
            first.copy_rows(&mut go).unwrap();
            misses(&mut first);
            instances.clear();
        }
    }
    assert!(first.pull(100, &mut go).unwrap().is_none());
    first.take_table().unwrap()
}

pub(crate) fn probe(
    fragment: &Fragment,
    params: &[Param],
    tables: &[Arc<JoinTable>],
) -> Result<Instance, RunError> {
    let loaded = GUARDED.load(&compile(fragment).unwrap()).unwrap();
    let (account, functions) = (Box::new(Unlimited), Box::new(NoHostFunctions));
    Instance::open_with_tables(&GUARDED, &loaded, params, tables, account, functions)
}

/// A table with what is in it.
struct Side {
    table: Arc<JoinTable>,
    rows: RecordBatch,
}

/// A join of rows that have `columns`, with a random table.
fn join(rng: &mut Rng, columns: &[ValueType], may_keep: bool, mix: &Mix) -> (Join, Side) {
    let kinds: Vec<_> = KINDS
        .iter()
        .filter(|(kind, _)| may_keep || !kind.keeps_table_rows())
        .collect();
    let (kind, name) = *kinds[rng.usize(0..kinds.len())];
    mix.count(name);
    let keys: Vec<_> = (0..rng.usize(1..4))
        .map(|_| rng.usize(0..columns.len()))
        .collect();
    mix.count(format!("{} keys", keys.len()));
    if keys.iter().any(|key| columns[*key].ty == Type::Utf8) {
        mix.count("text keys");
    }
    let mut table_columns: Vec<_> = keys
        .iter()
        .map(|key| random::column_of(rng, columns[*key].ty.clone()))
        .collect();
    let payload = rng.usize(0..3);
    table_columns.extend((0..payload).map(|_| random::column(rng)));
    let comparable = (0..table_columns.len()).flat_map(|left| {
        let same = |right: &usize| columns[*right].ty == table_columns[left].ty;
        let right = (0..columns.len()).filter(same);
        right.map(move |right| (left, right)).collect::<Vec<_>>()
    });
    let comparable: Vec<_> = comparable.collect();
    let filter = (!comparable.is_empty() && rng.u32(0..3) == 0).then(|| {
        mix.count("filter");
        let (left, right) = comparable[rng.usize(0..comparable.len())];
        let op = if rng.bool() {
            CompareOp::Lt
        } else {
            CompareOp::Ne
        };
        let right = table_columns.len() + right;
        Expr::Compare(
            op,
            Box::new(Expr::Column(left)),
            Box::new(Expr::Column(right)),
        )
    });
    let nulls_equal = rng.u32(0..3) == 0;
    if nulls_equal {
        mix.count("nulls equal");
    }
    let batches: Vec<_> = (0..rng.usize(1..3))
        .map(|_| {
            let rows = [0, random::rows(rng), random::rows(rng)][rng.usize(0..3)];
            random::batch(rng, &table_columns, rows)
        })
        .collect();
    let rows = random::whole(&table_columns, &batches);
    if rows.num_rows() == 0 {
        mix.count("empty table");
    }
    let positions: Vec<_> = (0..keys.len()).collect();
    let fragment = build_fragment(table_columns.clone(), positions.clone());
    let table = match rng.u32(0..3) {
        0 => build(&fragment, &[], &batches),
        _ => {
            mix.count("built by several");
            let (at, other) = (rng.usize(0..=batches.len()), rng.usize(0..=batches.len()));
            let (at, end) = (at.min(other), at.max(other));
            build_together(
                &fragment,
                &[&batches[..at], &batches[at..end], &batches[end..]],
            )
        }
    };
    let side = Side {
        table: Arc::new(table),
        rows,
    };
    let join = Join {
        kind,
        table: Table {
            columns: value_types(&table_columns),
            keys: positions,
        },
        keys: keys.into_iter().map(Expr::Column).collect(),
        nulls_equal,
        filter,
    };
    (join, side)
}

fn columns_behind(join: &Join, row: &[ValueType]) -> Vec<ValueType> {
    let nullable = |columns: &[ValueType], yes: bool| -> Vec<_> {
        let columns = columns.iter();
        columns
            .map(|of| ValueType::new(of.ty.clone(), of.nullable || yes))
            .collect()
    };
    let (left, right) = match join.kind {
        JoinKind::Inner => (false, false),
        JoinKind::Left => (false, true),
        JoinKind::Right => (true, false),
        JoinKind::Full => (true, true),
        JoinKind::LeftSemi | JoinKind::LeftAnti => return join.table.columns.clone(),
        JoinKind::RightSemi | JoinKind::RightAnti => return row.to_vec(),
    };
    [nullable(&join.table.columns, left), nullable(row, right)].concat()
}

/// Runs batches through several instances, as threads of one task would; the last one keeps rows of tables.
fn run(
    fragment: &Fragment,
    tables: &[Arc<JoinTable>],
    batches: &[RecordBatch],
    instances: usize,
    rows_max: u32,
) -> RecordBatch {
    let mut out = Vec::new();
    let mut matched: Vec<Vec<Vec<u8>>> = vec![Vec::new(); tables.len()];
    let mut schema = None;
    for number in 0..instances {
        let mut instance = probe(fragment, &[], tables).unwrap();
        for batch in batches.iter().skip(number).step_by(instances) {
            instance.push(0, batch, &mut go).unwrap();
            pull_all(&mut instance, rows_max, &mut out);
        }
        for (table, matched) in matched.iter_mut().enumerate() {
            if number + 1 == instances {
                let others = matched.iter().map(Vec::as_slice);
                instance.keep_rows(table, others).unwrap();
            }
        }
        instance.finish(0, &mut go).unwrap();
        pull_all(&mut instance, rows_max, &mut out);
        for (table, matched) in matched.iter_mut().enumerate() {
            matched.push(instance.matched_rows(table).unwrap());
        }
        schema = Some(instance.schema());
    }
    concat_batches(&schema.unwrap(), &out).unwrap()
}

fn pull_all(instance: &mut Instance, rows_max: u32, out: &mut Vec<RecordBatch>) {
    while let Some(batch) = instance.pull(rows_max, &mut go).unwrap() {
        assert!(batch.num_rows() <= rows_max as usize);
        out.push(batch);
    }
}

fn counted(rows: impl IntoIterator<Item = OwnedRow>) -> BTreeMap<OwnedRow, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row).or_default() += 1;
    }
    counts
}

#[test]
fn joins_put_out_what_nested_loops_put_out() {
    let mix = Mix::default();
    for seed in seeds(0, 200) {
        let mut rng = Rng::with_seed(seed);
        let columns: Vec<_> = (0..rng.usize(1..4))
            .map(|_| random::column(&mut rng))
            .collect();
        let batches: Vec<_> = (0..rng.usize(1..4))
            .map(|_| {
                let rows = random::rows(&mut rng);
                random::batch(&mut rng, &columns, rows)
            })
            .collect();
        let mut expected = random::whole(&columns, &batches);
        let mut types = value_types(&columns);
        let (mut operators, mut tables) = (Vec::new(), Vec::new());
        let mut may_keep = true;
        let levels = rng.usize(1..4);
        for level in 0..levels {
            let (join, side) = join(&mut rng, &types, may_keep, &mix);
            may_keep &= !join.kind.keeps_table_rows();
            types = columns_behind(&join, &types);
            expected = nested_loops(&side.rows, &expected, &join);
            operators.push(Operator::Join(join));
            tables.push(side.table);
            // Three joins of duplicates would be too many rows for nested loops.
            if expected.num_rows() > 4000 {
                mix.count(format!("{} joins", level + 1));
                break;
            }
        }
        if operators.len() == levels {
            mix.count(format!("{levels} joins"));
        }
        let instances = rng.usize(1..4);
        mix.count(format!("{instances} instances"));
        let rows_max = [1000, 1, 7, 100][rng.usize(0..4)];
        let all: Vec<_> = (0..types.len()).collect();
        let mut fragment = Fragment {
            inputs: vec![Input { columns }],
            params: Vec::new(),
            pipelines: vec![Pipeline {
                source: Source::Input(0),
                operators,
                sink: Sink::Emit,
            }],
        };
        let out = run(&fragment, &tables, &batches, instances, rows_max);
        assert_eq!(
            counted(rows(&out, &all)),
            counted(rows(&expected, &all)),
            "seed {seed}\n{fragment}"
        );
        if expected.num_rows() == 0 {
            mix.count("nothing out");
        }

        // The same joins into a sink that stores.
        fragment.pipelines[0].sink = Sink::Aggregate(Aggregate {
            mode: Mode::Single,
            keys: vec![Expr::Column(0)],
            calls: vec![Call {
                function: AggregateFunction::Count,
                arguments: Vec::new(),
                filter: None,
            }],
        });
        fragment.pipelines.push(Pipeline {
            source: Source::Groups(0),
            operators: Vec::new(),
            sink: Sink::Emit,
        });
        let out = run(&fragment, &tables, &batches, instances, rows_max);
        let mut groups: BTreeMap<OwnedRow, u64> = BTreeMap::new();
        let counts =
            arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(out.column(1));
        for (key, count) in rows(&out, &[0]).into_iter().zip(counts.values()) {
            *groups.entry(key).or_default() += *count as u64;
        }
        let expected = counted(rows(&expected, &[0]));
        assert_eq!(groups, expected, "seed {seed}, grouped\n{fragment}");
    }
    let names = KINDS.map(|(_, name)| name);
    let others = [
        "1 joins",
        "2 joins",
        "3 joins",
        "1 instances",
        "3 instances",
        "filter",
        "nulls equal",
        "empty table",
        "nothing out",
        "1 keys",
        "3 keys",
        "text keys",
    ];
    mix.check(&[names.as_slice(), &others].concat());
}

fn int_columns(count: usize) -> Vec<Column> {
    let column = Column {
        ty: Type::Int64,
        nullable: false,
        facts: Facts::NONE,
    };
    vec![column; count]
}

fn ints<const N: usize>(columns: [Vec<i64>; N]) -> RecordBatch {
    let columns = columns.map(|values| {
        let array: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from(values));
        ("c", array)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

const INNER: &str = "(fragment (input (column int64)) (params)
    (pipeline (input 0) (join inner (table (keys 0) (column int64) (column int64)) (keys c0)) (emit)))";

#[test]
fn one_row_with_a_million_matches_comes_out_in_many_batches() {
    let fragment = build_fragment(int_columns(2), vec![0]);
    let batches: Vec<_> = (0..20)
        .map(|start| {
            let values = start * 50_000..(start + 1) * 50_000;
            ints([vec![7; 50_000], values.collect()])
        })
        .collect();
    let table = Arc::new(build(&fragment, &[], &batches));
    assert_eq!(table.rows(), 1_000_000);
    let mut instance = probe(&INNER.parse().unwrap(), &[], &[table]).unwrap();
    instance.push(0, &ints([vec![6, 7, 8]]), &mut go).unwrap();
    let mut seen = vec![false; 1_000_000];
    while let Some(batch) = instance.pull(8192, &mut go).unwrap() {
        let values =
            arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batch.column(1));
        for value in values.values() {
            assert!(!std::mem::replace(&mut seen[*value as usize], true));
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
    instance.finish(0, &mut go).unwrap();
    let mut rest = Vec::new();
    drain(&mut instance, &mut rest).unwrap();
    assert!(rest.is_empty());
}

/// Nulls of rows that are not there come from no row, but from whatever the table begins with.
#[test]
fn a_row_that_is_not_there_is_null_as_any_other() {
    let fragment: Fragment = "(fragment (input (column int64)) (params)
        (pipeline (input 0)
            (join right (table (keys 0) (column int64 nullable)) (keys c0))
            (join right-semi (table (keys 0) (column int64 nullable)) (keys c0) nulls-equal)
            (emit)))"
        .parse()
        .unwrap();
    let nullable = |values: Vec<Option<i64>>| {
        let array: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from(values));
        RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap()
    };
    let column = Column {
        nullable: true,
        ..int_columns(1).remove(0)
    };
    let built = build_fragment(vec![column], vec![0]);
    // So many rows, far apart, that the table's header has every bit somewhere.
    for rows in [0, 1, 20, 100, 300, 5000] {
        let far = (0..rows).map(|row| Some(row << 40));
        let first = build(&built, &[], &[nullable(far.collect())]);
        let second = build(&built, &[], &[nullable(vec![None])]);
        let tables = [Arc::new(first), Arc::new(second)];
        let mut instance = probe(&fragment, &[], &tables).unwrap();
        instance.push(0, &ints([vec![-1]]), &mut go).unwrap();
        let mut out = Vec::new();
        drain(&mut instance, &mut out).unwrap();
        let found: usize = out.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(found, 1, "{rows} rows");
    }
}

#[test]
fn tables_of_another_shape_and_unfinished_ones_are_refused() {
    let one_column = build_fragment(int_columns(1), vec![0]);
    let table = Arc::new(build(&one_column, &[], &[ints([vec![1]])]));
    let fragment: Fragment = INNER.parse().unwrap();
    for tables in [vec![table], Vec::new()] {
        let refused = probe(&fragment, &[], &tables);
        assert!(matches!(refused, Err(RunError::Shape { .. })));
    }
    let mut unfinished = open(&GUARDED, &one_column, &[]).unwrap();
    unfinished.push(0, &ints([vec![1]]), &mut go).unwrap();
    assert!(matches!(
        unfinished.take_table(),
        Err(RunError::Shape { .. })
    ));
    let no_table: Fragment =
        "(fragment (input (column int64)) (params) (pipeline (input 0) (emit)))"
            .parse()
            .unwrap();
    let mut instance = open(&GUARDED, &no_table, &[]).unwrap();
    instance.finish(0, &mut go).unwrap();
    assert!(matches!(instance.take_table(), Err(RunError::Shape { .. })));
}

#[test]
fn rows_of_other_instances_are_taken_from_those_of_the_same_fragment_only() {
    let fragment = build_fragment(int_columns(2), vec![0]);
    let opened = |fragment: &Fragment| open(&GUARDED, fragment, &[]).unwrap();
    let ended = |fragment: &Fragment, batch: &RecordBatch| {
        let mut instance = opened(fragment);
        instance.hold_rows().unwrap();
        instance.push(0, batch, &mut go).unwrap();
        instance.finish(0, &mut go).unwrap();
        instance
    };
    let rows = ints([vec![1, 2], vec![3, 4]]);
    let mut first = ended(&fragment, &rows);
    let other_keys = build_fragment(int_columns(2), vec![1]);
    let mut still_reads = opened(&fragment);
    still_reads.hold_rows().unwrap();
    let mut builds_alone = opened(&fragment);
    builds_alone.finish(0, &mut go).unwrap();
    for mut other in [ended(&other_keys, &rows), still_reads, builds_alone] {
        let refused = first.lay_out(&mut [&mut other], &mut go);
        assert!(matches!(refused, Err(RunError::Shape { .. })));
    }
    let emits: Fragment = "(fragment (input (column int64)) (params) (pipeline (input 0) (emit)))"
        .parse()
        .unwrap();
    let mut emitting = opened(&emits);
    assert!(matches!(emitting.hold_rows(), Err(RunError::Shape { .. })));
    emitting.finish(0, &mut go).unwrap();
    let laid_out = opened(&emits).lay_out(&mut [&mut emitting], &mut go);
    assert!(matches!(laid_out, Err(RunError::Shape { .. })));
    let mut other = ended(&fragment, &rows);
    assert!(first.lay_out(&mut [&mut other], &mut go).is_ok());
    first.copy_rows(&mut go).unwrap();
    other.copy_rows(&mut go).unwrap();
    drop(other);
    assert_eq!(first.take_table().unwrap().rows(), 4);
}

/// Each step of building with another instance may be the last, and the next table gets no memory that somebody still has.
#[test]
fn tables_that_several_build_can_be_stopped_at_each_step() {
    let fragment = build_fragment(int_columns(2), vec![0]);
    let rows = |keys: std::ops::Range<i64>, values: i64| {
        let values = keys.clone().map(|key| key + values);
        ints([keys.collect(), values.collect()])
    };
    let ended = |keys: std::ops::Range<i64>| {
        let mut instance = open(&GUARDED, &fragment, &[]).unwrap();
        instance.hold_rows().unwrap();
        instance.push(0, &rows(keys, 0), &mut go).unwrap();
        instance.finish(0, &mut go).unwrap();
        instance
    };
    let mut stopped = 0;
    for calls in 0.. {
        let (mut first, mut other) = (ended(6000..9000), ended(0..6000));
        let mut left = calls;
        let mut check = || match left {
            0 => Err(RunError::Stopped),
            _ => {
                left -= 1;
                Ok(())
            }
        };
        let laid_out = first.lay_out(&mut [&mut other], &mut check);
        let copied = laid_out.and_then(|_| first.copy_rows(&mut check));
        drop(first);
        // The other one has the table still, while the next is built.
        let next = build(&fragment, &[], &[rows(5..3005, 1 << 40)]);
        let copied = copied.and_then(|()| other.copy_rows(&mut check));
        drop(other);
        let mut probing = probe(&INNER.parse().unwrap(), &[], &[Arc::new(next)]).unwrap();
        probing
            .push(0, &ints([(0..4000).collect()]), &mut go)
            .unwrap();
        let mut out = Vec::new();
        drain(&mut probing, &mut out).unwrap();
        let values = out.iter().flat_map(|rows| {
            let values = rows.column(1).as_primitive::<arrow::datatypes::Int64Type>();
            values.values().to_vec()
        });
        assert!(values.eq((1 << 40) + 5..(1 << 40) + 3005));
        match copied {
            Err(RunError::Stopped) => stopped += 1,
            Err(error) => panic!("{error:?}"),
            Ok(()) => break,
        }
    }
    assert!(stopped > 8, "{stopped}");
}

/// Text of rows that several instances have kept lies in their heaps, and each copies its own behind the rows of all.
#[test]
fn long_text_of_several_instances_is_in_their_table() {
    let columns = vec![
        Column {
            ty: Type::Utf8,
            nullable: true,
            facts: Facts::NONE,
        };
        2
    ];
    let fragment = build_fragment(columns.clone(), vec![0]);
    let text = |row: usize, long: usize| match row % 5 {
        0 => None,
        1 => Some(format!("{row}")),
        2 => Some(format!("{row} {}", "x".repeat(long))),
        _ => Some(format!("{row} {}", "y".repeat(row % 40))),
    };
    let batch = |rows: std::ops::Range<usize>| {
        let keys = rows.clone().map(|row| text(row, 20));
        let long = rows.map(|row| text(row, if row % 100 == 2 { 1 << 20 } else { 3000 }));
        let array = |texts: Vec<Option<String>>| Arc::new(StringViewArray::from(texts)) as _;
        RecordBatch::try_from_iter_with_nullable([
            ("k", array(keys.collect()), true),
            ("z", array(long.collect()), true),
        ])
        .unwrap()
    };
    let shares = [batch(0..1500), batch(1500..1500), batch(1500..4100)];
    let [one, none, other] = &shares;
    let table = build_together(
        &fragment,
        &[
            std::slice::from_ref(one),
            std::slice::from_ref(none),
            std::slice::from_ref(other),
        ],
    );
    assert_eq!(table.rows(), 4100);
    let types = value_types(&columns);
    let join = Join {
        kind: JoinKind::Inner,
        table: Table {
            columns: types,
            keys: vec![0],
        },
        keys: vec![Expr::Column(0)],
        nulls_equal: false,
        filter: None,
    };
    let probing = Fragment {
        inputs: vec![Input {
            columns: columns[..1].to_vec(),
        }],
        params: Vec::new(),
        pipelines: vec![Pipeline {
            source: Source::Input(0),
            operators: vec![Operator::Join(join)],
            sink: Sink::Emit,
        }],
    };
    let mut instance = probe(&probing, &[], &[Arc::new(table)]).unwrap();
    let asked = batch(0..4100);
    instance
        .push(0, &asked.project(&[0]).unwrap(), &mut go)
        .unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let found = out.iter().flat_map(|rows| {
        let long = rows.column(1).as_string_view();
        let keys = rows.column(0).as_string_view().iter();
        keys.zip(long).collect::<Vec<_>>()
    });
    let mut found: Vec<_> = found.collect();
    let keys = asked.column(0).as_string_view().iter();
    let mut expected: Vec<_> = keys.zip(asked.column(1).as_string_view()).collect();
    expected.retain(|(key, _)| key.is_some());
    found.sort_unstable();
    expected.sort_unstable();
    assert!(found == expected);
}

/// Each has the table where its own room begins, behind those that it probes.
#[test]
fn instances_that_probe_tables_of_different_sizes_build_one() {
    let side = build_fragment(int_columns(2), vec![0]);
    let fragment: Fragment = "(fragment (input (column int64)) (params) (pipeline (input 0)
        (join inner (table (keys 0) (column int64) (column int64)) (keys c0)) (build 0)))"
        .parse()
        .unwrap();
    let shares = [(0..10, 0..10), (10..20, 0..200_000), (20..25, 0..100)];
    let instances = shares.map(
        |(keys, in_table): (std::ops::Range<i64>, std::ops::Range<i64>)| {
            let rows = in_table.collect::<Vec<i64>>();
            let batches = rows.chunks(50_000).map(|keys| {
                let values = keys.iter().map(|key| key * 7);
                ints([keys.to_vec(), values.collect()])
            });
            let table = build(&side, &[], &batches.collect::<Vec<_>>());
            let mut instance = probe(&fragment, &[], &[Arc::new(table)]).unwrap();
            instance.hold_rows().unwrap();
            instance.push(0, &ints([keys.collect()]), &mut go).unwrap();
            instance.finish(0, &mut go).unwrap();
            instance
        },
    );
    let [mut first, mut second, mut third] = instances;
    let others = &mut [&mut second, &mut third];
    first.lay_out(others, &mut go).unwrap();
    for instance in [&mut first, &mut second, &mut third] {
        instance.copy_rows(&mut go).unwrap();
    }
    drop((second, third));
    let table = Arc::new(first.take_table().unwrap());
    assert_eq!(table.rows(), 25);
    let probing = "(fragment (input (column int64)) (params) (pipeline (input 0)
        (join inner (table (keys 0) (column int64) (column int64) (column int64)) (keys c0)) (emit)))";
    let mut instance = probe(&probing.parse().unwrap(), &[], &[table]).unwrap();
    instance
        .push(0, &ints([(0..30).collect()]), &mut go)
        .unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let products = out.iter().flat_map(|rows| {
        let columns = [0, 1, 2].map(|column| rows.column(column));
        let mut values =
            columns.map(|of| of.as_primitive::<arrow::datatypes::Int64Type>().values());
        values.sort_by_key(|values| values.iter().sum::<i64>());
        values[2].to_vec()
    });
    let mut products: Vec<_> = products.collect();
    products.sort_unstable();
    assert!(products.into_iter().eq((0..25).map(|key| key * 7)));
}

/// Text is copied in pieces that reach behind its end, by several instances at the same time.
#[test]
fn text_of_one_instance_leaves_that_of_others_as_it_is() {
    let mut columns = int_columns(1);
    columns.push(Column {
        ty: Type::Utf8,
        nullable: false,
        facts: Facts::NONE,
    });
    let fragment = build_fragment(columns.clone(), vec![0]);
    let text = |key: i64| format!("{key:->width$}", width = 13 + (key % 17) as usize);
    let share = |number: i64| {
        let keys = (40 * number..40 * (number + 1)).collect::<Vec<_>>();
        let texts = keys.iter().map(|key| Some(text(*key)));
        let texts: StringViewArray = texts.collect();
        let keys = arrow::array::Int64Array::from(keys);
        let columns: [(_, arrow::array::ArrayRef); 2] =
            [("k", Arc::new(keys)), ("z", Arc::new(texts))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let shares: Vec<_> = (0..4).map(share).collect();
    let shares: Vec<_> = shares.iter().map(std::slice::from_ref).collect();
    let table = build_together(&fragment, &shares);
    let probing = "(fragment (input (column int64)) (params) (pipeline (input 0)
        (join inner (table (keys 0) (column int64) (column utf8)) (keys c0)) (emit)))";
    let mut instance = probe(&probing.parse().unwrap(), &[], &[Arc::new(table)]).unwrap();
    let asked = ints([(0..160).collect()]);
    instance.push(0, &asked, &mut go).unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let found = out.iter().flat_map(|rows| {
        let texts = rows.column(1).as_string_view().iter();
        texts
            .map(|text| text.unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        (0..160).map(text).collect::<Vec<_>>()
    );
}

/// A table's only key in one of the ways a table can find it: numbers without gaps or with some, once or often, numbers so
/// far apart that they are hashed, with and without nulls.
fn keys_in_a_way(rng: &mut Rng, ty: &Type, way: &str, rows: usize) -> arrow::array::ArrayRef {
    let numbers = (0..rows as i64).map(|row| match way {
        "in order" => row,
        "with gaps" => row * 3 % 101,
        "often" => row % 7,
        // The ends of the narrowest type.
        "far apart" => [-100, 100][row as usize % 2] + row % 3,
        _ => rng.i64(-20..20),
    });
    let is_null = |row: usize| way == "with nulls" && row.is_multiple_of(5);
    let wide = |number: i64| match (way, ty) {
        ("far apart", Type::Int64 | Type::UInt64 | Type::Timestamp(..)) => number << 50,
        ("far apart", Type::Int32 | Type::UInt32 | Type::Date32) => number << 20,
        _ => number,
    };
    let numbers = numbers.enumerate();
    let numbers = numbers.map(|(row, number)| (!is_null(row)).then(|| wide(number)));
    let numbers: Vec<_> = numbers.collect();
    // Unsigned types take the same bits.
    macro_rules! array {
        ($array:ident, $native:ty) => {
            Arc::new(arrow::array::$array::from_iter(
                numbers
                    .iter()
                    .map(|number| number.map(|number| number as $native)),
            ))
        };
    }
    match ty {
        Type::Int8 => array!(Int8Array, i8),
        Type::Int16 => array!(Int16Array, i16),
        Type::Int32 => array!(Int32Array, i32),
        Type::Int64 => array!(Int64Array, i64),
        Type::UInt8 => array!(UInt8Array, u8),
        Type::UInt16 => array!(UInt16Array, u16),
        Type::UInt32 => array!(UInt32Array, u32),
        Type::UInt64 => array!(UInt64Array, u64),
        Type::Date32 => array!(Date32Array, i32),
        _ => array!(TimestampMicrosecondArray, i64),
    }
}

#[test]
fn keys_are_found_however_dense_they_are() {
    let mut rng = Rng::with_seed(7);
    let types = [
        Type::Int8,
        Type::Int16,
        Type::Int32,
        Type::Int64,
        Type::UInt8,
        Type::UInt16,
        Type::UInt32,
        Type::UInt64,
        Type::Date32,
        Type::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
    ];
    let ways = ["in order", "with gaps", "often", "far apart", "with nulls"];
    for ty in &types {
        for way in ways {
            let columns = vec![
                Column {
                    ty: ty.clone(),
                    nullable: true,
                    facts: Facts::NONE,
                },
                int_columns(1).remove(0),
            ];
            let numbered = |keys: arrow::array::ArrayRef| {
                let numbers = arrow::array::Int64Array::from_iter_values(0..keys.len() as i64);
                let numbers: arrow::array::ArrayRef = Arc::new(numbers);
                let rows = [("k", keys), ("n", numbers)];
                RecordBatch::try_from_iter_with_nullable(rows.map(|(name, of)| (name, of, true)))
                    .unwrap()
            };
            let side = numbered(keys_in_a_way(&mut rng, ty, way, 90));
            let fragment = build_fragment(columns.clone(), vec![0]);
            let halves = [side.slice(0, 31), side.slice(31, 59)];
            let tables = [
                Arc::new(build(&fragment, &[], &halves)),
                Arc::new(build_together(&fragment, &[&halves[..1], &halves[1..]])),
            ];
            let probing = numbered(keys_in_a_way(&mut rng, ty, "at random", 70));
            let more = numbered(keys_in_a_way(&mut rng, ty, way, 40));
            let batches = [probing, more];
            let all = random::whole(&columns, &batches);
            for (kind, name) in KINDS {
                for nulls_equal in [false, true] {
                    let join = Join {
                        kind,
                        table: Table {
                            columns: value_types(&columns),
                            keys: vec![0],
                        },
                        keys: vec![Expr::Column(0)],
                        nulls_equal,
                        filter: None,
                    };
                    let expected = nested_loops(&side, &all, &join);
                    let fragment = Fragment {
                        inputs: vec![Input {
                            columns: columns.clone(),
                        }],
                        params: Vec::new(),
                        pipelines: vec![Pipeline {
                            source: Source::Input(0),
                            operators: vec![Operator::Join(join)],
                            sink: Sink::Emit,
                        }],
                    };
                    let width: Vec<_> = (0..expected.num_columns()).collect();
                    for table in &tables {
                        let out = run(&fragment, &[Arc::clone(table)], &batches, 2, 50);
                        assert_eq!(
                            counted(rows(&out, &width)),
                            counted(rows(&expected, &width)),
                            "{ty} {way}: {name}, nulls equal {nulls_equal}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_table_of_numbers_without_gaps_has_no_directory() {
    let fragment = build_fragment(int_columns(1), vec![0]);
    let table = |step: i64| {
        let batches = (0..20).map(|part| {
            let keys = part * 50_000..(part + 1) * 50_000;
            ints([keys.map(|key| key * step).collect()])
        });
        build(&fragment, &[], &batches.collect::<Vec<_>>())
    };
    let (dense, sparse) = (table(1), table(1 << 20));
    assert_eq!((dense.rows(), sparse.rows()), (1_000_000, 1_000_000));
    // A directory has eight bytes for each row at least, a bitmap two bits.
    assert!(dense.memory_bytes() + 7_000_000 < sparse.memory_bytes());
}
