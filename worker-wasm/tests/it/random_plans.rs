//! Random small queries over random tables: each plan runs as DataFusion made it and with fragments in it.
//!
//! Which pieces are compiled is random too, so that native and compiled operators meet in every combination.
//! `MURRE_PLANS=100000` runs that many; a failure prints its seed, `MURRE_SEED=n` replays it, and `MURRE_FIRST=n` goes on there.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{
        ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    compute::cast,
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use datafusion::{
    datasource::MemTable,
    error::{DataFusionError, Result},
    physical_plan::{ExecutionPlan, collect, displayable},
    prelude::{SessionConfig, SessionContext},
};
use fastrand::Rng;
use worker_wasm::{
    fragment::{Column, Facts, Type},
    functions,
    lower::{Runs, lower},
};

mod query;

use self::query::{FUNCTIONS, JOINS, Query};
use crate::{
    codec::{There, sent},
    plans::{Compile, in_order, sorted},
    random,
    support::{Mix, SHAPES, seeds},
};

/// Few enough to group by, and something for each kind of pattern.
const CODES: [&str; 6] = [
    "",
    "ab",
    "a%b_c",
    "xbxxbx",
    "Übergrößenträger",
    "abababababababab",
];

/// Plans in a run that nobody asked to be longer.
const PLANS: u64 = 400;

#[tokio::test]
async fn random_plans_give_what_datafusion_gives() {
    let plans = std::env::var("MURRE_PLANS").map_or(PLANS, |count| count.parse().unwrap());
    let mix = Mix::default();
    for seed in seeds(1, plans) {
        check(seed, &mix).await;
    }
    let kinds = [
        "rows",
        "grouped",
        "ungrouped",
        "distinct",
        "nested",
        "joined",
        "joined and grouped",
        "set operation",
        "ordered",
    ];
    let outcomes = [
        "same rows",
        "AggregateExec wasm",
        "FilterExec wasm",
        "ProjectionExec wasm",
        "HashJoinExec wasm",
        "SortExec wasm",
        "SortExec(TopK) wasm",
    ];
    let others = [
        "mixed",
        "no rows",
        "native operator left",
        "one table",
        "tables",
        "sent",
        "sliced",
        "same error",
    ];
    // Of columns that go out.
    let types = [
        "Boolean",
        "Int8",
        "Int32",
        "Int64",
        "UInt16",
        "UInt64",
        "Float32",
        "Float64",
        "Decimal128",
        "Date32",
        "Timestamp",
        "Utf8",
        "Dictionary",
    ];
    let shared = [
        &kinds[..],
        &JOINS[..],
        &types[..],
        &FUNCTIONS[..],
        &SHAPES[..],
    ];
    let shared = shared.concat();
    mix.check(&[&outcomes[..], &others[..], &shared[..]].concat());
    mix.check_shares("plans", &shared);
}

fn reads_no_column(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let children = plan.children();
    let is_leaf = children.is_empty();
    is_leaf && plan.schema().fields().is_empty() || children.into_iter().any(reads_no_column)
}

