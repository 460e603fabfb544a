//! The threads that queries run on: several lanes, each a runtime with one thread for each target partition.
//!
//! One lane is as fast as a query gets: more threads than cores make a query about a tenth slower. But an operator may
//! hold a thread for long between two batches, and with it every other query of its lane. So work goes to the lane with
//! the least to do, and the operating system shares the cores between the lanes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::runtime::Runtime;
use tokio_util::task::AbortOnDropHandle;

/// Queries that can hold all their threads at once without delaying another one, and one more.
const LANES: usize = 4;

#[derive(Debug)]
pub(crate) struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    runtime: Runtime,
    /// Pieces of work that have not ended.
    work: Arc<AtomicUsize>,
}

impl Lanes {
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        let lanes = (0..LANES).map(|_| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(threads)
                .thread_name("murre-query")
                .thread_stack_size(4 << 20)
                .enable_all()
                .build()?;
            Ok(Lane {
                runtime,
                work: Arc::default(),
            })
        });
        Ok(Self(lanes.collect::<io::Result<_>>()?))
    }

    /// Runs work in the lane with the least to do; it ends when the handle is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        let lane = self
            .0
            .iter()
            .min_by_key(|lane| lane.work.load(Ordering::Relaxed))
            .expect("there are lanes");
        let counted = Counted::new(&lane.work);
        AbortOnDropHandle::new(lane.runtime.spawn(async move {
            let _counted = counted;
            work.await
        }))
    }

    /// Does not wait, so that it can be called from another runtime's thread.
    pub(crate) fn shut_down(&mut self) {
        for lane in self.0.drain(..) {
            lane.runtime.shutdown_background();
        }
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
