//! START HERE: the life of a query on one screen.
//!
//! [`prepare`] takes SQL text as far as it goes without running anything; [`Prepared::run`] runs it.
//! Between the two a client learns the schema, and may take its time to ask for the rows. A text that was planned before
//! does not wait for that, nor does a prepared query that was quick the last time: [`ahead`](crate::ahead) plans the one,
//! and plans and runs the other, while the client is on its way.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::logical_expr::LogicalPlan;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, info_span};

use crate::{
    Outcome, QueryContext, QueryError, QueryId,
    bind::{self, Bound},
    command::{self, Command},
    compile,
    context::Deadline,
    corrupt, cut,
    drive::{self, BatchStream},
    place::{self, Placed},
    plan,
    recent::{self, Optimised},
    template::Template,
    workers::Crew,
};

/// SQL text -> something that can run.
pub(crate) async fn prepare(ctx: Arc<QueryContext>) -> Result<Prepared, QueryError> {
    if let Some(bound) = recent::bound(&ctx) {
        return plan_text(ctx, bound).await;
    }
    let (bound, parameters) = bind::bind(&ctx).await?;
    if !parameters.is_empty() {
        return Err(QueryError::MissingValues {
            parameters: parameters.len(),
            values: 0,
        });
    }
    plan_text(ctx, bound).await
}

/// What the text of `ctx` is, which has no parameters -> something that can run.
pub(crate) async fn plan_text(
    ctx: Arc<QueryContext>,
    bound: Bound,
) -> Result<Prepared, QueryError> {
    let placed = match &bound {
        Bound::Command(_) => None,
        Bound::Query(logical) => Some(text_to_tasks(&ctx, logical).await?),
    };
    Ok(prepared(ctx, bound, placed))
}

/// A bound statement whose parameters have values -> something that can run.
pub(crate) async fn plan_bound(
    ctx: Arc<QueryContext>,
    bound: Bound,
) -> Result<Prepared, QueryError> {
    let placed = match &bound {
        Bound::Command(_) => None,
        Bound::Query(logical) => Some(to_tasks(&ctx, logical).await?),
    };
    Ok(prepared(ctx, bound, placed))
}

/// A query that was optimised with its parameters open, and values for them -> something that can run.
pub(crate) async fn plan_with_values(
    ctx: Arc<QueryContext>,
    template: Arc<Template>,
    values: RecordBatch,
) -> Result<Prepared, QueryError> {
    let placed = to_tasks_with_values(&ctx, &template, &values).await?;
    ctx.process().planned();
    let work = Work::Query {
        schema: placed.schema(),
        logical: Logical::Optimised(template, values),
        first: Arc::new(Mutex::new(Some(First::Placed(placed)))),
    };
    Ok(Prepared { ctx, work })
}

/// Planning, in its span, until the statement must stop.
pub(crate) fn planning<T, W: Future<Output = Result<T, QueryError>>>(
    ctx: &Arc<QueryContext>,
    deadline: Option<Deadline>,
    work: W,
) -> impl Future<Output = Result<T, QueryError>> + use<T, W> {
    let watched = Arc::clone(ctx);
    let planned = async move {
        // Boxed: what plans is large, and would be there twice.
        let work = Box::pin(work);
        let work = async {
            match watched.substrait {
                None => work.await,
                Some(_) => blame_the_plan(work).await,
            }
        };
        tokio::select! {
            biased;
            reason = drive::stopped(&watched, deadline) => Err(reason),
            planned = work => planned,
        }
    };
    planned.instrument(info_span!("query.plan", query_id = %ctx.id()))
}

/// Planning believes what a Substrait plan says of itself, where SQL has been checked before: what breaks then is the
/// plan's fault.
async fn blame_the_plan<T>(
    work: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, QueryError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Err(QueryError::Internal { detail, .. })) => Err(QueryError::Substrait { detail }),
        Ok(planned) => planned,
        Err(panic) => Err(QueryError::Substrait {
            detail: corrupt::panic_text(&*panic),
        }),
    }
}

