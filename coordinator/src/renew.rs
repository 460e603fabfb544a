//! The plan of a query that is asked again -> the same plan for another run.
//!
//! Making a plan takes longer than many a query takes to run, and of temporary tables it is the same each time, as long as
//! the session has the same tables and settings: their rows are in memory and never change, where files may. What
//! operators know of a run, built tables, thresholds, what has been read, is left behind in the plan that had it.

use std::sync::Arc;

use datafusion::{
    common::Result,
    physical_plan::{
        ExecutionPlan,
        aggregates::AggregateExec,
        coalesce_partitions::CoalescePartitionsExec,
        coop::CooperativeExec,
        empty::EmptyExec,
        filter::FilterExec,
        joins::HashJoinExec,
        limit::{GlobalLimitExec, LocalLimitExec},
        placeholder_row::PlaceholderRowExec,
        projection::ProjectionExec,
        repartition::RepartitionExec,
        sorts::{sort::SortExec, sort_preserving_merge::SortPreservingMergeExec},
        union::UnionExec,
    },
};
use worker_wasm::exec::FragmentExec;

use crate::temporary;

/// The plan for another run; `None` where that is not known to be as good as planning again.
pub(crate) fn renewed(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = temporary::unread(plan) {
        return Ok(Some(scan));
    }
    if plan.is::<EmptyExec>() || plan.is::<PlaceholderRowExec>() {
        return Ok(Some(Arc::clone(plan)));
    }
    let mut children = Vec::new();
    for child in plan.children() {
        match renewed(child)? {
            Some(child) => children.push(child),
            None => return Ok(None),
        }
    }
    if let Some(fragment) = plan.downcast_ref::<FragmentExec>() {
        let renewed = fragment.renewed(children)?;
        return Ok(renewed.map(|fragment| Arc::new(fragment) as _));
    }
    if children.is_empty() || !is_known(plan.as_ref()) {
        return Ok(None);
    }
    let plan = Arc::clone(plan).with_new_children(children)?;
    plan.reset_state().map(Some)
}

/// Whether `reset_state` leaves nothing of a run. Scans of temporary tables take no filters from operators above, so those
/// that operators make for them have no reader that could be forgotten.
fn is_known(plan: &dyn ExecutionPlan) -> bool {
    let tells_nothing = |of: &AggregateExec| of.dynamic_filter_expr().is_none();
    plan.downcast_ref().is_some_and(tells_nothing)
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<FilterExec>()
        || plan.is::<GlobalLimitExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.is::<UnionExec>()
}

