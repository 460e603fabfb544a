use std::time::Duration;

use arrow::array::{ArrayRef, DictionaryArray, Int8Array, Int64Array, NullArray, StringArray};
use datafusion::execution::memory_pool::MemoryPool;
use futures::TryStreamExt;

use super::*;
use crate::{
    Answer, Engine, StatementOptions,
    drive::tests::{engine, run},
    recent::Recent,
};

const TABLE: &str = "CREATE TEMPORARY TABLE t AS SELECT value AS k FROM generate_series(1, 20000)";

/// An engine in a folder of its own, and a session with [`TABLE`].
async fn with_table() -> (tempfile::TempDir, Arc<Engine>, Arc<Session>) {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    run(&session, TABLE).await.unwrap();
    (dir, engine, session)
}

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
    let batches: Vec<_> = match prepared.unwrap().run(None).await.unwrap() {
        Answer::Rows(rows) => rows.try_collect().await.unwrap(),
        Answer::Done(outcome) => outcome.batches,
    };
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
    let (_dir, engine, session) = with_table().await;
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
    let (_dir, engine, session) = with_table().await;
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
async fn values_are_charged_for_each_row_that_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    run(&session, "CREATE TEMPORARY TABLE n (k VARCHAR)")
        .await
        .unwrap();
    let statement = statement(&session, "INSERT INTO n VALUES (?)").await;
    // More than the engine's memory, in a tenth of it.
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100_000)]));
    let keys = Int8Array::from(vec![0; 20]);
    let values: ArrayRef = Arc::new(DictionaryArray::new(keys, text));
    let values = RecordBatch::try_from_iter([("p", values)]).unwrap();
    let options = StatementOptions::default();
    let prepared = session
        .prepare_with(&statement, Some(values), options)
        .await;
    let error = prepared.unwrap_err().to_string();
    assert!(error.contains("the values of a statement wants"), "{error}");
    until(|| reserved(&engine) == 0).await;
}

#[tokio::test]
async fn a_session_does_not_keep_what_its_statements_left() {
    let (_dir, _engine, session) = with_table().await;
    let tables = session.temporary().all();
    let table = Arc::downgrade(&tables["t"]);
    drop(tables);
    let statements = statements(&session).await;
    assert!(table.strong_count() > 1);
    drop(statements);
    // Texts are kept whether there are statements or not.
    *session.temporary().plans().recent() = Recent::default();
    until(|| table.strong_count() == 1).await;
}

#[tokio::test]
async fn what_a_statement_with_values_is_compiled_to_is_shown() {
    let (_dir, _engine, session) = with_table().await;
    run(&session, "SET murre.compile = 'always'").await.unwrap();
    for what in ["FRAGMENTS", "WAT"] {
        let sql = format!("EXPLAIN {what} SELECT k + 1 FROM t WHERE k > ?");
        let explained = statement(&session, &sql).await;
        let parameters = &explained.description().parameters;
        assert_eq!(parameters, &[Some(DataType::Int64)], "{what}");
        assert!(count(&session, &explained, Some(5)).await > 0, "{what}");
    }
}
