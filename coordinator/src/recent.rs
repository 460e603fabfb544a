//! The queries that a session has optimised lately, by their text.
//!
//! Drivers prepare a statement for each time it runs, and dashboards ask the same again. Two thirds of the time between text
//! and tasks go into names and the optimiser, which do the same as long as the catalog, the session's tables and its settings
//! are the same. So does the rest, over temporary tables alone: a plan of these is kept too, and renewed
//! ([`renew`](crate::renew)).
//! A query is not kept whose plan is for one run only, as it depends on the time or on files that others may replace.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, Weak},
};

use arrow::datatypes::SchemaRef;
use catalog::Snapshot;
use datafusion::logical_expr::LogicalPlan;

use crate::{
    QueryContext, QueryError, bind::Bound, inspect, place::Placed, plan, statement::Versions,
    workers::Crew,
};

/// Of all texts of a session. It bounds what their plans take, which are as long as the texts and the views in them say.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// A query without parameters, and what the optimiser made of it.
#[derive(Debug)]
pub(crate) struct Optimised {
    sql: String,
    versions: Versions,
    for_workers: bool,
    logical: Arc<LogicalPlan>,
    optimised: LogicalPlan,
    /// Columns of its rows, once it has been planned to its end and has those that it was bound to have.
    schema: OnceLock<SchemaRef>,
    /// Its plan, which never runs itself, once it was planned a second time; `None` where it is planned for each run.
    placed: OnceLock<Option<Placed>>,
}

/// Those of one session, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Arc<Optimised>>);

impl Recent {
    fn get(&mut self, sql: &str) -> Option<Arc<Optimised>> {
        let place = self.0.iter().position(|query| query.sql == sql)?;
        let query = self.0.remove(place)?;
        self.0.push_front(Arc::clone(&query));
        Some(query)
    }

    fn put(&mut self, query: Arc<Optimised>) {
        self.0.retain(|other| other.sql != query.sql);
        self.0.push_front(query);
        let mut bytes = 0;
        self.0.retain(|query| {
            bytes += query.sql.len();
            bytes <= TEXT_BYTES_MAX
        });
    }

    fn remove(&mut self, query: &Arc<Optimised>) {
        self.0.retain(|other| !Arc::ptr_eq(other, query));
    }

    /// Whether the plan of a text is renewed for each run.
    #[cfg(test)]
    pub(crate) fn is_renewed(&mut self, sql: &str) -> bool {
        let query = self.get(sql);
        query.is_some_and(|query| matches!(query.placed.get(), Some(Some(_))))
    }

    /// Keeps those alone that were made from this state of the catalog.
    pub(crate) fn keep_those_of(&mut self, snapshot: &Weak<Snapshot>) {
        self.0
            .retain(|query| Weak::ptr_eq(&query.versions.snapshot, snapshot));
    }
}

/// The query that the text of `ctx` is, where the session has optimised it for these tables and settings.
pub(crate) fn bound(ctx: &QueryContext) -> Option<Bound> {
    Some(Bound::Query(find(ctx)?.logical.as_ref().clone()))
}

/// The query that the text of `ctx` is, and the columns of its rows, where the session has planned it for these tables,
/// these settings and, if there are any, for workers.
pub(crate) fn planned(
    ctx: &QueryContext,
    crew: Option<&Crew>,
) -> Option<(Arc<Optimised>, SchemaRef)> {
    let query = find(ctx).filter(|query| query.for_workers == crew.is_some())?;
    let schema = Arc::clone(query.schema.get()?);
    Some((query, schema))
}

