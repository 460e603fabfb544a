use std::collections::BTreeSet;

use arrow::{
    array::{
        ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray,
        TimestampNanosecondArray,
    },
    datatypes::Int64Type,
};
use futures::TryStreamExt;

use crate::{
    Answer, Session, StatementOptions,
    drive::tests::{engine, run},
};

use super::*;

fn numbers(rows: &[RecordBatch]) -> BTreeSet<i64> {
    let numbers = rows.iter().flat_map(|batch| {
        let column = batch.column(0).as_primitive::<Int64Type>();
        column.values().to_vec()
    });
    numbers.collect()
}

async fn with_values(session: &Arc<Session>, sql: &str, micros: &[i64]) -> BTreeSet<i64> {
    let values = micros
        .iter()
        .map(|micros| Arc::new(TimestampMicrosecondArray::from(vec![*micros])) as ArrayRef);
    with(session, sql, values.collect()).await
}

async fn with(session: &Arc<Session>, sql: &str, values: Vec<ArrayRef>) -> BTreeSet<i64> {
    let options = StatementOptions::default();
    let statement = Arc::new(session.statement(sql, options.clone()).await.unwrap());
    let values = values.into_iter().enumerate();
    let values = values.map(|(index, value)| (index.to_string(), value));
    let values = RecordBatch::try_from_iter(values).unwrap();
    let prepared = session.prepare_with(&statement, Some(values), options);
    let Answer::Rows(rows) = prepared.await.unwrap().run(None).await.unwrap() else {
        panic!("a query gives rows")
    };
    numbers(&rows.try_collect::<Vec<_>>().await.unwrap())
}

/// Rows 1, 2 and 3 are at -1, 0 and 1 ms of 1970, on the days before and of its beginning; row 4 is NULL.
async fn session(dir: &std::path::Path) -> Arc<Session> {
    let session = engine(dir).session();
    let sql = "CREATE TEMPORARY TABLE t AS SELECT n, \
        arrow_cast(ms, 'Timestamp(Millisecond, None)') AS ts, arrow_cast(arrow_cast(d, 'Int32'), 'Date32') AS day \
        FROM (VALUES (1, -1, -1), (2, 0, 0), (3, 1, 1), (4, NULL, NULL)) AS v (n, ms, d)";
    run(&session, sql).await.unwrap();
    session
}

#[tokio::test]
async fn a_day_is_compared_with_a_time_of_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(&dir.path().join("data")).await;
    let noon = 12 * 3_600_000_000;
    for (condition, found) in [
        ("day < ?", &[1, 2][..]),
        ("day >= ?", &[3]),
        ("day = ?", &[]),
        ("? > day", &[1, 2]),
    ] {
        let sql = format!("SELECT n FROM t WHERE {condition}");
        let found: BTreeSet<i64> = found.iter().copied().collect();
        assert_eq!(with_values(&session, &sql, &[noon]).await, found, "{sql}");
    }
    assert_eq!(
        with_values(&session, "SELECT n FROM t WHERE day = ?", &[0]).await,
        [2].into()
    );
    let sql = "SELECT n FROM t WHERE day BETWEEN ? AND ?";
    assert_eq!(with_values(&session, sql, &[-noon, noon]).await, [2].into());
}

#[tokio::test]
async fn what_falls_between_two_values_is_compared_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(&dir.path().join("data")).await;
    // Half a millisecond after 1970, and before it.
    let written = "TIMESTAMP '1970-01-01T00:00:00.0005'";
    let text = "'1970-01-01T00:00:00.0005'";
    let sum = "TIMESTAMP '1970-01-01' + INTERVAL '500 microseconds'";
    let before = "TIMESTAMP '1969-12-31T23:59:59.9995'";
    for (condition, found) in [
        ("ts < {}", &[1, 2][..]),
        ("ts <= {}", &[1, 2]),
        ("ts > {}", &[3]),
        ("ts >= {}", &[3]),
        ("{} > ts", &[1, 2]),
        ("ts = {}", &[]),
        ("ts <> {}", &[1, 2, 3]),
        ("NOT (ts = {})", &[1, 2, 3]),
        ("ts IS DISTINCT FROM {}", &[1, 2, 3, 4]),
        ("ts IS NOT DISTINCT FROM {}", &[]),
        ("ts BETWEEN TIMESTAMP '1970-01-01' AND {}", &[2]),
        ("ts NOT BETWEEN TIMESTAMP '1970-01-01' AND {}", &[1, 3]),
        ("ts IN ({}, TIMESTAMP '1970-01-01')", &[2]),
        ("ts NOT IN ({}, TIMESTAMP '1970-01-01')", &[1, 3]),
        ("CAST(ts AS TIMESTAMP) < {}", &[1, 2]),
        ("n IN (SELECT n FROM t WHERE ts < {})", &[1, 2]),
        ("TRY_CAST(ts AS TIMESTAMP) < {}", &[1, 2]),
        ("date_trunc('millisecond', ts) < {}", &[1, 2]),
        ("ts < CAST({} AS TIMESTAMP)", &[1, 2]),
    ] {
        let found: BTreeSet<i64> = found.iter().copied().collect();
        for constant in [written, text, sum] {
            let sql = format!(
                "SELECT n FROM t WHERE {}",
                condition.replace("{}", constant)
            );
            assert_eq!(numbers(&run(&session, &sql).await.unwrap()), found, "{sql}");
        }
        let sql = format!("SELECT n FROM t WHERE {}", condition.replace("{}", "?"));
        assert_eq!(with_values(&session, &sql, &[500]).await, found, "{sql}");
    }
    for (condition, found) in [
        ("ts < {}", &[1][..]),
        ("ts >= {}", &[2, 3]),
        ("ts = {}", &[]),
    ] {
        let sql = format!("SELECT n FROM t WHERE {}", condition.replace("{}", before));
        let found: BTreeSet<i64> = found.iter().copied().collect();
        assert_eq!(numbers(&run(&session, &sql).await.unwrap()), found, "{sql}");
        let sql = format!("SELECT n FROM t WHERE {}", condition.replace("{}", "?"));
        assert_eq!(with_values(&session, &sql, &[-500]).await, found, "{sql}");
    }
    let sql = "SELECT n FROM t WHERE ts = TIMESTAMP '1970-01-01T00:00:00.001'";
    assert_eq!(numbers(&run(&session, sql).await.unwrap()), [3].into());
}