async fn check(seed: u64, mix: &Mix) {
    let mut rng = Rng::with_seed(seed);
    let context = context(&mut rng, mix);
    let table = table(&mut rng, mix);
    context.register_table("t", Arc::new(table)).unwrap();
    let sql = Query { rng: &mut rng, mix }.query();
    mix.count("plans");
    let called = FUNCTIONS.iter().filter(|name| sql.contains(**name));
    called.for_each(|name| mix.count(name));
    let said = |what: &str| format!("{what}: MURRE_SEED={seed}: {sql}");
    // Some of what is made up is no query: types that do not go together.
    let Ok(native) = plan(&context, &sql).await else {
        return mix.count("refused by the planner");
    };
    let columns = native.schema();
    let types = columns
        .fields()
        .iter()
        .map(|field| type_name(field.data_type()));
    let types: BTreeSet<_> = types.collect();
    types.into_iter().for_each(|name| mix.count(name));
    let all = rng.bool();
    let host_eval = rng.bool();
    let mut compile = Compile::new(|_| all || rng.bool());
    // A repartitioning runs once, and the plans would share it.
    let again = plan(&context, &sql).await.expect("it was planned before");
    let lowered = lower(&again, host_eval, &mut compile);
    let lowered = lowered.unwrap_or_else(|error| panic!("{}: {error}", said("lowering")));
    if compile.compiled < compile.asked {
        mix.count("mixed");
    }
    for operator in &lowered.operators {
        match &operator.runs {
            Runs::Wasm(_) => mix.count(format!("{} wasm", operator.name)),
            Runs::Native(_) => mix.count("native operator left"),
            Runs::Scan | Runs::Exchange => {}
        }
    }
    let mut compiled = lowered.plan;
    // DataFusion reads a source in memory that was asked for no column back as one that was asked for all. Such sources
    // are not sent to workers.
    if seed.is_multiple_of(2) && !reads_no_column(&compiled) {
        // As a worker gets it.
        let there = There(compile.fragments);
        let sent = sent(&compiled, there, &context.task_ctx());
        compiled = sent.unwrap_or_else(|error| {
            let plan = displayable(compiled.as_ref()).indent(true);
            panic!("{}: {error}\n{plan}", said("sending"))
        });
        mix.count("sent");
    }
    let expected = collect(native, context.task_ctx()).await;
    let actual = collect(compiled, context.task_ctx()).await;
    let may_spare = may_spare(&sql) || expected.is_err() && rows(&context).await == 0;
    match (expected, actual) {
        (Ok(expected), Ok(actual)) => {
            // An order is by all that goes out, so it leaves nothing open.
            let rows = match sql.contains(" ORDER BY ") {
                true => in_order,
                false => sorted,
            };
            let (expected, actual) = (rows(&expected), rows(&actual));
            mix.count(if expected.is_empty() {
                "no rows"
            } else {
                "same rows"
            });
            assert_eq!(actual, expected, "{}", said("rows differ"));
        }
        (Err(_), Err(_)) => mix.count("same error"),
        (Err(error), Ok(_)) if is_about_denied_nulls(&error) => mix.count("nulls denied"),
        (Err(_), Ok(_)) if may_spare => mix.count("error only in DataFusion"),
        (Err(error), Ok(_)) => panic!("{}: {error}", said("error only in DataFusion")),
        (Ok(_), Err(error)) => panic!("{}: {error}", said("error only in the fragment")),
    }
}

/// Whether a fragment may get by without something that DataFusion computes, which may fail.
///
/// It looks at an operand of AND, OR or CASE for those rows alone that it decides about, and DataFusion often for all rows of
/// a batch; BETWEEN, IN and functions that choose among values are such. It computes the argument of a call for rows that
/// the call's filter keeps, and what probes an empty table not at all. Without rows it computes nothing, and DataFusion what
/// is made of constants.
fn may_spare(sql: &str) -> bool {
    let words = [
        " AND ",
        " OR ",
        "CASE ",
        "coalesce(",
        "nullif(",
        " BETWEEN ",
        " IN (",
        "FILTER",
        "JOIN",
        "INTERSECT",
        "EXCEPT",
    ];
    words.iter().any(|word| sql.contains(word))
}

async fn rows(context: &SessionContext) -> usize {
    context.table("t").await.unwrap().count().await.unwrap()
}

/// Whether a plan has denied nulls that are there, as behind a set operation: a fragment passes them on.
fn is_about_denied_nulls(error: &DataFusionError) -> bool {
    error.to_string().contains("declared as non-nullable")
}

/// A type without what it has in brackets, and text in whatever form.
fn type_name(data_type: &DataType) -> String {
    let text = data_type.to_string();
    let name = text.split(['(', '<']).next().unwrap_or_default();
    match name {
        "Utf8View" | "LargeUtf8" => "Utf8".to_owned(),
        name => name.to_owned(),
    }
}

async fn plan(context: &SessionContext, sql: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(sql).await?.create_physical_plan().await
}

fn types() -> Vec<(&'static str, Type)> {
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    vec![
        ("i8", Type::Int8),
        ("i32", Type::Int32),
        ("i64", Type::Int64),
        ("u16", Type::UInt16),
        ("u64", Type::UInt64),
        ("d15", decimal(15, 2)),
        ("d30", decimal(30, 4)),
        ("t", Type::Date32),
        ("s", Type::Timestamp(TimeUnit::Microsecond, None)),
        ("b", Type::Boolean),
        // Sums of floats depend on their order: these are compared, grouped and counted, and eighths are summed.
        ("f64", Type::Float64),
        ("f32", Type::Float32),
    ]
}

