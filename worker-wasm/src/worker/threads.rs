//! The threads that tasks run on, apart from those of their connections.
//!
//! A fragment may hold a thread for as long as it has input: between two calls into its module it asks whether to stop,
//! and gives up the thread much less often. On one runtime with the connections, nobody would read meanwhile that the
//! query has ended: half the statements that were killed had tasks on two busy workers for 380 ms more.

use std::{io, sync::Arc};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// Of each thread, in bytes: plans are walked by recursion.
const STACK_BYTES: usize = 4 << 20;

/// Clones are the same threads. They end with the last one, which may be dropped anywhere.
#[derive(Debug, Clone)]
pub(super) struct TaskThreads(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    handle: Handle,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl TaskThreads {
    /// Errors: threads that do not start.
    pub(super) fn start(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("murre-task")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let runtime = Some(runtime);
        Ok(Self(Arc::new(Owned { handle, runtime })))
    }

    /// Runs work there; it ends when the handle is dropped.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(self.0.handle.spawn(work))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for the threads is not allowed on one that runs tasks itself.
            runtime.shutdown_background();
        }
    }
}
