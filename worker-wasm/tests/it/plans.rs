//! Plans of DataFusion, lowered to fragments and run beside the same plans as DataFusion made them.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
        Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    },
    datatypes::{Schema, SchemaRef},
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::{
    common::{DataFusionError, Result},
    datasource::MemTable,
    physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect},
    prelude::{SessionConfig, SessionContext},
};
use worker_wasm::{
    exec::{Encoded, FragmentExec, ModuleCache, Modules},
    lower::{Assemble, Lowered, Piece, Reason, Runs, lower},
    runtime::Runtime,
};

use crate::support;

/// Shared by all plans of a test process, as a server shares them between queries.
pub(crate) static CACHE: LazyLock<ModuleCache> = LazyLock::new(|| {
    let runtime: Runtime = support::runtime(worker_wasm::runtime::Protection::Guarded);
    ModuleCache::new(Arc::new(runtime), 1_000)
});

/// Compiles the pieces that `wanted` says, by their number.
pub(crate) struct Compile<F> {
    pub(crate) wanted: F,
    pub(crate) asked: usize,
    /// Pieces that were compiled, and the code of all their parts.
    pub(crate) compiled: usize,
    pub(crate) fragments: Vec<Arc<Modules>>,
}

impl<F: FnMut(usize) -> bool> Compile<F> {
    pub(crate) fn new(wanted: F) -> Self {
        Self {
            wanted,
            asked: 0,
            compiled: 0,
            fragments: Vec::new(),
        }
    }
}

impl<F: FnMut(usize) -> bool> Assemble for Compile<F> {
    fn node(
        &mut self,
        piece: Piece,
    ) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, Reason>> {
        self.asked += 1;
        if !(self.wanted)(self.asked - 1) {
            return Ok(Err(Reason::Choice("not wanted".to_owned())));
        }
        let external =
            |error: Box<dyn std::error::Error + Send + Sync>| DataFusionError::External(error);
        let mut modules = Vec::new();
        for part in piece.parts() {
            let fragment = &part.bound.fragment;
            modules.push(match CACHE.get(fragment) {
                Some(modules) => modules,
                None => {
                    let encoded = Encoded::new(fragment);
                    let encoded = encoded.map_err(|error| external(error.into()))?;
                    CACHE
                        .load(encoded)
                        .map_err(|error| external(error.into()))?
                }
            });
        }
        self.compiled += 1;
        self.fragments.extend(modules.iter().cloned());
        Ok(Ok(Arc::new(FragmentExec::new(piece, modules)?)))
    }
}

pub(crate) fn always(plan: &Arc<dyn ExecutionPlan>) -> Lowered {
    lower(plan, true, &mut Compile::new(|_| true)).unwrap()
}

pub(crate) fn context(partitions: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(100);
    SessionContext::new_with_config(config)
}

/// Rows as text, in an order that does not depend on how they came.
pub(crate) fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows = in_order(batches);
    rows.sort();
    rows
}

/// Rows as text, as they came.
pub(crate) fn in_order(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            rows.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    rows
}

/// Two partitions of batches of several sizes, one of them empty; every column but `k` holds nulls.
fn table() -> (SchemaRef, Vec<Vec<RecordBatch>>) {
    let rows = |start: i64, count: i64| {
        let numbers: Vec<i64> = (start..start + count).collect();
        let some = |every: i64| {
            let numbers = numbers.clone().into_iter();
            numbers.map(move |n| (n % every != 0).then_some(n))
        };
        let decimals = Decimal128Array::from_iter(some(7).map(|n| n.map(|n| i128::from(n * 25))));
        let columns: [(&str, ArrayRef); 9] = [
            (
                "k",
                Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| n % 13))),
            ),
            (
                "i",
                Arc::new(Int32Array::from_iter(
                    some(5).map(|n| n.map(|n| n as i32 - 300)),
                )),
            ),
            (
                "u",
                Arc::new(UInt32Array::from_iter(
                    some(11).map(|n| n.map(|n| n as u32)),
                )),
            ),
            (
                "f",
                Arc::new(Float64Array::from_iter(
                    some(6).map(|n| n.map(|n| n as f64 / 8.0)),
                )),
            ),
            (
                "d",
                Arc::new(decimals.with_precision_and_scale(15, 2).unwrap()),
            ),
            (
                "t",
                Arc::new(Date32Array::from_iter(
                    some(9).map(|n| n.map(|n| n as i32 + 9000)),
                )),
            ),
            (
                "b",
                Arc::new(BooleanArray::from_iter(
                    some(4).map(|n| n.map(|n| n % 3 == 0)),
                )),
            ),
            (
                "z",
                Arc::new(StringArray::from_iter(
                    some(8).map(|n| n.map(|n| format!("s{}", n % 5))),
                )),
            ),
            (
                "x",
                Arc::new(BinaryArray::from_iter_values(
                    numbers.iter().map(|n| n.to_le_bytes()),
                )),
            ),
        ];
        let columns = columns.into_iter();
        RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, array)| (name, array, name != "k")),
        )
        .unwrap()
    };
    let first = vec![rows(0, 250), rows(250, 1), rows(251, 90)];
    let second = vec![rows(1000, 0), rows(1000, 300)];
    (first[0].schema(), vec![first, second])
}

