//! The threads that serve connections: each has a runtime of its own, and every connection one of the threads.
//!
//! Between the bytes of a short request and those of its answer lie several tasks: the connection, the request's stream,
//! its body. On one thread they run one after the other, and what they write leaves together. Shared between threads,
//! each hand-over wakes another core, and the answer leaves in pieces, each of which wakes the client.

use std::{io, sync::Arc};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

/// Dropping it ends the connections there are.
pub(crate) struct NetworkThreads {
    threads: Vec<Thread>,
    _running: DropGuard,
}

struct Thread {
    runtime: Handle,
    /// Held by each of its connections.
    connections: Arc<()>,
}

impl NetworkThreads {
    /// Errors: threads that do not start.
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let running = stop.clone().drop_guard();
        let threads = (0..threads.max(1)).map(|_| Thread::start(stop.clone()));
        Ok(Self {
            threads: threads.collect::<io::Result<_>>()?,
            _running: running,
        })
    }

    /// Serves a connection on the thread with the fewest.
    ///
    /// Errors: a connection that cannot be handed over.
    pub(crate) fn serve<F: Future<Output = ()> + Send + 'static>(
        &self,
        connection: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()> {
        let fewest = |thread: &&Thread| Arc::strong_count(&thread.connections);
        let thread = self.threads.iter().min_by_key(fewest);
        let thread = thread.ok_or_else(|| io::Error::other("no network threads"))?;
        let counted = Arc::clone(&thread.connections);
        // Its events are to come to the thread that serves it.
        let connection = connection.into_std()?;
        thread.runtime.spawn(async move {
            match TcpStream::from_std(connection) {
                Ok(connection) => serve(connection).await,
                Err(error) => debug!(%error, "a connection could not be handed over"),
            }
            drop(counted);
        });
        Ok(())
    }
}

impl Thread {
    fn start(stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let run = move || runtime.block_on(stop.cancelled());
        std::thread::Builder::new()
            .name("murre-net".into())
            .spawn(run)?;
        Ok(Self {
            runtime: handle,
            connections: Arc::default(),
        })
    }
}
