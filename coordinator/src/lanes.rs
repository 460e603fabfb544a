//! The threads that queries run on: several lanes, each a runtime with one thread for each target partition.
//!
//! One lane is as fast as a query gets: more threads than cores make a query about a tenth slower. But an operator may
//! hold a thread for long between two batches, and with it every other query of its lane. So work goes to the lane with
//! the least to do, and the operating system shares the cores between the lanes. What a query starts stays in its lane.

use std::{io, sync::Arc};

use tokio::runtime::{Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// Queries that can hold all their threads at once without delaying another one, and one more.
const LANES: usize = 4;

#[derive(Debug)]
pub(crate) struct Lanes(Vec<Lane>);

/// One of the lanes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneId(usize);

#[derive(Debug)]
struct Lane {
    runtime: Runtime,
    /// Held by each piece of work that has not ended.
    work: Arc<()>,
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

    /// The caller's own lane, or the one with the least to do.
    pub(crate) fn choose(&self) -> LaneId {
        let current = Handle::try_current().ok().map(|runtime| runtime.id());
        let own = |lane: &Lane| Some(lane.runtime.handle().id()) == current;
        let work = |lane: &usize| Arc::strong_count(&self.0[*lane].work);
        let idlest = || (0..self.0.len()).min_by_key(work);
        let lane = self.0.iter().position(own).or_else(idlest);
        LaneId(lane.expect("there are lanes"))
    }

    /// Runs work in a lane; it ends when the handle is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        lane: LaneId,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        let lane = &self.0[lane.0];
        let counted = Arc::clone(&lane.work);
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