#[cfg(test)]
mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use datafusion::execution::memory_pool::MemoryPool;

    use crate::{
        Session,
        drive::tests::{engine_with_memory, run},
    };

    use super::*;

    /// Rows as text, in an order that does not depend on how they came.
    async fn rows(session: &Arc<Session>, sql: &str) -> Vec<String> {
        let options = FormatOptions::default().with_null("NULL");
        let batches = run(session, sql).await;
        let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = batches.iter().flat_map(|batch| {
            let columns = batch.columns().iter();
            let columns: Vec<_> = columns
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            let row = |row| {
                let values = columns.iter().map(|column| column.value(row).to_string());
                values.collect::<Vec<_>>().join(" ")
            };
            (0..batch.num_rows()).map(row).collect::<Vec<_>>()
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }

    const RENEWED: [&str; 12] = [
        "SELECT k, v FROM t WHERE v > 79000",
        "SELECT count(*) AS n, sum(v) AS s FROM t WHERE k % 7 = 3",
        "SELECT s, count(*) AS n, max(v) AS m FROM t GROUP BY s",
        "SELECT k, v FROM t ORDER BY v DESC, k LIMIT 5",
        "SELECT s, sum(v) AS n FROM t GROUP BY s ORDER BY n DESC LIMIT 3",
        "SELECT count(*) AS n, sum(t.v) AS s FROM t JOIN u ON t.k = u.k WHERE u.w < 50",
        "SELECT u.k, t.v FROM u LEFT JOIN t ON t.k = u.k AND t.v > 60000 ORDER BY u.k, t.v LIMIT 9",
        "SELECT t.s, count(*) AS n FROM t FULL JOIN u ON t.v = u.w GROUP BY t.s",
        "SELECT u.k FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.k = u.k AND t.v > 100)",
        "SELECT count(*) AS n FROM u a JOIN u b ON a.k = b.w JOIN t ON t.k = b.k",
        "SELECT k FROM u WHERE w < 3 UNION ALL SELECT k FROM t WHERE v < 6",
        "SELECT DISTINCT s FROM t WHERE k IN (1, 2, 3, 4, 5)",
    ];

    /// Plans with something in them that is not known to be renewed.
    const PLANNED: [&str; 3] = [
        "SELECT k FROM u WHERE w > (SELECT avg(w) FROM u)",
        "SELECT k, row_number() OVER (PARTITION BY s ORDER BY v) AS r FROM t WHERE k < 100",
        "SELECT count(*) AS n FROM kept JOIN u ON kept.k = u.k",
    ];

    /// DataFusion sometimes keeps a filter of such an aggregation for a scan that does not take it.
    const EITHER: [&str; 2] = [
        "SELECT max(v) AS m, min(k) AS l FROM t",
        "SELECT max(v) AS m, min(k) AS l FROM t WHERE k > 7",
    ];

    #[tokio::test]
    async fn a_renewed_plan_gives_the_same_rows_and_keeps_nothing_of_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine_with_memory(&dir.path().join("data"), 1 << 30);
        let session = engine.session();
        for sql in [
            "CREATE TEMPORARY TABLE t AS SELECT value % 30000 AS k, 2 * value AS v,
                'text number ' || (value % 11) AS s FROM generate_series(1, 40000)",
            "CREATE TEMPORARY TABLE u AS SELECT value AS k, value * 37 % 1000 AS w
                FROM generate_series(1, 1000)",
            "CREATE TABLE kept AS SELECT value AS k FROM generate_series(1, 10)",
        ] {
            run(&session, sql).await.unwrap();
        }
        for (mode, partitions) in [
            ("never", 1),
            ("never", 3),
            ("always", 1),
            ("always", 3),
            ("auto", 3),
        ] {
            let partitions = format!("SET murre.threads = {partitions}");
            let mode_set = format!("SET murre.compile = {mode}");
            for set in [mode_set, partitions] {
                run(&session, &set).await.unwrap();
            }
            for sql in RENEWED.iter().chain(&PLANNED).chain(&EITHER) {
                let first = rows(&session, sql).await;
                assert!(!first.is_empty());
                // Code is kept, and charged, from the first run on.
                let charged = engine.process_pool().reserved();
                for _ in 0..2 {
                    assert_eq!(rows(&session, sql).await, first, "{mode}: {sql}");
                }
                for _ in 0..3 {
                    assert_eq!(rows(&session, sql).await, first, "{mode}: {sql}");
                }
                let all = futures::future::join_all((0..4).map(|_| rows(&session, sql)));
                for again in all.await {
                    assert_eq!(again, first, "{mode}: {sql}");
                }
                assert_eq!(engine.process_pool().reserved(), charged, "{mode}: {sql}");
                let is_renewed = session.temporary().plans().recent().is_renewed(sql);
                // Fragments that are being compiled may not be there yet.
                if mode != "auto" && !EITHER.contains(sql) {
                    assert_eq!(is_renewed, RENEWED.contains(sql), "{mode}: {sql}");
                }
            }
        }
        // What a fragment does not know of an error, the operators say that it stands for: of this run, each time.
        for mode in ["always", "never"] {
            run(&session, &format!("SET murre.compile = {mode}"))
                .await
                .unwrap();
            for _ in 0..6 {
                let sql = "SELECT sum(CAST(v AS SMALLINT)) AS n FROM t WHERE k > 7";
                let error = run(&session, sql).await.unwrap_err().to_string();
                assert!(error.contains("Can't cast value"), "{mode}: {error}");
            }
        }
        let sql = RENEWED[1];
        let before = rows(&session, sql).await;
        run(&session, "INSERT INTO t SELECT 3, 1000000, 'new'")
            .await
            .unwrap();
        assert_ne!(rows(&session, sql).await, before);
    }
}