pub(crate) fn with_table() -> SessionContext {
    let context = context(3);
    let (schema, partitions) = table();
    let table = MemTable::try_new(schema, partitions).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    context
}

pub(crate) async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    let frame = context.sql(sql).await.unwrap();
    frame.create_physical_plan().await.unwrap()
}

/// `operator wasm` or `operator native: reason` per line, without scans and exchanges.
pub(crate) fn how(lowered: &Lowered) -> Vec<String> {
    let operators = lowered.operators.iter();
    operators
        .filter_map(|operator| match &operator.runs {
            Runs::Wasm(fragment) => Some(format!("{} wasm {fragment}", operator.name)),
            Runs::Native(reason) => Some(format!("{} native: {reason}", operator.name)),
            Runs::Scan | Runs::Exchange => None,
        })
        .collect()
}

/// Runs a query both ways; how its operators ran.
async fn check(sql: &str) -> Vec<String> {
    let context = with_table();
    let native = plan(&context, sql).await;
    let lowered = always(&plan(&context, sql).await);
    assert_eq!(lowered.plan.schema(), native.schema(), "{sql}");
    assert_eq!(
        lowered.plan.output_partitioning().partition_count(),
        native.output_partitioning().partition_count()
    );
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let actual = collect(Arc::clone(&lowered.plan), context.task_ctx())
        .await
        .unwrap();
    assert_eq!(sorted(&actual), sorted(&expected), "{sql}");
    how(&lowered)
}

#[tokio::test]
async fn partial_and_final_aggregations_are_two_fragments_with_what_is_around_them() {
    let how = check(
        "SELECT k + 1, sum(d * (1 - d)), avg(d), avg(f), count(*), count(i), min(t), max(u)
         FROM t WHERE i > -200 AND f < 60 GROUP BY k HAVING count(*) > 3",
    )
    .await;
    assert_eq!(
        how,
        [
            "ProjectionExec wasm 1",
            "FilterExec wasm 1",
            "AggregateExec wasm 1",
            "AggregateExec wasm 0",
            "FilterExec wasm 0",
        ]
    );
}

#[tokio::test]
async fn a_condition_on_groups_finds_the_last_of_many() {
    let context = context(2);
    let sql =
        "SELECT v, count(*) FROM generate_series(1, 5000) AS s(v) GROUP BY v HAVING sum(v) > 4990";
    let native = plan(&context, sql).await;
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let lowered = always(&plan(&context, sql).await).plan;
    let actual = collect(lowered, context.task_ctx()).await.unwrap();
    assert_eq!(sorted(&actual), sorted(&expected));
    assert_eq!(sorted(&actual).len(), 10);
}

#[tokio::test]
async fn no_groups_no_rows_and_no_columns_are_as_in_datafusion() {
    for sql in [
        "SELECT count(*) FROM t",
        "SELECT count(*), sum(i), avg(d), min(f) FROM t WHERE k > 100",
        "SELECT k, sum(i) FROM t WHERE k > 100 GROUP BY k",
        "SELECT count(*) FROM t WHERE k = 3",
        "SELECT DISTINCT k, b FROM t",
        "SELECT 1, NULL::int FROM t WHERE b",
        "SELECT k, count(*) FILTER (WHERE b), sum(d) FILTER (WHERE i > 0) FROM t GROUP BY k",
        "SELECT min(DISTINCT i), max(DISTINCT d) FROM t",
    ] {
        let how = check(sql).await;
        assert!(
            how.iter().all(|line| line.contains(" wasm ")),
            "{sql}: {how:?}"
        );
    }
}

#[tokio::test]
async fn distinct_values_are_counted_in_one_phase_alone() {
    let sql =
        "SELECT b, count(DISTINCT i), count(DISTINCT z) FILTER (WHERE k > 3), count(DISTINCT d),
            count(DISTINCT f), count(DISTINCT t), count(DISTINCT b), count(DISTINCT k % 5), count(*)
        FROM t GROUP BY b";
    for (partitions, compiled) in [(1, true), (3, false)] {
        let context = context(partitions);
        let (schema, mut parts) = table();
        if partitions == 1 {
            parts = vec![parts.concat()];
        }
        let table = MemTable::try_new(schema, parts).unwrap();
        context.register_table("t", Arc::new(table)).unwrap();
        let native = plan(&context, sql).await;
        let lowered = always(&plan(&context, sql).await);
        let mut how = how(&lowered).into_iter();
        let aggregates = how.any(|line| line.starts_with("AggregateExec wasm"));
        assert_eq!(aggregates, compiled);
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let actual = collect(lowered.plan, context.task_ctx()).await.unwrap();
        assert_eq!(sorted(&actual), sorted(&expected));
    }
}

