//! Task -> record batches: runs a placed plan on the query runtime and hands its batches out.
//!
//! ```text
//!  query runtime                                   caller's runtime
//!  ExecutionPlan -> driver task -> [8 batches] -> BatchStream -> client
//! ```
//! What the driver does is [`production`]. It stops at the next batch boundary when the caller drops the stream, at `KILL`, and at the deadline.

mod production;
mod threads;

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    execution::{TaskContext, runtime_env::RuntimeEnv},
    prelude::SessionConfig,
};
use futures::Stream;
use tokio::sync::mpsc;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use tracing::{Instrument, debug, info_span, warn};
use worker_wasm::exec::StopSignal;

use production::Production;

pub use threads::QueryThreads;

use crate::{QueryContext, QueryError, context::Deadline, lanes::LaneId, metrics, place::Placed};

/// Batches the driver may be ahead of the client: enough for the next message of a result of usual width.
const BATCHES_AHEAD: usize = 8;

/// A query's rows. Dropping it stops the query.
#[derive(Debug)]
pub struct BatchStream {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    driver: Option<AbortOnDropHandle<()>>,
    /// Where the driver runs.
    lane: LaneId,
    /// Whether the end of the run has been counted.
    counted: Arc<AtomicBool>,
    stop: CancellationToken,
    /// Stops what a thread is inside of when the stream goes.
    _stop: DropGuard,
    ctx: Arc<QueryContext>,
}

impl BatchStream {
    /// Columns of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The threads that make the rows.
    pub fn threads(&self) -> QueryThreads {
        QueryThreads::of(self)
    }
}

impl BatchStream {
    /// Counts the end of a run whose driver has not done so.
    fn count(&self, error: &QueryError) {
        if !self.counted.swap(true, Ordering::AcqRel) {
            finished(&self.ctx, Some(error), Duration::ZERO);
        }
    }
}

impl Drop for BatchStream {
    /// A driver that has not ended is aborted with the stream and gets no chance to say so itself.
    fn drop(&mut self) {
        self.count(&QueryError::Cancelled { id: self.ctx.id() });
    }
}

impl Stream for BatchStream {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(batch) = ready!(self.batches.poll_recv(cx)) {
            if let Ok(batch) = &batch {
                self.ctx
                    .process()
                    .rows_out
                    .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            }
            return Poll::Ready(Some(batch));
        }
        // The channel also closes when the driver panics: that must not look like the end of the rows.
        let Some(driver) = &mut self.driver else {
            return Poll::Ready(None);
        };
        let ended = ready!(Pin::new(driver).poll(cx));
        self.driver = None;
        Poll::Ready(ended.err().map(|error| {
            let error = QueryError::Internal {
                id: self.ctx.id(),
                detail: format!("the query's task stopped: {error}"),
            };
            self.count(&error);
            Err(error)
        }))
    }
}

/// Starts the plan and returns its rows.
pub(crate) fn drive(
    ctx: &Arc<QueryContext>,
    placed: Placed,
    deadline: Option<Deadline>,
) -> Result<BatchStream, QueryError> {
    let schema = placed.schema();
    let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
    let running = Arc::clone(ctx);
    let counted = Arc::new(AtomicBool::new(false));
    let count = Arc::clone(&counted);
    let stop = StopSignal {
        cancelled: ctx.process().cancel.child_token(),
        deadline: deadline.map(|deadline| deadline.at),
    };
    let token = stop.cancelled.clone();
    let run = ctx.process().run(Some(placed.root()));
    let driver = async move {
        let mut client = Duration::ZERO;
        let production = Production {
            ctx: &running,
            deadline,
            stop,
            sender: &sender,
        };
        let outcome = production.run(placed, &mut client).await;
        if !count.swap(true, Ordering::AcqRel) {
            finished(&running, outcome.as_ref().err(), client);
        }
        drop(run);
        if let Err(error) = outcome {
            // The client may have left: then nobody waits for the reason.
            let _ = sender.send(Err(error)).await;
        }
    };
    let span = info_span!("query.run", query_id = %ctx.id());
    let lane = ctx.engine.lane();
    let driver = ctx.engine.spawn_in(lane, driver.instrument(span));
    Ok(BatchStream {
        schema,
        batches,
        driver: Some(driver),
        lane,
        counted,
        stop: token.clone(),
        _stop: token.drop_guard(),
        ctx: Arc::clone(ctx),
    })
}

