//! One client's settings and temporary tables.

use std::sync::Arc;

use datafusion::{
    common::Result,
    execution::{FunctionRegistry, config::SessionConfig, context::SessionState},
};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Identity, Prepared, QueryContext, QueryError, StatementOptions, bind, drive,
    memory::QueryPool,
    names::Names,
    query,
    redact::redact,
    settings::{self, MurreSettings},
    temporary::TemporaryTables,
};

/// One client's state between statements. It ends when the last reference to it goes.
#[derive(Debug)]
pub struct Session {
    id: String,
    engine: Arc<Engine>,
    identity: Identity,
    /// Settings and functions; its catalog list is not used, see [`Names`].
    state: RwLock<SessionState>,
    temporary: TemporaryTables,
}

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, state: SessionState, identity: Identity) -> Arc<Self> {
        let temporary = TemporaryTables::new(Arc::clone(engine.process_pool()));
        Arc::new(Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            engine,
            identity,
            state: RwLock::new(state),
            temporary,
        })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn settings(&self) -> MurreSettings {
        MurreSettings::of(self.state.read().config_options())
    }

    /// Understands and plans a statement, on the query threads; runs nothing.
    pub async fn prepare(
        self: &Arc<Self>,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Prepared, QueryError> {
        if self.engine.is_draining() {
            return Err(QueryError::ShuttingDown);
        }
        let ctx = Arc::new(self.context(sql, options.client.as_deref().unwrap_or("local")));
        if let Some(command) = bind::urgent(sql) {
            return Ok(query::prepare_urgent(ctx, command));
        }
        let deadline = ctx.deadline(options.deadline);
        let watched = Arc::clone(&ctx);
        let prepared = ctx.on_query_threads(async move {
            tokio::select! {
                biased;
                reason = drive::stopped(&watched, deadline) => Err(reason),
                prepared = query::prepare(Arc::clone(&watched)) => prepared,
            }
        });
        prepared
            .await
            .inspect_err(|error| drive::finished(&ctx, Some(error)))
    }

    pub(crate) fn temporary(&self) -> &TemporaryTables {
        &self.temporary
    }

    /// `SET` for a value, `RESET` for none.
    pub(crate) fn set(&self, name: &str, value: Option<&str>) -> Result<(), QueryError> {
        let mut state = self.state.write();
        let config = settings::apply(state.config(), name, value, self.engine.config().threads)?;
        let failed = |e: datafusion::common::DataFusionError| QueryError::Setting {
            name: name.into(),
            detail: e.strip_backtrace(),
        };
        reconfigure(&mut state, config).map_err(failed)
    }

    fn context(self: &Arc<Self>, sql: &str, client: &str) -> QueryContext {
        let mut state = self.state.read().clone();
        // now() is the same for the whole statement.
        state.mark_start_execution();
        let snapshot = self.engine.store().snapshot();
        let names = Names::new(
            &state,
            Arc::clone(&snapshot),
            self.temporary.all(),
            self.identity.admin,
        );
        state.register_catalog_list(Arc::new(names));
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
            pool: Arc::new(QueryPool::new(
                settings.memory_limit_bytes(),
                self.engine.process_pool(),
            )),
            timeout: settings.statement_timeout(),
            state,
            snapshot,
            listed,
        }
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