/// What the optimiser makes of the query that the text of `ctx` is, without values.
pub(crate) fn optimise(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    crew: Option<&Crew>,
) -> Result<Arc<Optimised>, QueryError> {
    let for_workers = crew.is_some();
    if let Some(query) = find(ctx).filter(|query| query.for_workers == for_workers) {
        return Ok(query);
    }
    let query = Arc::new(Optimised {
        sql: ctx.sql.clone(),
        versions: Versions::of(ctx),
        for_workers,
        logical: Arc::new(logical.clone()),
        optimised: plan::optimise(ctx, logical, for_workers)?,
        schema: OnceLock::new(),
        placed: OnceLock::new(),
    });
    let is_explained = matches!(logical, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    let is_for_one_run =
        is_explained || inspect::depends_on_time(logical) || inspect::reads_paths(logical);
    if ctx.substrait.is_none() && !is_for_one_run && ctx.sql.len() <= TEXT_BYTES_MAX {
        let temporary = ctx.session.temporary();
        temporary.plans().recent().put(Arc::clone(&query));
        // Tables that changed before it was added did not take it along.
        if !Arc::ptr_eq(&temporary.all(), &ctx.temporary) {
            temporary.plans().recent().remove(&query);
        }
    }
    Ok(query)
}

fn find(ctx: &QueryContext) -> Option<Arc<Optimised>> {
    if ctx.substrait.is_some() {
        return None;
    }
    let query = ctx.session.temporary().plans().recent().get(&ctx.sql)?;
    query.versions.are(&Versions::of(ctx)).then_some(query)
}

impl Optimised {
    /// What the optimiser was given.
    pub(crate) fn logical(&self) -> &Arc<LogicalPlan> {
        &self.logical
    }

    pub(crate) fn plan(&self) -> &LogicalPlan {
        &self.optimised
    }

    /// Its plan for another run, where it need not be planned again.
    pub(crate) fn placed_again(&self, ctx: &QueryContext) -> Result<Option<Placed>, QueryError> {
        let Some(Some(placed)) = self.placed.get() else {
            return Ok(None);
        };
        let placed = placed.renewed();
        placed.map_err(|source| QueryError::planning(ctx.id(), source))
    }

    /// Takes note of the columns of its rows, which show that it can be planned. What statistics of files have shown never
    /// to be null may be null the next time, so such columns are not noted. Who asks twice may well ask again: the second
    /// plan is kept, and what comes back, to be run in its place, is renewed.
    pub(crate) fn was_planned(&self, placed: Placed) -> Placed {
        let schema = placed.schema();
        if schema.fields() != self.logical.schema().fields() {
            return placed;
        }
        let is_known = self.schema.set(schema).is_err();
        // Others of its fragments may be there the next time.
        if !is_known || !placed.compiled.is_settled || self.placed.get().is_some() {
            return placed;
        }
        match placed.renewed() {
            Ok(Some(again)) => {
                // Another one may have been kept meanwhile.
                let _kept = self.placed.set(Some(placed));
                again
            }
            _ => {
                let _kept = self.placed.set(None);
                placed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::{array::AsArray, datatypes::Int64Type};

    use super::*;
    use crate::{
        Session,
        drive::tests::{engine, run},
    };

    fn kept(session: &Session) -> Vec<String> {
        let recent = session.temporary().plans().recent();
        recent.0.iter().map(|query| query.sql.clone()).collect()
    }

    async fn number(session: &Arc<Session>, sql: &str) -> i64 {
        let rows = run(session, sql).await.unwrap();
        rows[0].column(0).as_primitive::<Int64Type>().value(0)
    }

    #[tokio::test]
    async fn a_text_is_answered_from_the_tables_of_now() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        for kind in ["TEMPORARY", ""] {
            let create = format!("CREATE {kind} TABLE t AS SELECT 1 AS k");
            run(&session, &create).await.unwrap();
            let (count, sum) = ("SELECT count(*) FROM t", "SELECT sum(k) FROM t");
            for _ in 0..3 {
                assert_eq!(number(&session, count).await, 1);
                assert_eq!(number(&session, sum).await, 1);
            }
            assert_eq!(kept(&session), [sum, count]);
            run(&session, "INSERT INTO t VALUES (5)").await.unwrap();
            assert_eq!(number(&session, count).await, 2);
            assert_eq!(number(&session, sum).await, 6);
            run(&session, "DROP TABLE t").await.unwrap();
            assert!(run(&session, count).await.is_err());
            session.forget_old_plans();
            assert!(kept(&session).is_empty());
            let create =
                format!("CREATE {kind} TABLE t AS SELECT 'x' AS w, CAST(7 AS BIGINT) AS k");
            run(&session, &create).await.unwrap();
            assert_eq!(number(&session, sum).await, 7);
            run(&session, "DROP TABLE t").await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_for_one_run_only_is_not_kept_and_settings_begin_anew() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let (session, other) = (engine.session(), engine.session());
        let file = dir.path().join("one.parquet");
        let copy = format!("COPY (SELECT 1 AS k) TO '{}'", file.display());
        run(&session, &copy).await.unwrap();
        for sql in [
            "SELECT now() IS NULL",
            &format!("SELECT k FROM '{}'", file.display()),
            &copy,
            "EXPLAIN SELECT 1",
            &format!("SELECT '{}'", "x".repeat(TEXT_BYTES_MAX)),
        ] {
            run(&session, sql).await.unwrap();
            assert!(kept(&session).is_empty(), "{sql}");
        }
        let hour = "SELECT date_part('hour', arrow_cast(0, 'Timestamp(Second, Some(\"UTC\"))'))";
        run(&session, hour).await.unwrap();
        assert_eq!(kept(&session), [hour]);
        assert!(kept(&other).is_empty());
        run(&session, "SET datafusion.execution.batch_size = 100")
            .await
            .unwrap();
        assert!(kept(&session).is_empty());
    }

    #[tokio::test]
    async fn the_texts_that_have_run_last_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        let text = |number: u32| format!("SELECT {number} AS n, '{}'", "x".repeat(3_000));
        for number in [1, 2, 3, 4, 5, 2, 6, 7] {
            run(&session, &text(number)).await.unwrap();
        }
        assert_eq!(kept(&session), [7, 6, 2, 5, 4].map(text));
    }
}