/// Resolves when the statement must stop, with the reason.
pub(crate) async fn stopped(ctx: &QueryContext, deadline: Option<Deadline>) -> QueryError {
    let late = async {
        match deadline {
            Some(deadline) => {
                tokio::time::sleep_until(deadline.at.into()).await;
                deadline.limit
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = ctx.process().cancel.cancelled() => ctx.engine.stop_reason(ctx.id()),
        limit = late => QueryError::TimedOut { id: ctx.id(), limit },
    }
}

/// For statements whose deadline drops their tasks: only a KILL has to reach into a running operator.
pub(crate) fn stop_by_kill(ctx: &QueryContext) -> StopSignal {
    StopSignal {
        cancelled: ctx.process().cancel.clone(),
        deadline: None,
    }
}

/// What operators see: the session's settings, the query's own memory, and when to stop.
pub(crate) fn task_context(ctx: &QueryContext, stop: StopSignal) -> Arc<TaskContext> {
    task_context_in(ctx, stop, ctx.engine.environment(&ctx.pool))
}

/// The same in an environment of the statement's own.
pub(crate) fn task_context_in(
    ctx: &QueryContext,
    stop: StopSignal,
    environment: RuntimeEnv,
) -> Arc<TaskContext> {
    let config = ctx.state.config().clone();
    task_context_with(ctx, config.with_extension(Arc::new(stop)), environment)
}

/// The same for operators that ask for no function by name: there are hundreds of them, and a copy is made of all.
pub(crate) fn task_context_bare(
    ctx: &QueryContext,
    stop: StopSignal,
    environment: RuntimeEnv,
) -> Arc<TaskContext> {
    let config = ctx.state.config().clone().with_extension(Arc::new(stop));
    Arc::new(TaskContext::new(
        Some(ctx.id().to_string()),
        ctx.state.session_id().to_owned(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::new(environment),
    ))
}

/// The same with settings that say when to stop.
pub(crate) fn task_context_with(
    ctx: &QueryContext,
    config: SessionConfig,
    environment: RuntimeEnv,
) -> Arc<TaskContext> {
    let state = &ctx.state;
    Arc::new(TaskContext::new(
        Some(ctx.id().to_string()),
        state.session_id().to_owned(),
        config,
        state.scalar_functions().clone(),
        state.higher_order_functions().clone(),
        state.aggregate_functions().clone(),
        state.window_functions().clone(),
        Arc::new(environment),
    ))
}

/// Counts and logs a statement that has run. `client` is the part of its time that its client kept it waiting.
pub(crate) fn finished(ctx: &QueryContext, error: Option<&QueryError>, client: Duration) {
    let process = ctx.process();
    let elapsed = process.elapsed().saturating_sub(client);
    metrics::QUERY_SECONDS.observe(elapsed.as_secs_f64());
    match (&ctx.pace, error) {
        (Some(pace), None) => pace.took(elapsed),
        (Some(pace), Some(_)) => pace.forget(),
        (None, _) => {}
    }
    metrics::queries_total(match error {
        None => "done",
        Some(QueryError::Cancelled { .. } | QueryError::ShuttingDown) => "cancelled",
        Some(_) => "failed",
    });
    let (rows, peak_memory_bytes) = (process.rows_out.load(Ordering::Relaxed), ctx.pool.peak());
    if ctx
        .engine
        .config()
        .slow_query
        .is_some_and(|limit| elapsed >= limit)
    {
        warn!(target: "murre::slow_query", query_id = %ctx.id(), session = %process.session, client = %process.client,
            elapsed_ms = elapsed.as_millis() as u64, rows, peak_memory_bytes, sql = %process.sql, "slow query");
    }
    debug!(query_id = %ctx.id(), elapsed_ms = elapsed.as_millis() as u64, rows, peak_memory_bytes,
        error = error.map(tracing::field::display), "query finished");
}

#[cfg(test)]
pub(crate) mod tests;
