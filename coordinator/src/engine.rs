//! One process's share of everything queries need: threads, memory, caches, tables.

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use catalog::{CATALOG, DEFAULT_SCHEMA, NanSafeParquetFactory, ObjectStores, TableStore, Users};
use datafusion::{
    execution::{
        context::SessionState,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::MemoryPool,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
        session_state::SessionStateBuilder,
    },
    prelude::SessionConfig,
};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use worker_wasm::{exec::ModuleCache, functions, runtime::ArtefactFolder};

use crate::{
    Identity, Process, QueryError, QueryId, Session, WorkerPool, WorkersKind, ahead, fragments,
    identity,
    lanes::{LaneId, Lanes},
    memory::{ProcessPool, QueryPool},
    metrics, plan,
    processes::{ProcessState, Processes},
    settings::{BATCH_ROWS, Defaults, MurreSettings},
    text_before_joins,
};

/// What an operator of the server chooses. Sizes in bytes; a cache of size 0 is off.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Threads a query runs on, and the partitions it is spread over unless the session says otherwise.
    pub threads: usize,
    /// All queries and temporary tables together.
    pub memory_limit_bytes: u64,
    /// All spill files together.
    pub spill_limit_bytes: u64,
    pub spill_folder: PathBuf,
    /// Compiled modules on disk; `None` keeps them in memory only.
    pub module_folder: Option<ArtefactFolder>,
    /// All compiled modules on disk together.
    pub module_cache_bytes: u64,
    /// Parquet footers.
    pub metadata_cache_bytes: u64,
    /// Column statistics of files.
    pub statistics_cache_bytes: u64,
    /// Statements that run at least this long are logged; `None` logs none.
    pub slow_query: Option<Duration>,
    /// Limit on a statement in sessions that set none; `None` means no limit.
    pub statement_timeout: Option<Duration>,
    /// Who runs the tasks of queries, in sessions that do not say.
    pub workers: WorkersKind,
}

/// The query engine of one process.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    store: Arc<dyn TableStore>,
    objects: Arc<ObjectStores>,
    users: Arc<Users>,
    /// Queries never run on the caller's runtime: a heavy one would starve its connections.
    lanes: Lanes,
    pool: Arc<ProcessPool>,
    environment: Arc<RuntimeEnv>,
    /// `None` where this machine cannot run compiled fragments.
    modules: Option<Arc<ModuleCache>>,
    /// Those in other processes.
    workers: Arc<WorkerPool>,
    /// What a new session starts from.
    template: SessionState,
    processes: Arc<Processes>,
    /// Held by what is planned while nobody waits for it.
    planning_ahead: Arc<Semaphore>,
    draining: AtomicBool,
}

