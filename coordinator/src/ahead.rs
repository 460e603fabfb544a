//! A query that is planned, or planned and run, while its client is still on its way to ask for the rows.
//!
//! What planning has to say against it comes when the rows are asked for. Rows wait for [`AHEAD_MAX`] at most; who asks
//! later has the query begin again.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Prepared, QueryContext, QueryError, drive,
    place::Placed,
    query::{self, First, Logical},
    recent,
    template::Template,
    workers::Crew,
};

/// How long the rows of a query that was begun ahead wait for whoever is to ask for them.
const AHEAD_MAX: Duration = Duration::from_secs(1);

/// Plans that are made at a time while nobody waits for them. Further ones are waited for: whoever asks without end is not
/// answered faster than queries are planned.
pub(crate) const PLANNING_MAX: usize = 64;

/// The query that the text of `ctx` is, where the session has planned it for these tables and settings: planning it again
/// has begun when this returns.
pub(crate) fn plan(ctx: &Arc<QueryContext>) -> Option<Prepared> {
    let crew = Crew::of(ctx);
    let (query, schema) = recent::planned(ctx, crew.as_ref())?;
    let permit = Arc::clone(ctx.engine.planning_ahead()).try_acquire_owned();
    let permit = permit.ok()?;
    let logical = Logical::Bound(Arc::clone(query.logical()));
    let planning = Planning(Arc::clone(ctx));
    let planned = async move {
        let _permit = permit;
        let placed = query::kept_to_tasks(&planning.0, &query, crew);
        to_its_end(&planning.0, placed).await
    };
    let first = First::Planning(ctx.engine.spawn(planned));
    let first = Arc::new(Mutex::new(Some(first)));
    Some(Prepared::begun(ctx, schema, logical, first))
}

/// A query that was optimised with its parameters open, begun with values for them.
pub(crate) fn begin(
    ctx: &Arc<QueryContext>,
    template: &Arc<Template>,
    values: RecordBatch,
) -> Result<Prepared, QueryError> {
    let schema = template.schema(ctx, &values)?;
    let logical = Logical::Optimised(Arc::clone(template), values.clone());
    let (planning, template) = (Planning(Arc::clone(ctx)), Arc::clone(template));
    let begun = async move {
        let placed = query::to_tasks_with_values(&planning.0, &template, &values);
        let placed = to_its_end(&planning.0, placed).await?;
        drive::drive(&planning.0, placed, None)
    };
    let begun = ctx.engine.spawn(begun);
    let first = Arc::new_cyclic(|first| {
        // On the caller's thread: on one of the query's it would wake another.
        let patience = AbortOnDropHandle::new(tokio::spawn(give_up(Weak::clone(first))));
        Mutex::new(Some(First::Begun {
            begun,
            _patience: patience,
        }))
    });
    Ok(Prepared::begun(ctx, schema, logical, first))
}

/// Planning, which is counted where it fails.
async fn to_its_end(
    ctx: &Arc<QueryContext>,
    placed: impl Future<Output = Result<Placed, QueryError>>,
) -> Result<Placed, QueryError> {
    let placed = query::planning(ctx, None, placed).await;
    placed.inspect_err(|error| drive::finished(ctx, Some(error), Duration::ZERO))
}

/// A statement that is planned in the process list until this goes, however planning ends: its ticket keeps it listed.
struct Planning(Arc<QueryContext>);

impl Drop for Planning {
    fn drop(&mut self) {
        self.0.process().planned();
    }
}

