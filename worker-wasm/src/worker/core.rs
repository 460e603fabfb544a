//! What a worker is, in whatever process: modules, tasks, and the calls that both answer to.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion_distributed::Worker;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;
use tonic::service::Routes;

use super::{
    BUILD,
    ended::{TasksHeld, let_go},
    link::{KEEP_ALIVE, KEEP_ALIVE_INTERVAL, WINDOW_BYTES},
    messages::Description,
    modules::ModuleStore,
    peers::Peers,
    service::WorkerCalls,
    session::{PlanRewrite, TaskSessions},
    stop::{Numbered, Tasks},
    threads::TaskThreads,
};
use crate::{
    exec::ModuleCache,
    rendezvous::{Counters, Way},
};

/// Modules kept: more shapes than any set of dashboards has.
const MODULES_MAX: usize = 10_000;

/// What a host gives its worker.
#[derive(Debug)]
pub struct CoreConfig {
    /// What hosts it, for [`Description`].
    pub kind: &'static str,
    /// Threads that tasks run on; connections are served by the caller's runtime.
    pub threads: usize,
    /// Memory, spill files and object stores of all tasks together.
    pub environment: Arc<RuntimeEnv>,
    pub modules: Arc<ModuleCache>,
    pub rewrite: PlanRewrite,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Whoever this worker was told to believe: its word is code, and its plans are run.
    Coordinator,
    /// Another worker: it reads the rows of tasks that it was told of.
    Peer,
}

/// A worker without its connections. Clones are the same worker.
#[derive(Clone)]
pub struct Core {
    shared: Arc<Shared>,
    worker: Worker,
}

/// What the calls of a worker share.
#[derive(Debug)]
pub(super) struct Shared {
    kind: &'static str,
    pub(super) modules: Arc<ModuleStore>,
    tasks: Arc<Tasks>,
    threads: TaskThreads,
    draining: AtomicBool,
    environment: Arc<RuntimeEnv>,
    /// Of the streams to and from other workers.
    peers: Arc<Counters>,
    _letting_go: AbortOnDropHandle<()>,
}

impl Shared {
    pub(super) fn describe(&self) -> Description {
        Description {
            build: BUILD.to_owned(),
            kind: self.kind.to_owned(),
            modules: self.modules.count(),
            modules_received_total: self.modules.received_total(),
            tasks_running: self.tasks.running(),
            tasks_total: self.tasks.started_total(),
            draining: self.draining.load(Ordering::Relaxed),
            modules_compiled_total: self.modules.compiled_total(),
            memory_bytes: self.environment.memory_pool.reserved() as u64,
            ways: Way::ALL.map(|way| self.peers.of(way).into()).to_vec(),
        }
    }
}

impl Core {
    /// `peers` are the workers that its tasks read from. Must be called within a tokio runtime.
    ///
    /// Errors: threads that do not start.
    pub fn new(config: CoreConfig, peers: Arc<Peers>) -> io::Result<Self> {
        let threads = TaskThreads::start(config.threads)?;
        let modules = Arc::new(ModuleStore::new(config.modules, MODULES_MAX));
        let tasks = Arc::new(Tasks::default());
        let counters = peers.counters();
        let held = TasksHeld::default();
        let sessions = TaskSessions {
            modules: Arc::clone(&modules),
            peers,
            tasks: Arc::clone(&tasks),
            held: held.clone(),
            rewrite: config.rewrite,
        };
        let worker = Worker::from_session_builder(sessions)
            .with_runtime_env(Arc::clone(&config.environment))
            .with_version(BUILD);
        let letting_go = tokio::spawn({
            let (worker, tasks) = (worker.clone(), Arc::clone(&tasks));
            async move {
                loop {
                    tasks.ended().await;
                    let_go(&worker, &held).await;
                }
            }
        });
        let kind = config.kind;
        let shared = Arc::new(Shared {
            kind,
            modules,
            tasks,
            threads,
            draining: AtomicBool::new(false),
            environment: config.environment,
            peers: counters,
            _letting_go: AbortOnDropHandle::new(letting_go),
        });
        Ok(Self { shared, worker })
    }

    pub fn describe(&self) -> Description {
        self.shared.describe()
    }

    /// Says from now on whether it ends soon, so that it gets no more tasks.
    pub(super) fn drain(&self, draining: bool) {
        self.shared.draining.store(draining, Ordering::Relaxed);
    }

    pub(super) fn tasks_running(&self) -> u64 {
        self.shared.tasks.running()
    }

    /// Answers on a connection until it ends. This end is the HTTP/2 server, whoever dialled.
    pub async fn serve(
        &self,
        caller: Caller,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), hyper::Error> {
        let shared = Arc::clone(&self.shared);
        let calls = WorkerCalls { shared, caller };
        let worker = self.worker.clone().into_worker_server();
        let routes = Routes::new(worker).add_service(calls).prepare();
        let numbered = Numbered {
            inner: routes,
            caller,
            tasks: Arc::clone(&self.shared.tasks),
            threads: self.shared.threads.clone(),
        };
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(4 * WINDOW_BYTES)
            .max_concurrent_streams(None)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(numbered))
            .await
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