/// One to three partitions, and joins with one table for all of them or one for each.
fn context(rng: &mut Rng, mix: &Mix) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(rng.usize(1..4))
        .with_batch_size(100);
    let shared = rng.bool();
    mix.count(if shared { "one table" } else { "tables" });
    if !shared {
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
    }
    let context = SessionContext::new_with_config(config);
    functions::mend(&mut *context.state_ref().write()).unwrap();
    context
}

/// Up to three partitions of up to three batches of up to 150 rows. Keys `k` repeat, `e` are eighths; `z` and `y` are text, `v`
/// and `w` dates and times of years that have calendars.
fn table(rng: &mut Rng, mix: &Mix) -> MemTable {
    let columns: Vec<_> = types()
        .into_iter()
        .map(|(name, ty)| {
            let nullable = rng.bool();
            (
                name,
                Column {
                    ty,
                    nullable,
                    facts: Facts::NONE,
                },
            )
        })
        .collect();
    let mut fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.ty.to_arrow(), column.nullable))
        .collect();
    let text = || Box::new(DataType::Utf8);
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let more = [
        ("k", DataType::Int32),
        ("e", DataType::Float64),
        ("z", DataType::Utf8),
        ("y", DataType::Dictionary(Box::new(DataType::Int32), text())),
        ("v", DataType::Date32),
        ("w", time),
    ];
    let more = more.map(|(name, data_type)| Field::new(name, data_type, true));
    fields.extend(more.clone());
    let schema = Arc::new(Schema::new(fields));
    let batch = |rng: &mut Rng| {
        let rows = [0, 1, 7, 64, 150][rng.usize(0..5)];
        let cut = if rng.bool() { rng.usize(0..=rows) } else { 0 };
        let mut arrays: Vec<_> = columns
            .iter()
            .map(|(_, column)| random::array(rng, column, rows))
            .collect();
        let some = |rng: &mut Rng, value: i32| (rng.u32(0..9) > 0).then_some(value);
        let keys: Vec<_> = (0..rows)
            .map(|_| {
                let key = rng.i32(0..6);
                some(rng, key)
            })
            .collect();
        let eighths: Vec<_> = (0..rows)
            .map(|_| {
                let n = rng.i32(-800..800);
                some(rng, n).map(|n| f64::from(n) / 8.0)
            })
            .collect();
        let texts: Vec<_> = (0..rows)
            .map(|_| {
                let n = rng.i32(0..4);
                some(rng, n).map(|n| "x".repeat(n as usize * 7))
            })
            .collect();
        let codes: Vec<_> = (0..rows)
            .map(|_| {
                let n = rng.usize(0..CODES.len());
                (rng.u32(0..9) > 0).then_some(CODES[n])
            })
            .collect();
        let mut whole = |range: i64| {
            let numbers = (0..rows).map(|_| {
                let n = rng.i64(-range..range);
                (rng.u32(0..9) > 0).then_some(n)
            });
            numbers.collect::<Vec<_>>()
        };
        // From 1696 to 2243, and from 1938 to 2001.
        let (days, micros) = (whole(100_000), whole(1_000_000_000_000_000));
        let days = days.into_iter().map(|day| day.map(|day| day as i32));
        let added: [ArrayRef; 6] = [
            Arc::new(Int32Array::from(keys)),
            Arc::new(Float64Array::from(eighths)),
            Arc::new(StringArray::from(texts)),
            Arc::new(StringArray::from(codes)),
            Arc::new(Date32Array::from_iter(days)),
            Arc::new(TimestampMicrosecondArray::from(micros)),
        ];
        let added = added.iter().zip(&more);
        arrays.extend(added.map(|(array, field)| cast(array, field.data_type()).unwrap()));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
        if cut > 0 {
            mix.count("sliced");
        }
        let batch = batch.slice(cut, rows - cut);
        // Together they are never all null: each is looked at for itself.
        let each = (0..batch.num_columns()).map(|index| batch.project(&[index]).unwrap());
        each.for_each(|column| mix.count_batch(&column));
        batch
    };
    let partitions =
        (0..rng.usize(1..4)).map(|_| (0..rng.usize(1..4)).map(|_| batch(rng)).collect());
    let partitions: Vec<Vec<_>> = partitions.collect();
    MemTable::try_new(Arc::clone(&schema), partitions).unwrap()
}
