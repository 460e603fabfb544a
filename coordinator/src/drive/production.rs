//! What a driver does: runs a placed plan and sends its rows, again from the start where a worker is lost early enough.
//!
//! ```text
//!                        nothing sent yet: plan again for the workers that are left, and from the start
//!  rows -> held back ->  sent: an error
//! ```
//! Rows that workers gave are held back until there are [`HELD_BYTES_MAX`] of them, the query has no memory for them, or the
//! first one is [`HELD_MAX`] old, because a stream between workers is read once: a plan that has lost a worker cannot go on, and a client that has rows
//! cannot be given others.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::array::RecordBatch;
use datafusion::{common::DataFusionError, physical_plan::execute_stream};
use futures::StreamExt;
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;
use worker_wasm::{
    exec::StopSignal,
    rendezvous::WorkerId,
    worker::{KEEP_ALIVE_INTERVAL, LinkError},
};

use super::stopped;
use crate::{
    QueryContext, QueryError, context::Deadline, corrupt, cut::Reach, memory::Charge,
    place::Placed, query, workers::Crew,
};

/// Rows held back at most. Bytes.
const HELD_BYTES_MAX: usize = 64 << 20;
/// How long a row is held back at most.
const HELD_MAX: Duration = Duration::from_secs(2);
/// How often a query begins again.
const RESTARTS_MAX: usize = 3;
/// What a worker's end breaks may be heard of before the end itself.
const LOSS_HEARD_MAX: Duration = Duration::from_secs(1);
/// The same for a worker that does not answer: a connection that says nothing counts as lost that much later.
const SILENT_LOSS_HEARD_MAX: Duration = KEEP_ALIVE_INTERVAL.saturating_add(LOSS_HEARD_MAX);

/// One run of a query.
pub(super) struct Production<'a> {
    pub(super) ctx: &'a QueryContext,
    pub(super) deadline: Option<Deadline>,
    pub(super) stop: StopSignal,
    pub(super) sender: &'a mpsc::Sender<Result<RecordBatch, QueryError>>,
}

/// Why an attempt gave no more rows.
enum Failure {
    /// A worker is gone, and no row has been sent.
    Lost(WorkerId),
    Other(QueryError),
}