#[tokio::test]
async fn expressions_give_what_datafusion_gives() {
    for expr in [
        "CASE WHEN i > 0 THEN d ELSE -d END",
        "CASE k WHEN 1 THEN i WHEN 2 THEN -i END",
        "i IN (1, 2, NULL)",
        "i NOT IN (1, 2, 3)",
        "i BETWEEN -10 AND 50 OR b",
        "i IS DISTINCT FROM k",
        "i IS NOT DISTINCT FROM NULL",
        "coalesce(i, k, 0)",
        "nullif(k, 3)",
        "i % 7 + i / 3 - i * 2",
        "d / 3 + d * d - 1.5",
        "CAST(i AS DOUBLE) / 8",
        "CAST(d AS DECIMAL(20, 1))",
        "t > DATE '1995-01-01' AND t <= DATE '1995-06-01'",
        "NOT b AND f IS NOT NULL",
        "date_part('year', t) * 100 + extract(month FROM t)",
        "date_part('dow', t) + date_part('doy', t) + date_part('isodow', t)",
        "date_part('epoch', CAST(t AS TIMESTAMP))",
        "date_trunc('quarter', CAST(t AS TIMESTAMP))",
        "t + INTERVAL '1 month' - INTERVAL '3 days'",
        "CAST(t AS TIMESTAMP) - INTERVAL '1 year 2 seconds'",
    ] {
        let how = check(&format!("SELECT {expr} AS x FROM t")).await;
        assert!(
            how.iter().all(|line| line == "ProjectionExec wasm 0"),
            "{expr}: {how:?}"
        );
    }
}

#[tokio::test]
async fn what_stays_native_says_why() {
    for (sql, expected) in [
        (
            "SELECT x FROM t WHERE k = 1",
            vec!["FilterExec native: column \"x\" is of type Binary, which is not compiled yet"],
        ),
        (
            "SELECT k, sum(i) OVER () FROM t",
            vec![
                "ProjectionExec wasm 0",
                "WindowAggExec native: operator is not compiled yet",
            ],
        ),
        (
            "SELECT stddev(f) FROM t",
            vec![
                "AggregateExec native: aggregate `stddev(t.f)` is not compiled yet",
                "AggregateExec native: aggregate `stddev(t.f)` is not compiled yet",
            ],
        ),
        (
            "SELECT encode(x, 'hex') || 'y', random() < 2 FROM t",
            vec!["ProjectionExec native: expression `random()` is not compiled yet"],
        ),
    ] {
        let mut how = check(sql).await;
        how.iter_mut()
            .for_each(|line| *line = line.replace("type Utf8,", "type Utf8View,"));
        assert_eq!(how, expected, "{sql}");
    }
}

#[tokio::test]
async fn text_comes_out_in_the_form_the_plan_has() {
    for sql in [
        "SELECT z, k FROM t WHERE z LIKE 's%' AND z <> 's2'",
        "SELECT z, count(*), min(z) FROM t GROUP BY z",
        "SELECT arrow_cast(z, 'LargeUtf8'), substr(z, 2) FROM t WHERE z IN ('s1', 's3')",
        "SELECT count(*) FROM t WHERE z NOT LIKE '%3' OR z LIKE '_4'",
    ] {
        check(sql).await;
    }
}

#[tokio::test]
async fn the_host_computes_what_has_no_code_where_it_may() {
    let phases = |source: &[&str]| {
        let phases = source.iter().map(|line| (*line).to_owned());
        phases.collect::<Vec<_>>()
    };
    // upper() cannot fail, so it may be computed for rows that the filter drops.
    let sql = "SELECT count(upper(z)) FROM t WHERE b";
    assert_eq!(
        check(sql).await,
        phases(&[
            "AggregateExec wasm 1",
            "AggregateExec wasm 0",
            "FilterExec wasm 0"
        ])
    );
    let native = plan(&with_table(), sql).await;
    let without = lower(&native, false, &mut Compile::new(|_| true)).unwrap();
    assert!(how(&without)[1].contains("native: expression `upper("));
    // factorial() can, so it is computed behind the filter.
    assert_eq!(
        check("SELECT sum(factorial(k)) FROM t WHERE b").await,
        phases(&[
            "AggregateExec wasm 2",
            "AggregateExec wasm 1",
            "FilterExec wasm 0"
        ])
    );
}