/// Which batches are read is decided by the same comparisons.
#[tokio::test]
async fn a_batch_is_read_whose_bounds_fall_on_the_value_before() {
    let dir = tempfile::tempdir().unwrap();
    let session = engine(&dir.path().join("data")).session();
    for unit in ["Millisecond", "Microsecond"] {
        let sql = format!(
            "CREATE OR REPLACE TEMPORARY TABLE z AS SELECT 1 AS n, arrow_cast(0, 'Timestamp({unit}, None)') AS ts"
        );
        run(&session, &sql).await.unwrap();
        for (condition, nanos) in [
            ("CAST(ts AS TIMESTAMP) < ?", 500),
            ("CAST(ts AS TIMESTAMP) <> ?", 500),
            ("CAST(ts AS TIMESTAMP) > ?", -500),
            ("ts < CAST(? AS TIMESTAMP)", 500),
            ("ts < ?", 500),
            ("ts > ?", -500),
        ] {
            let sql = format!("SELECT n FROM z WHERE {condition}");
            let value: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![nanos]));
            let text: ArrayRef = Arc::new(StringArray::from(vec![match nanos {
                500 => "1970-01-01T00:00:00.000000500",
                _ => "1969-12-31T23:59:59.999999500",
            }]));
            for value in [value, text] {
                // The second time as planned before, where it is.
                for _ in 0..2 {
                    let found = with(&session, &sql, vec![Arc::clone(&value)]).await;
                    assert_eq!(found, [1].into(), "{unit}: {sql}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_comparison_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(&dir.path().join("data")).await;
    let sql = "SELECT n FROM t WHERE length(ts || '9999-12-31') > 20";
    assert_eq!(
        numbers(&run(&session, sql).await.unwrap()),
        [1, 2, 3].into()
    );
}

#[tokio::test]
async fn text_that_nanoseconds_cannot_hold_is_compared_as_written() {
    let dir = tempfile::tempdir().unwrap();
    let session = engine(&dir.path().join("data")).session();
    // The last millisecond of the year 9999, and the first one of 1600.
    let sql = "CREATE TEMPORARY TABLE t AS SELECT n, arrow_cast(ms, 'Timestamp(Millisecond, None)') AS ts \
        FROM (VALUES (1, 253402300799999), (2, -11676096000000)) AS v (n, ms)";
    run(&session, sql).await.unwrap();
    for (condition, text, found) in [
        ("ts < {}", "9999-12-31 23:59:59.999999", &[1, 2][..]),
        ("ts >= {}", "9999-12-31 23:59:59.999999", &[]),
        ("ts = {}", "9999-12-31 23:59:59.999999", &[]),
        ("ts = {}", "9999-12-31 23:59:59.999", &[1]),
        ("ts <= {}", "1600-01-01 00:00:00.000001", &[2]),
        ("ts < {}", "1599-12-31 23:59:59.999999", &[]),
    ] {
        let found: BTreeSet<i64> = found.iter().copied().collect();
        let literal = condition.replace("{}", &format!("'{text}'"));
        let sql = format!("SELECT n FROM t WHERE {literal}");
        assert_eq!(numbers(&run(&session, &sql).await.unwrap()), found, "{sql}");
        let sql = format!("SELECT n FROM t WHERE {}", condition.replace("{}", "?"));
        let value: ArrayRef = Arc::new(StringArray::from(vec![text]));
        assert_eq!(
            with(&session, &sql, vec![value]).await,
            found,
            "{sql} {text}"
        );
    }
}
