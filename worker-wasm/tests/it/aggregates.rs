//! Aggregations against plain loops over rows: single, and partial then final; with and without keys; growing tables.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch},
    datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type, UInt64Type},
    row::{OwnedRow, RowConverter, SortField},
};
use fastrand::Rng;
use worker_wasm::{
    Fragment, RunError,
    abi::Reason,
    fragment::{
        Aggregate, AggregateFunction, Call, Column, Expr, Facts, Input, Mode, Operator, Pipeline,
        Sink, Source, Type, ValueType, verifier::verify,
    },
};

use crate::{
    expressions::canonical as canonical_form,
    random,
    support::{Mix, run, seeds},
};

/// A value of any type, as a reference loop needs it.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Int(i128),
    Float(f64),
    Text(String),
}

fn value(array: &ArrayRef, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    let int = |data_type: &DataType| {
        let wide = arrow::compute::cast(&array.slice(row, 1), data_type).unwrap();
        wide.as_primitive::<arrow::datatypes::Int64Type>()
            .value(0)
            .into()
    };
    Some(match array.data_type() {
        DataType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => Value::Int(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::UInt64 => Value::Int(array.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Boolean => Value::Int(array.as_boolean().value(row).into()),
        DataType::Date32 => {
            let days = array.as_primitive::<arrow::datatypes::Date32Type>();
            Value::Int(days.value(row).into())
        }
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).to_owned()),
        _ => Value::Int(int(&DataType::Int64)),
    })
}

/// Total order with one NaN, above everything.
fn less(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left < right,
        (Value::Float(left), Value::Float(right)) => {
            canonical(*left).total_cmp(&canonical(*right)).is_lt()
        }
        (Value::Text(left), Value::Text(right)) => left < right,
        _ => unreachable!("one column, one type"),
    }
}

fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

fn result(
    function: &AggregateFunction,
    of: &Type,
    sum: &Type,
    values: &[Option<Value>],
) -> Result<Option<Value>, Reason> {
    let present: Vec<_> = values.iter().flatten().cloned().collect();
    let total = || match of.is_float() {
        true => {
            let floats = present.iter().map(|value| match value {
                Value::Float(value) => *value,
                _ => unreachable!("a float column"),
            });
            Value::Float(floats.fold(0.0, |sum, value| sum + value))
        }
        false => {
            let ints = present.iter().map(|value| match value {
                Value::Int(value) => *value,
                _ => unreachable!("no column of integers"),
            });
            let total = ints.fold(0i128, i128::wrapping_add);
            Value::Int(match sum {
                Type::Int64 => i128::from(total as i64),
                Type::UInt64 => i128::from(total as u64),
                _ => total,
            })
        }
    };
    if *function == AggregateFunction::CountDistinct {
        // Written out, zeros of both signs differ and NaNs do not.
        let distinct: BTreeSet<_> = present.iter().map(|value| format!("{value:?}")).collect();
        return Ok(Some(Value::Int(distinct.len() as i128)));
    }
    if *function == AggregateFunction::Count {
        return Ok(Some(Value::Int(present.len() as i128)));
    }
    if present.is_empty() {
        return Ok(None);
    }
    Ok(Some(match function {
        AggregateFunction::Sum => total(),
        AggregateFunction::Min => present
            .iter()
            .cloned()
            .reduce(|best, v| if less(&v, &best) { v } else { best })
            .unwrap(),
        AggregateFunction::Max => present
            .iter()
            .cloned()
            .reduce(|best, v| if less(&best, &v) { v } else { best })
            .unwrap(),
        AggregateFunction::Avg(Type::Decimal { precision, scale }) => {
            let Type::Decimal { scale: from, .. } = of else {
                unreachable!("an average of decimals");
            };
            let Value::Int(total) = total() else {
                unreachable!("a sum of decimals");
            };
            let scaled = total.checked_mul(10i128.pow(u32::from(scale.abs_diff(*from))));
            let mean = scaled.ok_or(Reason::Overflow)? / present.len() as i128;
            if mean.unsigned_abs() >= 10u128.pow(u32::from(*precision)) {
                return Err(Reason::Overflow);
            }
            Value::Int(mean)
        }
        AggregateFunction::Avg(_) => match total() {
            Value::Float(total) => Value::Float(total / present.len() as f64),
            _ => unreachable!("an average of floats"),
        },
        AggregateFunction::Count | AggregateFunction::CountDistinct => {
            unreachable!("counted above")
        }
    }))
}

fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        // The order of a float sum is the guest's own when partial states are merged.
        (Some(Value::Float(left)), Some(Value::Float(right))) => {
            let close = (left - right).abs() <= 1e-9 * left.abs().max(right.abs());
            left == right || close || (left.is_nan() && right.is_nan())
        }
        (left, right) => left == right,
    }
}

fn call(rng: &mut Rng, columns: &[Column]) -> Call {
    let index = rng.usize(0..columns.len());
    let ty = &columns[index].ty;
    let argument = vec![Expr::Column(index)];
    let function = match (rng.u32(0..7), ty) {
        (6, _) => AggregateFunction::CountDistinct,
        (0, _) => AggregateFunction::Count,
        (1, Type::Decimal { precision, scale }) => AggregateFunction::Avg(random::decimal(
            (precision + 4).min(38),
            (scale + 4).min(38),
        )),
        (1, Type::Float64) => AggregateFunction::Avg(Type::Float64),
        (1..=3, ty) if ty.is_integer() || ty.is_float() || ty.is_decimal() => {
            AggregateFunction::Sum
        }
        (_, Type::Boolean) => AggregateFunction::Count,
        (4, _) => AggregateFunction::Min,
        _ => AggregateFunction::Max,
    };
    let booleans: Vec<_> = (0..columns.len())
        .filter(|index| columns[*index].ty == Type::Boolean)
        .collect();
    let filter = (!booleans.is_empty() && rng.bool())
        .then(|| Expr::Column(booleans[rng.usize(0..booleans.len())]));
    match function {
        AggregateFunction::Count if rng.bool() => Call {
            function,
            arguments: Vec::new(),
            filter,
        },
        function => Call {
            function,
            arguments: argument,
            filter,
        },
    }
}

fn fragment(columns: Vec<Column>, aggregate: Aggregate) -> Fragment {
    Fragment {
        inputs: vec![Input { columns }],
        params: Vec::new(),
        pipelines: vec![
            Pipeline {
                source: Source::Input(0),
                operators: Vec::new(),
                sink: Sink::Aggregate(aggregate),
            },
            Pipeline {
                source: Source::Groups(0),
                operators: vec![],
                sink: Sink::Emit,
            },
        ],
    }
}

/// The final aggregation over what `partial` puts out.
fn final_of(partial: &Fragment, aggregate: &Aggregate) -> Fragment {
    let states = verify(partial).unwrap();
    let column = |of: ValueType| Column {
        ty: of.ty,
        nullable: of.nullable,
        facts: Facts::NONE,
    };
    let mut next = aggregate.keys.len();
    let calls = aggregate.calls.iter().map(|call| {
        let width = if matches!(call.function, AggregateFunction::Avg(_)) {
            2
        } else {
            1
        };
        next += width;
        Call {
            function: call.function.clone(),
            arguments: (next - width..next).map(Expr::Column).collect(),
            filter: None,
        }
    });
    let aggregate = Aggregate {
        mode: Mode::Final,
        keys: (0..aggregate.keys.len()).map(Expr::Column).collect(),
        calls: calls.collect(),
    };
    fragment(states.into_iter().map(column).collect(), aggregate)
}

fn converter(columns: &[Column], keys: &[usize]) -> RowConverter {
    let fields = keys
        .iter()
        .map(|key| SortField::new(columns[*key].ty.to_arrow()));
    RowConverter::new(fields.collect()).unwrap()
}

