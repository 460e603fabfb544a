use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, NullArray};
use datafusion::execution::memory_pool::MemoryPool;
use futures::TryStreamExt;

use super::*;
use crate::{
    Answer, Engine, StatementOptions,
    drive::tests::{engine, run},
};

const TABLE: &str = "CREATE TEMPORARY TABLE t AS SELECT value AS k FROM generate_series(1, 20000)";

async fn statement(session: &Arc<Session>, sql: &str) -> Arc<Statement> {
    let statement = session.statement(sql, StatementOptions::default()).await;
    Arc::new(statement.unwrap())
}

async fn count(session: &Arc<Session>, statement: &Arc<Statement>, values: Option<i64>) -> usize {
    let values = values.map(|value| {
        let value: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        RecordBatch::try_from_iter([("p", value)]).unwrap()
    });
    let prepared = session
        .prepare_with(statement, values, StatementOptions::default())
        .await;
    let Answer::Rows(rows) = prepared.unwrap().run(None).await.unwrap() else {
        panic!("a query gives rows")
    };
    let batches: Vec<_> = rows.try_collect().await.unwrap();
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Statements in every state that keeps a plan: planned, run, with values, and as one that is open for them.
async fn statements(session: &Arc<Session>) -> Vec<Arc<Statement>> {
    let planned = statement(session, "SELECT k FROM t").await;
    let ran = statement(session, "SELECT k FROM t WHERE k > 5").await;
    assert_eq!(count(session, &ran, None).await, 19_995);
    let joined = statement(
        session,
        "SELECT a.k FROM t a JOIN t b ON a.k = b.k WHERE a.k = ?",
    )
    .await;
    assert_eq!(count(session, &joined, Some(3)).await, 1);
    let open = statement(session, "SELECT k FROM t WHERE k = ?").await;
    for key in 1..4 {
        assert_eq!(count(session, &open, Some(key)).await, 1);
    }
    vec![planned, ran, joined, open]
}

/// What runs a query may hold on to it for a moment longer than whoever reads it.
async fn until(is: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it has not come to that in 20 seconds");
}

fn reserved(engine: &Arc<Engine>) -> usize {
    engine.process_pool().reserved()
}

#[tokio::test]
async fn a_statement_does_not_keep_a_table_that_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    run(&session, TABLE).await.unwrap();
    let statements = statements(&session).await;
    assert!(reserved(&engine) > 20_000 * 8);
    run(&session, "DROP TABLE t").await.unwrap();
    until(|| reserved(&engine) == 0).await;
    // They mean whatever has the name.
    run(
        &session,
        "CREATE TEMPORARY TABLE t AS SELECT CAST(7 AS BIGINT) AS k",
    )
    .await
    .unwrap();
    assert_eq!(count(&session, &statements[0], None).await, 1);
    assert_eq!(count(&session, &statements[3], Some(7)).await, 1);
}

#[tokio::test]
async fn a_statement_does_not_keep_the_tables_of_a_session_that_ended() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    run(&session, TABLE).await.unwrap();
    let statements = statements(&session).await;
    let ended = Arc::downgrade(&session);
    drop(session);
    until(|| ended.upgrade().is_none() && reserved(&engine) == 0).await;
    let other = engine.session();
    run(&other, TABLE).await.unwrap();
    assert_eq!(count(&other, &statements[3], Some(9)).await, 1);
}

#[tokio::test]
async fn values_that_only_claim_to_be_many_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    run(&session, "CREATE TEMPORARY TABLE n (k BIGINT)")
        .await
        .unwrap();
    for (sql, said) in [
        ("SELECT 1 WHERE CAST(? AS BIGINT) > 1", "at most 1000 rows"),
        (
            "INSERT INTO n VALUES (?)",
            "the values of a statement wants",
        ),
        (
            "INSERT INTO n SELECT k FROM n WHERE k = ?",
            "the values of a statement wants",
        ),
    ] {
        let statement = statement(&session, sql).await;
        let nulls: ArrayRef = Arc::new(NullArray::new(1 << 47));
        let values = RecordBatch::try_from_iter([("p", nulls)]).unwrap();
        let options = StatementOptions::default();
        let prepared = session
            .prepare_with(&statement, Some(values), options)
            .await;
        let error = prepared.unwrap_err().to_string();
        assert!(error.contains(said), "{sql}: {error}");
    }
    until(|| reserved(&engine) == 0).await;
}

#[tokio::test]
async fn a_session_does_not_keep_what_its_statements_left() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    run(&session, TABLE).await.unwrap();
    let tables = session.temporary().all();
    let table = Arc::downgrade(&tables["t"]);
    drop(tables);
    let statements = statements(&session).await;
    assert!(table.strong_count() > 1);
    drop(statements);
    until(|| table.strong_count() == 1).await;
}
