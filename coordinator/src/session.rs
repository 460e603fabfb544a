//! One client's settings and temporary tables.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow::array::RecordBatch;
use catalog::Snapshot;
use datafusion::{
    common::Result,
    execution::{FunctionRegistry, config::SessionConfig, context::SessionState},
};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Identity, Prepared, QueryContext, QueryError, Statement, StatementOptions, ahead,
    bind::{self, SubstraitPlan},
    drive,
    memory::{Charge, QueryPool},
    names::Names,
    query,
    redact::redact,
    settings::{self, MurreSettings},
    statement::Versions,
    temporary::{Tables, TemporaryTables},
};

/// One client's state between statements. It ends when the last reference to it goes.
#[derive(Debug)]
pub struct Session {
    id: String,
    engine: Arc<Engine>,
    identity: Identity,
    /// Settings and functions; its catalog list is not used, see [`Names`].
    state: RwLock<Arc<SessionState>>,
    /// Counts the changes of `state`.
    version: AtomicU64,
    temporary: TemporaryTables,
}

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, state: SessionState, identity: Identity) -> Arc<Self> {
        let temporary = TemporaryTables::new(Arc::clone(engine.process_pool()));
        Arc::new(Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            engine,
            identity,
            state: RwLock::new(Arc::new(state)),
            version: AtomicU64::new(0),
            temporary,
        })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Who it belongs to.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its `murre.*` settings as of now.
    pub fn settings(&self) -> MurreSettings {
        MurreSettings::of(self.state.read().config_options())
    }

    /// Understands and plans a statement, on the query threads; runs nothing. A query that was planned before for the same
    /// tables is not waited for, and what is wrong with it now is said by [`Prepared::run`].
    pub async fn prepare(
        self: &Arc<Self>,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Prepared, QueryError> {
        let ctx = self.begin(sql, &options)?;
        if let Some(command) = bind::urgent(sql) {
            return Ok(query::prepare_urgent(ctx, command));
        }
        // A limit counts from the call that asks for the rows.
        let limited = ctx.deadline(options.deadline).is_some();
        if let Some(planned) = (!limited).then(|| ahead::plan(&ctx)).flatten() {
            return Ok(planned);
        }
        Self::planning(&ctx, &options, query::prepare(Arc::clone(&ctx))).await
    }

    /// The same for a Substrait plan.
    pub async fn prepare_plan(
        self: &Arc<Self>,
        plan: SubstraitPlan,
        options: StatementOptions,
    ) -> Result<Prepared, QueryError> {
        let ctx = self.begin_plan(plan, &options)?;
        Self::planning(&ctx, &options, query::prepare(Arc::clone(&ctx))).await
    }

    /// Understands a statement that may have parameters, on the query threads; runs nothing.
    pub async fn statement(
        self: &Arc<Self>,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Statement, QueryError> {
        let ctx = self.begin(sql, &options)?;
        if let Some(command) = bind::urgent(sql) {
            return Ok(Statement::of_command(sql, &command));
        }
        let understood = Self::planning(&ctx, &options, Statement::understand(Arc::clone(&ctx)));
        understood.await
    }

    /// The same for a Substrait plan.
    pub async fn statement_of_plan(
        self: &Arc<Self>,
        plan: SubstraitPlan,
        options: StatementOptions,
    ) -> Result<Statement, QueryError> {
        let ctx = self.begin_plan(plan, &options)?;
        Self::planning(&ctx, &options, Statement::understand(Arc::clone(&ctx))).await
    }

    /// Plans a statement with values for its parameters, a column each. A query that was quick the last time is begun, and
    /// what is wrong with it is said by [`Prepared::run`]; nothing else runs. A query gives the rows of all
    /// rows of values, an INSERT writes all of them at once.
    pub async fn prepare_with(
        self: &Arc<Self>,
        statement: &Arc<Statement>,
        values: Option<RecordBatch>,
        options: StatementOptions,
    ) -> Result<Prepared, QueryError> {
        let plan = statement.substrait().cloned();
        let ctx = self.begin_with(statement.sql(), plan, &options, Some(statement))?;
        if let Some(command) = bind::urgent(statement.sql()) {
            return Ok(query::prepare_urgent(ctx, command));
        }
        let (statement, for_plan) = (Arc::clone(statement), Arc::clone(&ctx));
        // A limit counts from the call that asks for the rows.
        let limited = ctx.deadline(options.deadline).is_some();
        let begun = (!limited).then(|| statement.begin_ahead(&ctx, values.as_ref()));
        if let Some(begun) = begun.flatten() {
            return Ok(begun);
        }
        let planned = async move { statement.prepare(for_plan, values.as_ref()).await };
        Self::planning(&ctx, &options, planned).await
    }

    pub(crate) fn begin(
        self: &Arc<Self>,
        sql: &str,
        options: &StatementOptions,
    ) -> Result<Arc<QueryContext>, QueryError> {
        self.begin_with(sql, None, options, None)
    }

    fn begin_plan(
        self: &Arc<Self>,
        plan: SubstraitPlan,
        options: &StatementOptions,
    ) -> Result<Arc<QueryContext>, QueryError> {
        self.begin_with(&plan.title(), Some(Arc::new(plan)), options, None)
    }

    fn begin_with(
        self: &Arc<Self>,
        sql: &str,
        substrait: Option<Arc<SubstraitPlan>>,
        options: &StatementOptions,
        statement: Option<&Statement>,
    ) -> Result<Arc<QueryContext>, QueryError> {
        if self.engine.is_draining() {
            return Err(QueryError::ShuttingDown);
        }
        let client = options.client.as_deref().unwrap_or("local");
        Ok(Arc::new(self.context(sql, substrait, client, statement)))
    }

    /// Runs the planning of a statement on the query threads, until it must stop.
    pub(crate) async fn planning<T: Send + 'static>(
        ctx: &Arc<QueryContext>,
        options: &StatementOptions,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let deadline = ctx.deadline(options.deadline);
        ctx.on_query_threads(query::planning(ctx, deadline, work))
            .await
            .inspect_err(|error| drive::finished(ctx, Some(error), Duration::ZERO))
    }

    pub(crate) fn state(&self) -> Arc<SessionState> {
        Arc::clone(&self.state.read())
    }

    /// Memory for what a client has sent, of which nothing is taken yet.
    pub fn charge(&self, what: &str) -> Charge {
        Charge::new(what, Arc::clone(self.engine.process_pool()) as _)
    }

    pub(crate) fn temporary(&self) -> &TemporaryTables {
        &self.temporary
    }

    /// Lets go of plans over what the catalog no longer has. They would not be used again.
    pub fn forget_old_plans(&self) {
        let now = Arc::downgrade(&self.engine.store().snapshot());
        self.temporary.plans().recent().keep_those_of(&now);
    }

    /// All settings by name, with their values where they have one.
    pub fn options(&self) -> Vec<(String, Option<String>)> {
        let state = self.state.read();
        let entries = state.config_options().entries().into_iter();
        entries.map(|entry| (entry.key, entry.value)).collect()
    }

    /// The schema of names that give none.
    pub fn schema(&self) -> String {
        let state = self.state.read();
        state.config_options().catalog.default_schema.clone()
    }

    /// `SET` for a value, `RESET` for none.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<(), QueryError> {
        let mut state = self.state.write();
        let config = settings::apply(state.config(), name, value, &self.engine.defaults())?;
        let failed = |e: datafusion::common::DataFusionError| QueryError::Setting {
            name: name.into(),
            detail: e.strip_backtrace(),
        };
        self.version.fetch_add(1, Ordering::Relaxed);
        self.temporary.plans().clear();
        reconfigure(Arc::make_mut(&mut state), config).map_err(failed)
    }

    fn context(
        self: &Arc<Self>,
        sql: &str,
        substrait: Option<Arc<SubstraitPlan>>,
        client: &str,
        statement: Option<&Statement>,
    ) -> QueryContext {
        let (shared, settings_version) = {
            let state = self.state.read();
            (Arc::clone(&state), self.version.load(Ordering::Relaxed))
        };
        let (snapshot, temporary) = (self.engine.store().snapshot(), self.temporary.all());
        let versions = Versions {
            session: Arc::downgrade(self),
            settings: settings_version,
            snapshot: Arc::downgrade(&snapshot),
            temporary: Arc::downgrade(&temporary),
        };
        let state = statement.and_then(|statement| statement.state(&versions));
        let state = state.unwrap_or_else(|| self.state_for(shared, &snapshot, &temporary));
        let settings = MurreSettings::of(state.config_options());
        let listed = self.engine.processes_list().enter(
            self,
            client,
            &redact(sql),
            CancellationToken::new(),
        );
        QueryContext {
            engine: Arc::clone(&self.engine),
            session: Arc::clone(self),
            sql: sql.to_owned(),
            substrait,
            pool: Arc::new(QueryPool::new(
                settings.memory_limit_bytes(),
                self.engine.process_pool(),
            )),
            timeout: settings.statement_timeout(),
            state,
            snapshot,
            temporary,
            settings_version,
            pace: statement.map(|statement| Arc::clone(statement.pace())),
            listed,
            values: OnceLock::new(),
        }
    }

    /// A statement's state without the session's temporary tables.
    pub(crate) fn state_for_stored(
        &self,
        state: &SessionState,
        snapshot: &Arc<Snapshot>,
    ) -> SessionState {
        let mut stored = state.clone();
        let names = Names::new(
            self.state(),
            Arc::clone(snapshot),
            Arc::default(),
            self.identity.admin,
        );
        stored.register_catalog_list(Arc::new(names));
        stored
    }

    /// A statement's own copy of the session's state, with the names of one moment.
    fn state_for(
        &self,
        shared: Arc<SessionState>,
        snapshot: &Arc<Snapshot>,
        temporary: &Tables,
    ) -> Arc<SessionState> {
        let mut state = SessionState::clone(&shared);
        // now() is the same for the whole statement.
        state.mark_start_execution();
        let names = Names::new(
            shared,
            Arc::clone(snapshot),
            Arc::clone(temporary),
            self.identity.admin,
        );
        state.register_catalog_list(Arc::new(names));
        Arc::new(state)
    }
}

/// Functions such as `now()` keep the time zone they were made with: they are made anew.
fn reconfigure(state: &mut SessionState, config: SessionConfig) -> Result<()> {
    *state.config_mut() = config;
    let options = Arc::clone(state.config().options());
    let updated: Vec<_> = state
        .scalar_functions()
        .values()
        .filter_map(|udf| udf.inner().with_updated_config(&options))
        .collect();
    for function in updated {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
}