/// `placed` is there for queries.
pub(crate) fn prepared(ctx: Arc<QueryContext>, bound: Bound, placed: Option<Placed>) -> Prepared {
    let work = match (bound, placed) {
        (Bound::Query(logical), placed) => Work::Query {
            schema: match &placed {
                Some(placed) => placed.schema(),
                None => Arc::clone(logical.schema().inner()),
            },
            logical: Logical::Bound(Arc::new(logical)),
            first: Arc::new(Mutex::new(placed.map(First::Placed))),
        },
        (Bound::Command(command), _) => Work::Command(Arc::new(command)),
    };
    ctx.process().planned();
    Prepared { ctx, work }
}

/// A command that needs neither names nor a plan, ready to run.
pub(crate) fn prepare_urgent(ctx: Arc<QueryContext>, command: Command) -> Prepared {
    ctx.process().planned();
    Prepared {
        ctx,
        work: Work::Command(Arc::new(command)),
    }
}

/// The steps between a bound plan and its tasks. Each name is a file.
pub(crate) async fn to_tasks(
    ctx: &QueryContext,
    logical: &LogicalPlan,
) -> Result<Placed, QueryError> {
    to_tasks_of(ctx, logical, Crew::of(ctx)).await
}

/// The same for the query that the text of `ctx` is: what the optimiser makes of it is kept for the next time.
pub(crate) async fn text_to_tasks(
    ctx: &QueryContext,
    logical: &LogicalPlan,
) -> Result<Placed, QueryError> {
    let crew = Crew::of(ctx);
    let query = recent::optimise(ctx, logical, crew.as_ref())?;
    kept_to_tasks(ctx, &query, crew).await
}

/// The same for what is kept of it.
pub(crate) async fn kept_to_tasks(
    ctx: &QueryContext,
    query: &Optimised,
    crew: Option<Crew>,
) -> Result<Placed, QueryError> {
    if let Some(placed) = query.placed_again(ctx)? {
        return Ok(placed);
    }
    let placed = planned_to_tasks(ctx, query.logical(), query.plan(), crew).await?;
    Ok(query.was_planned(placed))
}

/// The same for rows that are written: the writers are here, so the rows are made here.
pub(crate) async fn to_tasks_here(
    ctx: &QueryContext,
    logical: &LogicalPlan,
) -> Result<Placed, QueryError> {
    to_tasks_of(ctx, logical, None).await
}

async fn to_tasks_of(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    crew: Option<Crew>,
) -> Result<Placed, QueryError> {
    let optimised = plan::optimise(ctx, logical, crew.is_some())?; //       LogicalPlan   -> LogicalPlan
    planned_to_tasks(ctx, logical, &optimised, crew).await
}

/// The same for a query that was optimised with its parameters open.
pub(crate) async fn to_tasks_with_values(
    ctx: &QueryContext,
    template: &Template,
    values: &RecordBatch,
) -> Result<Placed, QueryError> {
    if let Some(placed) = template.open(ctx, values).await? {
        return Ok(placed);
    }
    let folded = plan::fold(ctx, template.with_values(ctx, values)?)?;
    planned_to_tasks(ctx, &folded, &folded, Crew::of(ctx)).await
}

async fn planned_to_tasks(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    optimised: &LogicalPlan,
    crew: Option<Crew>,
) -> Result<Placed, QueryError> {
    let physical = plan::plan(ctx, optimised, crew.is_some()).await?; //    LogicalPlan   -> ExecutionPlan
    let staged = cut::cut(ctx, logical, physical, crew).await?; //          ExecutionPlan -> stages
    let compiled = compile::compile(ctx, staged)?; //                       stages        -> fragment modules, or a recorded reason
    place::place(ctx, compiled) //                                          stages        -> tasks on workers
}

impl Prepared {
    /// A query whose columns are known before its plan.
    pub(crate) fn begun(
        ctx: &Arc<QueryContext>,
        schema: SchemaRef,
        logical: Logical,
        first: Arc<Mutex<Option<First>>>,
    ) -> Self {
        let ctx = Arc::clone(ctx);
        let work = Work::Query {
            schema,
            logical,
            first,
        };
        Self { ctx, work }
    }