#[test]
fn random_aggregations_agree_with_plain_loops() {
    let mix = Mix::default();
    let count = if std::env::var("MURRE_LONG").is_ok() {
        2_000
    } else {
        500
    };
    for seed in seeds(2_000_000, count) {
        let mut rng = Rng::with_seed(seed);
        let columns: Vec<_> = (0..rng.usize(1..6))
            .map(|_| random::column(&mut rng))
            .collect();
        let keys: Vec<_> = (0..columns.len()).filter(|_| rng.u32(0..3) == 0).collect();
        let aggregate = Aggregate {
            mode: Mode::Single,
            keys: keys.iter().copied().map(Expr::Column).collect(),
            calls: (0..rng.usize(1..5))
                .map(|_| call(&mut rng, &columns))
                .collect(),
        };
        mix.count(format!("{} keys", keys.len().min(2)));
        for call in &aggregate.calls {
            mix.count(format!("{:?}", call.function).split('(').next().unwrap());
        }
        let adds = |call: &&Call| {
            let function = &call.function;
            matches!(function, AggregateFunction::Sum | AggregateFunction::Avg(_))
        };
        let sums: Vec<_> = aggregate.calls.iter().filter(adds).collect();
        let same = |a: &Call, b: &Call| a.arguments == b.arguments && a.filter == b.filter;
        if (1..sums.len()).any(|later| sums[..later].iter().any(|sum| same(sum, sums[later]))) {
            mix.count("shared sums");
        }
        let batches: Vec<_> = (0..rng.usize(0..4))
            .map(|_| {
                let rows = random::rows(&mut rng);
                random::batch(&mut rng, &columns, rows)
            })
            .collect();
        let single = fragment(columns.clone(), aggregate.clone());
        let context = || format!("seed {seed}\n{single}");
        let expected = expected(&columns, &keys, &aggregate, &batches);

        let in_one = run(&single, &[], &batches);
        check(&columns, &keys, &expected, in_one, &mix, &context());

        let counts_once = |call: &Call| call.function == AggregateFunction::CountDistinct;
        if aggregate.calls.iter().any(counts_once) {
            continue;
        }
        let partial_aggregate = Aggregate {
            mode: Mode::Partial,
            ..aggregate.clone()
        };
        let partial = fragment(columns.clone(), partial_aggregate);
        // Each batch is aggregated on its own, as on workers; no batch at all still has one group without keys.
        let parts: Vec<_> = batches
            .iter()
            .map(std::slice::from_ref)
            .chain([&[][..]])
            .collect();
        let states: Vec<_> = parts
            .iter()
            .map(|part| run(&partial, &[], part).unwrap())
            .collect();
        let merged = run(&final_of(&partial, &aggregate), &[], &states);
        check(&columns, &keys, &expected, merged, &mix, &context());
    }
    mix.check(&[
        "0 keys",
        "1 keys",
        "2 keys",
        "Count",
        "CountDistinct",
        "Sum",
        "Avg",
        "Min",
        "Max",
        "Overflow",
        "shared sums",
        "groups",
    ]);
}

type Expected = HashMap<Option<OwnedRow>, Vec<Result<Option<Value>, Reason>>>;

fn expected(
    columns: &[Column],
    keys: &[usize],
    aggregate: &Aggregate,
    batches: &[RecordBatch],
) -> Expected {
    let mut groups: HashMap<Option<OwnedRow>, Vec<Vec<Option<Value>>>> = HashMap::new();
    let none = vec![Vec::new(); aggregate.calls.len()];
    if keys.is_empty() {
        groups.insert(None, none.clone());
    }
    let rows = converter(columns, keys);
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .cloned()
            .map(canonical_form)
            .collect();
        let key_columns: Vec<_> = keys
            .iter()
            .map(|key| ArrayRef::clone(&columns[*key]))
            .collect();
        let key_rows = (!keys.is_empty()).then(|| rows.convert_columns(&key_columns).unwrap());
        for row in 0..batch.num_rows() {
            let key = key_rows.as_ref().map(|rows| rows.row(row).owned());
            let group = groups.entry(key).or_insert_with(|| none.clone());
            for (call, values) in aggregate.calls.iter().zip(group) {
                if let Some(Expr::Column(filter)) = call.filter
                    && value(&columns[filter], row) != Some(Value::Int(1))
                {
                    continue;
                }
                values.push(match call.arguments.first() {
                    Some(Expr::Column(argument)) => value(&columns[*argument], row),
                    _ => Some(Value::Int(1)),
                });
            }
        }
    }
    let of = |call: &Call| match call.arguments.first() {
        Some(Expr::Column(argument)) => columns[*argument].ty.clone(),
        _ => Type::Int64,
    };
    let finish = |values: Vec<Vec<Option<Value>>>| {
        let calls = aggregate.calls.iter().zip(values);
        let results = calls.map(|(call, values)| {
            let ty = of(call);
            let sum = worker_wasm::fragment::rules::sum(&ty).unwrap_or(Type::Int64);
            result(&call.function, &ty, &sum, &values)
        });
        results.collect()
    };
    groups
        .into_iter()
        .map(|(key, values)| (key, finish(values)))
        .collect()
}