impl Engine {
    /// Starts the query threads over a table store.
    ///
    /// Errors: [`QueryError::Spill`] where the spill folder cannot be used; threads that do not start.
    pub fn open(
        config: EngineConfig,
        store: Arc<dyn TableStore>,
        objects: Arc<ObjectStores>,
        users: Arc<Users>,
    ) -> Result<Arc<Self>, QueryError> {
        metrics::declare();
        let pool = Arc::new(ProcessPool::new(config.memory_limit_bytes));
        let spill = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![
                config.spill_folder.clone(),
            ]))
            .with_max_temp_directory_size(config.spill_limit_bytes);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::clone(&pool) as Arc<dyn MemoryPool>)
            .with_disk_manager_builder(spill)
            .with_object_store_registry(Arc::clone(&objects) as _)
            .with_metadata_cache_limit(to_usize(config.metadata_cache_bytes))
            .with_file_statistics_cache_limit(to_usize(config.statistics_cache_bytes))
            // A cached listing would hide files that others add to an external table's folder.
            .with_object_list_cache_limit(0)
            .build_arc()
            .map_err(|source| QueryError::Spill {
                path: config.spill_folder.clone(),
                source,
            })?;
        let mut settings = MurreSettings::default();
        if let Some(limit) = config.statement_timeout {
            settings.statement_timeout = humantime::format_duration(limit).to_string();
        }
        let session = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
            .with_create_default_catalog_and_schema(false)
            // `Names` has one of its own.
            .with_information_schema(false)
            .with_target_partitions(config.threads)
            .with_batch_size(BATCH_ROWS)
            .with_option_extension(settings);
        let mut template = SessionStateBuilder::new()
            .with_config(session)
            .with_runtime_env(Arc::clone(&environment))
            .with_expr_planners(vec![functions::planner()])
            .with_default_features()
            .with_analyzer_rules(plan::analyzer_rules())
            .with_physical_optimizer_rules(text_before_joins::optimizer_rules())
            .build();
        template
            .register_file_format(Arc::new(NanSafeParquetFactory::default()), true)
            .and_then(|()| functions::mend(&mut template))
            .map_err(|e| QueryError::running(QueryId(0), e))?;
        let lanes = Lanes::new(config.threads).map_err(|e| QueryError::Internal {
            id: QueryId(0),
            detail: format!("cannot start query threads: {e}"),
        })?;
        let modules = fragments::open_fragments(
            config.threads,
            config.module_folder.clone(),
            config.module_cache_bytes,
        );
        Ok(Arc::new(Self {
            config,
            store,
            objects,
            users,
            lanes,
            pool,
            environment,
            modules,
            workers: Arc::default(),
            template,
            processes: Arc::default(),
            planning_ahead: Arc::new(Semaphore::new(ahead::PLANNING_MAX)),
            draining: AtomicBool::new(false),
        }))
    }

    /// A session with default settings and no temporary tables, for whoever has this process.
    pub fn session(self: &Arc<Self>) -> Arc<Session> {
        self.session_of(Identity::nobody())
    }

    /// A session with default settings and no temporary tables.
    pub fn session_of(self: &Arc<Self>, identity: Identity) -> Arc<Session> {
        Session::new(Arc::clone(self), self.template.clone(), identity)
    }

    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    pub fn store(&self) -> &Arc<dyn TableStore> {
        &self.store
    }

    pub fn objects(&self) -> &Arc<ObjectStores> {
        &self.objects
    }

    pub fn users(&self) -> &Arc<Users> {
        &self.users
    }

    /// The workers in other processes.
    pub fn workers(&self) -> &Arc<WorkerPool> {
        &self.workers
    }

    /// Statements in flight, oldest first.
    pub fn processes(&self) -> Vec<Arc<Process>> {
        self.processes.all()
    }

    /// Stops a statement. Errors: [`QueryError::NoSuchQuery`], and [`QueryError::Forbidden`] for other people's.
    pub fn kill(&self, id: u64, by: &Identity) -> Result<(), QueryError> {
        let process = self
            .processes
            .get(QueryId(id))
            .filter(|process| process.state() != ProcessState::Waiting);
        let process = process.ok_or(QueryError::NoSuchQuery { id })?;
        if !by.admin && process.user != by.name {
            return identity::forbidden("to stop other people's statements");
        }
        process.cancel.cancel();
        Ok(())
    }

    /// Refuses new statements from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether [`Engine::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Statements in planning or running.
    pub fn running(&self) -> usize {
        self.processes
            .all()
            .iter()
            .filter(|process| process.state() != ProcessState::Waiting)
            .count()
    }

    /// Stops every statement.
    pub fn cancel_all(&self) {
        for process in self.processes.all() {
            process.cancel.cancel();
        }
    }

    /// Brings the gauges up to date, before they are read.
    pub fn refresh_metrics(&self) {
        metrics::MEMORY_BYTES.set(self.pool.reserved().try_into().unwrap_or(i64::MAX));
        metrics::RUNNING.set(self.running().try_into().unwrap_or(i64::MAX));
    }

    /// What `RESET` goes back to.
    pub(crate) fn defaults(&self) -> Defaults {
        Defaults {
            threads: self.config.threads,
            settings: MurreSettings::of(self.template.config_options()),
        }
    }

    pub(crate) fn processes_list(&self) -> &Arc<Processes> {
        &self.processes
    }

    pub(crate) fn modules(&self) -> Option<&Arc<ModuleCache>> {
        self.modules.as_ref()
    }

    pub(crate) fn planning_ahead(&self) -> &Arc<Semaphore> {
        &self.planning_ahead
    }

    pub(crate) fn process_pool(&self) -> &Arc<ProcessPool> {
        &self.pool
    }

    pub(crate) fn stop_reason(&self, id: QueryId) -> QueryError {
        if self.is_draining() {
            QueryError::ShuttingDown
        } else {
            QueryError::Cancelled { id }
        }
    }

    /// The process's environment, with memory charged to one query.
    pub(crate) fn environment(&self, pool: &Arc<QueryPool>) -> RuntimeEnv {
        RuntimeEnv {
            memory_pool: Arc::clone(pool) as Arc<dyn MemoryPool>,
            ..RuntimeEnv::clone(&self.environment)
        }
    }

    /// Query threads for work that belongs together.
    pub(crate) fn lane(&self) -> LaneId {
        self.lanes.choose()
    }

    /// Runs work on query threads; it ends when the handle is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        self.spawn_in(self.lane(), work)
    }

    pub(crate) fn spawn_in<T: Send + 'static>(
        &self,
        lane: LaneId,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        self.lanes.spawn(lane, work)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.lanes.shut_down();
    }
}

fn to_usize(bytes: u64) -> usize {
    bytes.try_into().unwrap_or(usize::MAX)
}
