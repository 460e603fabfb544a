//! The threads of a running query, for work on its rows that is not the query's own.

use std::{future::Future, sync::Arc};

use tokio_util::{sync::DropGuard, task::AbortOnDropHandle};

use super::BatchStream;
use crate::{QueryContext, lanes::LaneId, memory::Charge};

/// Where a query's rows are made. Dropping it stops the query, wherever its [`BatchStream`] is by then.
#[derive(Debug)]
pub struct QueryThreads {
    ctx: Arc<QueryContext>,
    lane: LaneId,
    _stop: DropGuard,
}

impl QueryThreads {
    pub(super) fn of(rows: &BatchStream) -> Self {
        Self {
            ctx: Arc::clone(&rows.ctx),
            lane: rows.lane,
            _stop: rows.stop.clone().drop_guard(),
        }
    }

    /// So much of the query's memory; `None` where it may not have that.
    pub fn charge(&self, what: &str, bytes: usize) -> Option<Charge> {
        let charge = Charge::new(what, Arc::clone(&self.ctx.pool) as _);
        charge.try_grow(bytes).ok().map(|()| charge)
    }

    /// Work beside the query's own; it ends when the handle is dropped.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        self.ctx.engine.spawn_in(self.lane, work)
    }
}