    /// Runs the statement on the query threads. A query may run again: it then gives the rows of the same table versions.
    pub async fn run(&self, deadline: Option<Instant>) -> Result<Answer, QueryError> {
        let ctx = Arc::clone(&self.ctx);
        let deadline = ctx.deadline(deadline);
        match &self.work {
            Work::Query { logical, first, .. } => {
                let first = first.lock().take();
                let placed = match first {
                    // What was begun has no deadline.
                    Some(First::Begun { begun, .. }) if deadline.is_none() => {
                        return ctx.ended(begun.await).map(Answer::Rows);
                    }
                    Some(First::Placed(placed)) => placed,
                    Some(First::Planning(planned)) => tokio::select! {
                        biased;
                        reason = drive::stopped(&ctx, deadline) => Err(reason),
                        planned = planned => ctx.ended(planned),
                    }?,
                    _ => {
                        let (again, logical) = (Arc::clone(&ctx), logical.clone());
                        let planned = async move {
                            match logical {
                                Logical::Bound(plan) => to_tasks(&again, &plan).await,
                                Logical::Optimised(template, values) => {
                                    to_tasks_with_values(&again, &template, &values).await
                                }
                            }
                        };
                        ctx.on_query_threads(planned).await?
                    }
                };
                Ok(Answer::Rows(drive::drive(&ctx, placed, deadline)?)) // task -> record batches
            }
            // These answer at once, and must do so while every query thread is busy.
            Work::Command(command)
                if matches!(**command, Command::Kill { .. } | Command::ShowProcesslist) =>
            {
                command::run(&ctx, command, deadline)
                    .await
                    .map(Answer::Done)
            }
            Work::Command(command) => {
                let (running, command) = (Arc::clone(&ctx), Arc::clone(command));
                let run = async move { command::run(&running, &command, deadline).await };
                let span = info_span!("query.run", query_id = %ctx.id());
                let outcome = ctx.on_query_threads(run.instrument(span));
                outcome.await.map(Answer::Done)
            }
        }
    }

    /// Columns of the rows that [`Prepared::run`] gives; none for commands without rows.
    pub fn schema(&self) -> SchemaRef {
        match &self.work {
            Work::Query { schema, .. } => Arc::clone(schema),
            Work::Command(command) => command.schema(),
        }
    }

    /// Whether the statement is asked for its rows. Statements that change something are not.
    pub fn is_query(&self) -> bool {
        match &self.work {
            Work::Query { .. } => true,
            Work::Command(command) => command.is_query(),
        }
    }

    /// Whether running it streams rows; other statements run to their end at once, with small results.
    pub fn streams(&self) -> bool {
        matches!(self.work, Work::Query { .. })
    }

    pub fn id(&self) -> QueryId {
        self.ctx.id()
    }

    /// What the statement was planned with.
    pub fn context(&self) -> &Arc<QueryContext> {
        &self.ctx
    }
}

/// A statement that is understood and planned.
#[derive(Debug)]
pub struct Prepared {
    ctx: Arc<QueryContext>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Query {
        schema: SchemaRef,
        logical: Logical,
        /// Taken by the first run.
        first: Arc<Mutex<Option<First>>>,
    },
    Command(Arc<Command>),
}

/// What a query is planned from when it runs again.
#[derive(Debug, Clone)]
pub(crate) enum Logical {
    Bound(Arc<LogicalPlan>),
    /// With its parameters open, and values for them.
    Optimised(Arc<Template>, RecordBatch),
}

/// How far a query is whose rows nobody has asked for.
#[derive(Debug)]
pub(crate) enum First {
    Placed(Placed),
    Planning(AbortOnDropHandle<Result<Placed, QueryError>>),
    Begun {
        begun: AbortOnDropHandle<Result<BatchStream, QueryError>>,
        _patience: AbortOnDropHandle<()>,
    },
}

/// What running a statement gives.
#[derive(Debug)]
pub enum Answer {
    /// Rows as they come.
    Rows(BatchStream),
    /// A command, done: its rows if it has any, and how many rows it changed.
    Done(Outcome),
}

/// What a client says about one statement.
#[derive(Debug, Clone, Default)]
pub struct StatementOptions {
    /// Planning must end by then. A statement that has one is never planned or begun ahead: it counts for each call by
    /// itself.
    pub deadline: Option<Instant>,
    /// Address of the client, for the process list.
    pub client: Option<String>,
}
