//! START HERE: the life of a query on one screen.
//!
//! [`prepare`] takes SQL text as far as it goes without running anything; [`Prepared::run`] runs it.
//! Between the two a client learns the schema, and may take its time to ask for the rows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::datatypes::SchemaRef;
use catalog::Snapshot;
use datafusion::{execution::context::SessionState, logical_expr::LogicalPlan};
use parking_lot::Mutex;
use tracing::{Instrument, info_span};

use crate::{
    Engine, Outcome, QueryError, QueryId, Session,
    bind::{self, Bound},
    command::{self, Command},
    compile, cut,
    drive::{self, BatchStream},
    memory::QueryPool,
    place::{self, Placed},
    plan,
    processes::{Listed, Process},
    workers::Crew,
};

/// SQL text -> something that can run.
pub(crate) async fn prepare(ctx: Arc<QueryContext>) -> Result<Prepared, QueryError> {
    let (bound, parameters) = bind::bind(&ctx).await?;
    if !parameters.is_empty() {
        return Err(QueryError::MissingValues {
            parameters: parameters.len(),
            values: 0,
        });
    }
    plan_bound(ctx, bound).await
}

/// A bound statement without parameters -> something that can run.
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

/// `placed` is there for queries.
pub(crate) fn prepared(ctx: Arc<QueryContext>, bound: Bound, placed: Option<Placed>) -> Prepared {
    let work = match (bound, placed) {
        (Bound::Query(logical), placed) => Work::Query {
            schema: match &placed {
                Some(placed) => placed.schema(),
                None => Arc::clone(logical.schema().inner()),
            },
            logical: Box::new(logical),
            placed: Mutex::new(placed),
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
    let physical = plan::plan(ctx, logical, crew.is_some()).await?; // LogicalPlan   -> ExecutionPlan
    let staged = cut::cut(ctx, physical, crew).await?; //              ExecutionPlan -> stages
    let compiled = compile::compile(ctx, staged)?; //                  stages        -> fragment modules, or a recorded reason
    place::place(ctx, logical, compiled) //                            stages        -> tasks on workers
}

impl Prepared {
    /// Runs the statement on the query threads. A query may run again: it then gives the rows of the same table versions.
    pub async fn run(&self, deadline: Option<Instant>) -> Result<Answer, QueryError> {
        let ctx = Arc::clone(&self.ctx);
        let deadline = ctx.deadline(deadline);
        match &self.work {
            Work::Query {
                logical, placed, ..
            } => {
                let first = placed.lock().take();
                let placed = match first {
                    Some(placed) => placed,
                    None => {
                        let (again, logical) = (Arc::clone(&ctx), logical.clone());
                        ctx.on_query_threads(async move { to_tasks(&again, &logical).await })
                            .await?
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
        logical: Box<LogicalPlan>,
        /// Taken by the first run.
        placed: Mutex<Option<Placed>>,
    },
    Command(Arc<Command>),
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
    /// Planning must end by then.
    pub deadline: Option<Instant>,
    /// Address of the client, for the process list.
    pub client: Option<String>,
}

/// Everything one statement needs, from planning to its last row.
#[derive(Debug)]
pub struct QueryContext {
    pub(crate) engine: Arc<Engine>,
    pub(crate) session: Arc<Session>,
    /// As the client sent it: it may hold a password. What others may see is [`Process::sql`].
    pub(crate) sql: String,
    /// The session's settings and functions, with all names bound to one catalog version: `snapshot`.
    pub(crate) state: SessionState,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Which of the session's settings these are.
    pub(crate) settings_version: u64,
    pub(crate) pool: Arc<QueryPool>,
    /// The session's statement timeout when the statement began.
    pub(crate) timeout: Option<Duration>,
    pub(crate) listed: Listed,
}

impl QueryContext {
    pub fn id(&self) -> QueryId {
        self.listed.process.id
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub fn process(&self) -> &Arc<Process> {
        &self.listed.process
    }

    /// Runs work of this statement on the query threads; it stops when the returned future is dropped.
    pub(crate) async fn on_query_threads<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let ended = self.engine.spawn(work).await;
        ended.unwrap_or_else(|e| {
            Err(QueryError::Internal {
                id: self.id(),
                detail: format!("the query's task stopped: {e}"),
            })
        })
    }

    /// The earlier of the client's deadline and the session's timeout, counted from now.
    pub(crate) fn deadline(&self, clients: Option<Instant>) -> Option<Deadline> {
        let ours = self.timeout.map(|limit| Deadline {
            at: Instant::now() + limit,
            limit,
        });
        let theirs = clients.map(|at| Deadline {
            at,
            limit: at.saturating_duration_since(Instant::now()),
        });
        ours.into_iter()
            .chain(theirs)
            .min_by_key(|deadline| deadline.at)
    }
}

/// When a statement must have ended, and the limit to name when it has not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) limit: Duration,
}