#[tokio::test]
async fn a_literal_is_no_part_of_the_module() {
    let context = with_table();
    let mut hashes = Vec::new();
    for bound in ["3", "9"] {
        let sql = format!("SELECT sum(i) FROM t WHERE k < {bound}");
        let mut compile = Compile::new(|_| true);
        lower(&plan(&context, &sql).await, true, &mut compile).unwrap();
        hashes.push(
            compile
                .fragments
                .iter()
                .map(|of| of.module().hash())
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_eq!(hashes[0].len(), 2);
}

#[tokio::test]
async fn native_and_compiled_phases_of_an_aggregation_mix() {
    let context = with_table();
    let sql =
        "SELECT k, sum(d), avg(d), avg(i), sum(f), count(u), min(b::int), max(t) FROM t GROUP BY k";
    let native = plan(&context, sql).await;
    let expected = sorted(&collect(native, context.task_ctx()).await.unwrap());
    for compiled in [0, 1] {
        let mut compile = Compile::new(|piece| piece == compiled);
        let again = plan(&context, sql).await;
        let mixed = lower(&again, true, &mut compile).unwrap();
        assert_eq!((compile.asked, compile.compiled), (2, 1));
        let actual = collect(mixed.plan, context.task_ctx()).await.unwrap();
        assert_eq!(
            sorted(&actual),
            expected,
            "only piece {compiled} is compiled"
        );
    }
}

/// What a query fails with, native and compiled.
pub(crate) async fn error_of(sql: &str) -> [String; 2] {
    let context = with_table();
    let native = plan(&context, sql).await;
    let lowered = always(&plan(&context, sql).await).plan;
    let run = async |plan| {
        let error = collect(plan, context.task_ctx()).await.unwrap_err();
        error.strip_backtrace()
    };
    [run(native).await, run(lowered).await]
}

#[tokio::test]
async fn errors_read_as_datafusions() {
    for sql in [
        "SELECT 100 / (k - 3) FROM t",
        "SELECT sum(i % (k - 3)) FROM t GROUP BY b",
        "SELECT CAST(k * 100 AS TINYINT) FROM t",
        "SELECT CAST(i AS INT UNSIGNED) FROM t WHERE i < 0",
    ] {
        let [native, compiled] = error_of(sql).await;
        assert_eq!(compiled, native, "{sql}");
    }
}

pub(crate) fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(name));
    let children = plan.children().into_iter().map(|child| metric(child, name));
    own.map_or(0, |value| value.as_usize()) + children.sum::<usize>()
}

#[tokio::test]
async fn a_batch_that_breaks_a_fact_goes_to_the_general_module() {
    let context = context(1);
    let values = |values: &[Option<i128>]| {
        let array = Decimal128Array::from_iter(values.iter().copied());
        let array: ArrayRef = Arc::new(array.with_precision_and_scale(15, 0).unwrap());
        RecordBatch::try_from_iter_with_nullable([("d", array, true)]).unwrap()
    };
    // Arrow does not hold decimals to their precision: 20 digits do not fit the lane that 15 promise.
    let wide = values(&[Some(10i128.pow(20)), Some(1)]);
    let batches = vec![values(&[Some(5), None]), wide, values(&[Some(7)])];
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    let sql = "SELECT sum(d) FROM t";
    let native = plan(&context, sql).await;
    let lowered = always(&plan(&context, sql).await).plan;
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let actual = collect(Arc::clone(&lowered), context.task_ctx())
        .await
        .unwrap();
    assert_eq!(sorted(&actual), sorted(&expected));
    // Neither small numbers, as they are expected, nor what the type allows.
    assert_eq!(metric(&lowered, "broken_facts"), 2);
    assert_eq!(metric(&lowered, "guest_rows"), 5);
}

#[tokio::test]
async fn states_that_have_become_many_go_out_early() {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    // Two million groups in one partition, each of them met twice.
    let sql = "SELECT count(*), sum(a), max(b) FROM
        (SELECT v % 2000000 AS k, sum(v) AS a, avg(v) AS b FROM generate_series(1, 4000000) AS s(v) GROUP BY 1)";
    let native = plan(&context, sql).await;
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let lowered = always(&plan(&context, sql).await).plan;
    let actual = collect(Arc::clone(&lowered), context.task_ctx())
        .await
        .unwrap();
    assert_eq!(sorted(&actual), sorted(&expected));
    assert!(metric(&lowered, "early_states") > 0);
}

#[tokio::test]
async fn an_empty_schema_of_rows_keeps_their_number() {
    let context = context(1);
    let batch = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        Vec::new(),
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(77)),
    );
    let batch = batch.unwrap();
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    let lowered = always(&plan(&context, "SELECT count(*), sum(1) FROM t WHERE 1 < 2").await).plan;
    let rows = collect(lowered, context.task_ctx()).await.unwrap();
    assert_eq!(sorted(&rows), ["77 | 77"]);
}
