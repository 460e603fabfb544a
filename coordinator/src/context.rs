//! The surroundings of one statement: its session, its names, its memory, its entry in the process list.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use catalog::{Snapshot, TableName};
use datafusion::execution::context::SessionState;
use tokio::task::JoinError;

use crate::{
    Engine, QueryError, QueryId, Session,
    bind::SubstraitPlan,
    memory::{Charge, QueryPool},
    pace::Pace,
    processes::{Listed, Process},
    temporary::Tables,
};

/// Everything one statement needs, from planning to its last row.
#[derive(Debug)]
pub struct QueryContext {
    pub(crate) engine: Arc<Engine>,
    pub(crate) session: Arc<Session>,
    /// As the client sent it: it may hold a password. What others may see is [`Process::sql`].
    pub(crate) sql: String,
    /// Sent in place of a text, which then only says so.
    pub(crate) substrait: Option<Arc<SubstraitPlan>>,
    /// The session's settings and functions, with all names bound to one catalog version: `snapshot`.
    pub(crate) state: Arc<SessionState>,
    pub(crate) snapshot: Arc<Snapshot>,
    /// The session's temporary tables that those names mean.
    pub(crate) temporary: Tables,
    /// Which of the session's settings these are.
    pub(crate) settings_version: u64,
    pub(crate) pool: Arc<QueryPool>,
    /// The session's statement timeout when the statement began.
    pub(crate) timeout: Option<Duration>,
    /// Of the prepared statement that this is a run of.
    pub(crate) pace: Option<Arc<Pace>>,
    pub(crate) listed: Listed,
    /// Made where values need more memory than they came in.
    pub(crate) values: OnceLock<Charge>,
}

impl QueryContext {
    pub fn id(&self) -> QueryId {
        self.listed.process.id
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether the name is that of a temporary table: these stand in the schema of names that give none, and hide what
    /// is stored there.
    pub(crate) fn has_temporary(&self, name: &TableName) -> bool {
        name.schema == self.schema() && self.session.temporary().get(&name.table).is_some()
    }

    /// The schema of names that give none.
    pub(crate) fn schema(&self) -> &str {
        &self.state.config_options().catalog.default_schema
    }

    /// Charges the query for values that are put into it, until it ends.
    ///
    /// Errors: [`QueryError::OutOfMemory`].
    pub(crate) fn charge_values(&self, bytes: usize) -> Result<(), QueryError> {
        let charge = || Charge::new("the values of a statement", Arc::clone(&self.pool) as _);
        self.values.get_or_init(charge).try_grow(bytes)
    }

    pub fn process(&self) -> &Arc<Process> {
        &self.listed.process
    }

    /// Runs work of this statement on the query threads; it stops when the returned future is dropped.
    pub(crate) async fn on_query_threads<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.ended(self.engine.spawn(work).await)
    }

    /// What work that was spawned ended with.
    pub(crate) fn ended<T>(
        &self,
        outcome: Result<Result<T, QueryError>, JoinError>,
    ) -> Result<T, QueryError> {
        outcome.unwrap_or_else(|e| {
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