fn check(
    columns: &[Column],
    keys: &[usize],
    expected: &Expected,
    actual: Result<RecordBatch, RunError>,
    mix: &Mix,
    context: &str,
) {
    let fails = expected.values().flatten().any(Result::is_err);
    let actual = match actual {
        Ok(actual) => actual,
        Err(RunError::Data {
            reason: Reason::Overflow,
            ..
        }) if fails => return mix.count("Overflow"),
        Err(error) => panic!("{context}\n{error}"),
    };
    assert!(!fails, "{context}");
    assert_eq!(actual.num_rows(), expected.len(), "{context}");
    let rows = converter(columns, keys);
    let key_rows = (!keys.is_empty()).then(|| {
        rows.convert_columns(&actual.columns()[..keys.len()])
            .unwrap()
    });
    for row in 0..actual.num_rows() {
        mix.count("groups");
        let key = key_rows.as_ref().map(|rows| rows.row(row).owned());
        let expected = expected
            .get(&key)
            .unwrap_or_else(|| panic!("{context}\nno such group"));
        for (call, expected) in expected.iter().enumerate() {
            let actual = value(actual.column(keys.len() + call), row);
            let expected = expected.as_ref().unwrap();
            assert!(
                same(expected.as_ref(), actual.as_ref()),
                "{context}\ncall {call}: {expected:?}, got {actual:?}"
            );
        }
    }
}

#[test]
fn a_million_groups_grow_the_table_in_many_short_calls() {
    let key = Column {
        ty: Type::Int64,
        nullable: false,
        facts: Facts::NONE,
    };
    let aggregate = Aggregate {
        mode: Mode::Single,
        keys: vec![Expr::Column(0)],
        calls: vec![Call {
            function: AggregateFunction::Sum,
            arguments: vec![Expr::Column(0)],
            filter: None,
        }],
    };
    let mut fragment = fragment(vec![key], aggregate);
    // A filter in front makes `push` come back to the middle of a selection.
    let even = Expr::Compare(
        worker_wasm::fragment::CompareOp::Ge,
        Box::new(Expr::Column(0)),
        Box::new(Expr::Column(0)),
    );
    fragment.pipelines[0].operators = vec![Operator::Filter(even)];
    let groups = 1_000_000i64;
    let batches: Vec<_> = (0..2 * groups)
        .step_by(50_000)
        .map(|start| {
            let keys = (start..start + 50_000).map(|row| (row % groups) * 7);
            let keys: ArrayRef =
                std::sync::Arc::new(arrow::array::Int64Array::from_iter_values(keys));
            RecordBatch::try_from_iter([("c0", keys)]).unwrap()
        })
        .collect();
    let out = run(&fragment, &[], &batches).unwrap();
    assert_eq!(out.num_rows() as i64, groups);
    let keys = out.column(0).as_primitive::<arrow::datatypes::Int64Type>();
    let sums = out.column(1).as_primitive::<arrow::datatypes::Int64Type>();
    for (group, (key, sum)) in keys.values().iter().zip(sums.values()).enumerate() {
        assert_eq!((*key, *sum), (group as i64 * 7, group as i64 * 14));
    }
}

#[test]
fn a_million_distinct_values_are_counted_once_in_many_short_calls() {
    let fragment: Fragment = "(fragment (input (column int64) (column boolean)) (params)
          (pipeline (input 0) (aggregate single (keys) (count-distinct c0) (count) (count-distinct c0 (where c1))))
          (pipeline (groups 0) (emit)))"
        .parse()
        .unwrap();
    let values = 1_000_000i64;
    let batches: Vec<_> = (0..2 * values)
        .step_by(50_000)
        .map(|start| {
            let rows = start..start + 50_000;
            let numbers = rows.clone().map(|row| (row % values) * 7);
            let flags = rows.map(|row| Some(row % 4 == 0));
            let columns: [(&str, ArrayRef); 2] = [
                ("c0", Arc::new(Int64Array::from_iter_values(numbers))),
                ("c1", Arc::new(flags.collect::<BooleanArray>())),
            ];
            RecordBatch::try_from_iter(columns).unwrap()
        })
        .collect();
    let out = run(&fragment, &[], &batches).unwrap();
    let counts = [0, 1, 2].map(|column| out.column(column).as_primitive::<Int64Type>().value(0));
    assert_eq!(counts, [values, 2 * values, values / 4]);
}