impl<E: Into<QueryError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Production<'_> {
    /// Sends the plan's rows; adds up in `client` how long the client kept it from going on.
    pub(super) async fn run(
        &self,
        mut placed: Placed,
        client: &mut Duration,
    ) -> Result<(), QueryError> {
        for _ in 0..RESTARTS_MAX {
            match self.attempt(&placed, client).await {
                Ok(()) => return Ok(()),
                Err(Failure::Other(error)) => return Err(error),
                Err(Failure::Lost(worker)) => {
                    let Reach::Workers { logical, .. } = &placed.compiled.reach else {
                        return Err(LinkError::Lost { worker }.into());
                    };
                    warn!(query_id = %self.ctx.id(), %worker, "a worker is lost, the query begins again");
                    // Boxed: planning is large, and seldom needed here.
                    let again = Box::pin(query::to_tasks(self.ctx, logical));
                    placed = tokio::select! {
                        biased;
                        reason = stopped(self.ctx, self.deadline) => return Err(reason),
                        again = again => again?,
                    };
                }
            }
        }
        match self.attempt(&placed, client).await {
            Err(Failure::Lost(worker)) => Err(LinkError::Lost { worker }.into()),
            Err(Failure::Other(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn attempt(&self, placed: &Placed, client: &mut Duration) -> Result<(), Failure> {
        let ctx = self.ctx;
        let crew = placed.crew().filter(|crew| crew.can_be_lost());
        let task = tokio::select! {
            biased;
            reason = stopped(ctx, self.deadline) => return Err(reason.into()),
            worker = lost(crew) => return Err(Failure::Lost(worker)),
            task = placed.task_context(ctx, self.stop.clone()) => task,
        };
        let task = match task {
            Err(QueryError::Worker(LinkError::Lost { worker })) => {
                return Err(Failure::Lost(worker));
            }
            Err(error @ QueryError::Worker(LinkError::Silent { .. })) => {
                return Err(self.silent(crew, error).await);
            }
            task => task?,
        };
        let rows = execute_stream(Arc::clone(placed.root()), task);
        let rows = rows.map_err(|source| QueryError::running(ctx.id(), source))?;
        let mut rows = corrupt::catch_panics(rows);
        let charge = crew.map(|_| Charge::new("rows held back", Arc::clone(&ctx.pool) as _));
        let mut held = Held::new(charge);
        loop {
            let due = held.due();
            let batch = tokio::select! {
                biased;
                () = self.sender.closed() => {
                    return Err(QueryError::Cancelled { id: ctx.id() }.into());
                }
                reason = stopped(ctx, self.deadline) => return Err(reason.into()),
                worker = lost(crew) => return Err(held.lost(worker)),
                () = sleep_until(due) => {
                    self.send(held.release(), client).await?;
                    continue;
                }
                batch = rows.next() => batch,
            };
            match batch {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    let ready = held.take(batch);
                    self.send(ready, client).await?;
                }
                // An operator that was told to stop says so with an error of its own; the reason is known here.
                Some(Err(_)) if self.stop.is_set() => {
                    return Err(tokio::select! {
                        biased;
                        reason = stopped(ctx, self.deadline) => reason,
                        () = self.sender.closed() => QueryError::Cancelled { id: ctx.id() },
                    }
                    .into());
                }
                Some(Err(source)) => {
                    if let Some(worker) = behind(crew, &source).await {
                        return Err(held.lost(worker));
                    }
                    return Err(tokio::select! {
                        biased;
                        reason = stopped(ctx, self.deadline) => reason,
                        error = corrupt::explain(ctx, placed.root(), source) => error,
                    }
                    .into());
                }
                None => return Ok(self.send(held.release(), client).await?),
            }
        }
    }

    /// A worker that does not answer is gone, or only slow.
    async fn silent(&self, crew: Option<&Crew>, error: QueryError) -> Failure {
        tokio::select! {
            biased;
            reason = stopped(self.ctx, self.deadline) => Failure::Other(reason),
            worker = timeout(SILENT_LOSS_HEARD_MAX, lost(crew)) => match worker {
                Ok(worker) => Failure::Lost(worker),
                Err(_) => Failure::Other(error),
            },
        }
    }

    async fn send(&self, rows: Rows, client: &mut Duration) -> Result<(), QueryError> {
        let Rows {
            batches,
            charge: _until_sent,
            ..
        } = rows;
        for batch in batches {
            let full = Instant::now();
            // A client that reads slowly must not keep a query alive past its deadline.
            tokio::select! {
                biased;
                reason = stopped(self.ctx, self.deadline) => return Err(reason),
                _ = self.sender.send(Ok(batch)) => {}
            }
            *client += full.elapsed();
        }
        Ok(())
    }
}

async fn lost(crew: Option<&Crew>) -> WorkerId {
    match crew {
        Some(crew) => crew.lost().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// The lost worker that an error is about. Errors of the query itself keep their kind on the way from a worker; others
/// are from the way.
async fn behind(crew: Option<&Crew>, error: &DataFusionError) -> Option<WorkerId> {
    let of_the_way = match error.find_root() {
        DataFusionError::External(_) => true,
        // A task whose plan was sent by nobody.
        DataFusionError::Execution(text) => text.contains("waiting for the plan to be set"),
        _ => false,
    };
    let crew = crew.filter(|_| of_the_way)?;
    timeout(LOSS_HEARD_MAX, crew.lost()).await.ok()
}

/// Rows that have not been sent, while that is of use.
struct Held {
    /// `None` when rows are sent as they come.
    rows: Option<Rows>,
    /// When the first of them came.
    since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Rows {
    batches: Vec<RecordBatch>,
    bytes: usize,
    /// For as long as they wait; `None` for rows that only pass.
    charge: Option<Charge>,
}

impl Held {
    /// Rows are held back where there is something to charge them to.
    fn new(charge: Option<Charge>) -> Self {
        let rows = charge.map(|charge| Rows {
            charge: Some(charge),
            ..Rows::default()
        });
        Self { rows, since: None }
    }

    /// Gives what is to be sent now.
    fn take(&mut self, batch: RecordBatch) -> Rows {
        let Some(rows) = &mut self.rows else {
            return Rows {
                batches: vec![batch],
                ..Rows::default()
            };
        };
        let bytes = batch.get_array_memory_size();
        let charge = rows.charge.as_ref();
        let has_memory = charge.is_some_and(|charge| charge.try_grow(bytes).is_ok());
        rows.bytes += bytes;
        rows.batches.push(batch);
        self.since.get_or_insert_with(Instant::now);
        match has_memory && rows.bytes < HELD_BYTES_MAX {
            true => Rows::default(),
            false => self.release(),
        }
    }

    /// From now on nothing is held back.
    fn release(&mut self) -> Rows {
        self.since = None;
        self.rows.take().unwrap_or_default()
    }

    /// When what is held must go.
    fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + HELD_MAX)
    }

    fn lost(&self, worker: WorkerId) -> Failure {
        match self.rows {
            Some(_) => Failure::Lost(worker),
            None => Failure::Other(LinkError::Lost { worker }.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    use super::*;

    fn batch(rows: usize) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1; rows]));
        RecordBatch::try_from_iter([("v", column)]).unwrap()
    }

    fn pool(bytes: usize) -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(bytes))
    }

    fn held_in(pool: &Arc<dyn MemoryPool>) -> Held {
        Held::new(Some(Charge::new("held", Arc::clone(pool))))
    }

    fn check_lost(held: &Held, begins_again: bool) {
        let failure = held.lost(WorkerId::new("w").unwrap());
        assert_eq!(matches!(failure, Failure::Lost(_)), begins_again);
    }

    #[test]
    fn rows_are_held_until_there_are_many_and_never_after() {
        let pool = pool(2 * HELD_BYTES_MAX);
        let mut held = held_in(&pool);
        assert!(held.due().is_none());
        assert!(held.take(batch(10)).batches.is_empty());
        assert!(held.due().is_some());
        check_lost(&held, true);
        let many = HELD_BYTES_MAX / size_of::<i64>();
        let released = held.take(batch(many));
        assert_eq!(released.batches.len(), 2);
        assert!(pool.reserved() > HELD_BYTES_MAX);
        drop(released);
        assert_eq!(pool.reserved(), 0);
        assert!(held.due().is_none());
        assert_eq!(held.take(batch(10)).batches.len(), 1);
        check_lost(&held, false);
    }

    #[test]
    fn rows_that_the_query_has_no_memory_for_are_sent() {
        let pool = pool(batch(10).get_array_memory_size());
        let mut held = held_in(&pool);
        assert!(held.take(batch(10)).batches.is_empty());
        assert_eq!(held.take(batch(10)).batches.len(), 2);
        assert_eq!(pool.reserved(), 0);
        check_lost(&held, false);
    }

    #[test]
    fn rows_that_cannot_be_lost_are_sent_at_once() {
        let mut held = Held::new(None);
        assert_eq!(held.take(batch(1)).batches.len(), 1);
        assert!(held.due().is_none());
    }
}