/// Stops a query that was begun ahead and is not asked for. It begins again when it is.
async fn give_up(begun: Weak<Mutex<Option<First>>>) {
    tokio::time::sleep(AHEAD_MAX).await;
    let first = begun.upgrade().and_then(|first| first.lock().take());
    drop(first);
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Array, AsArray},
        datatypes::Int64Type,
    };
    use futures::{FutureExt, TryStreamExt};

    use super::*;
    use crate::{
        Answer, Engine, Session, StatementOptions,
        drive::tests::{engine, run},
        processes::ProcessState,
    };

    const SQL: &str = "SELECT sum(k) AS s FROM t";

    /// A session with a table of one row, 4, that has planned the text.
    async fn planned(engine: &Arc<Engine>) -> Arc<Session> {
        let session = engine.session();
        let create = "CREATE TEMPORARY TABLE t AS SELECT CAST(4 AS BIGINT) AS k";
        for sql in [create, SQL] {
            run(&session, sql).await.unwrap();
        }
        session
    }

    /// What is there without waiting for a query thread.
    fn at_once(session: &Arc<Session>) -> Option<Prepared> {
        let prepared = session.prepare(SQL, StatementOptions::default());
        Some(prepared.now_or_never()?.unwrap())
    }

    async fn number(prepared: &Prepared) -> Result<i64, QueryError> {
        let Answer::Rows(rows) = prepared.run(None).await? else {
            panic!("a query gives rows");
        };
        let rows: Vec<RecordBatch> = rows.try_collect().await?;
        Ok(rows[0].column(0).as_primitive::<Int64Type>().value(0))
    }

    #[tokio::test]
    async fn a_text_that_was_planned_is_announced_at_once_and_a_changed_table_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = planned(&engine).await;
        let prepared = at_once(&session).expect("it was planned");
        assert_eq!(prepared.schema().field(0).name(), "s");
        let permits = Arc::clone(engine.planning_ahead());
        let all = permits.acquire_many_owned(PLANNING_MAX as u32).await;
        let ctx = session.begin(SQL, &StatementOptions::default()).unwrap();
        assert!(plan(&ctx).is_none(), "too many are being planned");
        drop((all, ctx));
        // The second run is planned anew.
        for _ in 0..2 {
            assert_eq!(number(&prepared).await.unwrap(), 4);
        }
        run(&session, "INSERT INTO t VALUES (5)").await.unwrap();
        assert_eq!(number(&prepared).await.unwrap(), 4);
        let again = session.prepare(SQL, StatementOptions::default()).await;
        assert_eq!(number(&again.unwrap()).await.unwrap(), 9);
        let set = "SET murre.tasks_per_stage = 2";
        for changes in ["INSERT INTO t VALUES (6)", set] {
            run(&session, changes).await.unwrap();
            let ctx = session.begin(SQL, &StatementOptions::default()).unwrap();
            assert!(plan(&ctx).is_none(), "{changes}");
            run(&session, SQL).await.unwrap();
            assert!(at_once(&session).is_some(), "{changes}");
        }
    }

    #[tokio::test]
    async fn columns_that_statistics_have_shown_without_nulls_are_not_announced_again() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        let folder = dir.path().join("files");
        std::fs::create_dir(&folder).unwrap();
        let copy = |rows: &str| format!("COPY ({rows}) TO '{}/k.parquet'", folder.display());
        run(&session, &copy("SELECT CAST(4 AS BIGINT) AS k"))
            .await
            .unwrap();
        let create = "CREATE EXTERNAL TABLE t (k BIGINT) STORED AS PARQUET LOCATION";
        run(&session, &format!("{create} '{}/'", folder.display()))
            .await
            .unwrap();
        let sql = "SELECT max(k) AS s FROM t";
        let first = session
            .prepare(sql, StatementOptions::default())
            .await
            .unwrap();
        assert_eq!(number(&first).await.unwrap(), 4);
        let none = "SELECT CAST(NULL AS BIGINT) AS k";
        std::fs::remove_file(folder.join("k.parquet")).unwrap();
        run(&session, &copy(none)).await.unwrap();
        let second = session
            .prepare(sql, StatementOptions::default())
            .await
            .unwrap();
        assert!(second.schema().field(0).is_nullable());
        let Answer::Rows(rows) = second.run(None).await.unwrap() else {
            panic!("a query gives rows");
        };
        let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
        assert!(rows[0].column(0).is_null(0));
    }

    #[tokio::test]
    async fn what_is_wrong_with_it_is_said_when_it_runs_and_nothing_stays_of_what_is_not_asked_for()
    {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = planned(&engine).await;
        let stopped = at_once(&session).expect("it was planned");
        stopped.context().process().cancel.cancel();
        let error = number(&stopped).await.unwrap_err();
        assert!(matches!(error, QueryError::Cancelled { .. }), "{error}");
        // What stays of it until its ticket goes does nothing.
        let idle = async {
            while stopped.context().process().state() != ProcessState::Waiting {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let idle = tokio::time::timeout(Duration::from_secs(30), idle).await;
        idle.expect("it is not planned any more");
        drop(stopped);
        drop(at_once(&session).expect("it was planned"));
        let gone = async {
            while !engine.processes_list().all().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
        gone.expect("the list is empty");
        // A deadline that has long passed: timers tick in milliseconds.
        let late = std::time::Instant::now() - Duration::from_secs(1);
        let late = StatementOptions {
            deadline: Some(late),
            ..StatementOptions::default()
        };
        let limited = session.prepare(SQL, late).await;
        let error = limited.map(drop).unwrap_err();
        assert!(matches!(error, QueryError::TimedOut { .. }), "{error}");
    }
}
