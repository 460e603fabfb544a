//! How a task learns that its query has ended, also while a thread is inside a module.
//!
//! The coordinator keeps one request open for each task. Its end, however it comes, is the end of the task.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::Service;

use super::{Caller, threads::TaskThreads};
use crate::exec::StopSignal;

/// The method whose request stays open: it brings a task's plan. `datafusion-distributed` 3.0, where only coordinators call it.
const OPEN_WHILE_RUNNING: &str = "/CoordinatorChannel";
/// The method that runs a task, for rows of some of its partitions. `datafusion-distributed` 3.0.
const RUNS_TASK: &str = "/ExecuteTask";
/// Carries the number of the task from here to its session; what a caller says there is replaced.
const TASK: HeaderName = HeaderName::from_static("murre-task");

/// The tasks that run.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: Mutex<HashMap<u64, CancellationToken>>,
    started_total: AtomicU64,
    ended: Notify,
}

impl Tasks {
    pub(super) fn running(&self) -> u64 {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.len() as u64
    }

    pub(super) fn started_total(&self) -> u64 {
        self.started_total.load(Ordering::Relaxed)
    }

    /// Resolves when a task has ended since the last call.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// The signal of the task that came with these headers: set where its request has ended already.
    pub(super) fn signal(&self, headers: &HeaderMap) -> StopSignal {
        let number = headers.get(TASK).and_then(|value| value.to_str().ok());
        let number = number.and_then(|text| text.parse().ok());
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let cancelled = match number.and_then(|number: u64| running.get(&number)) {
            Some(token) => token.clone(),
            None => {
                let ended = CancellationToken::new();
                ended.cancel();
                ended
            }
        };
        StopSignal {
            cancelled,
            deadline: None,
        }
    }

    fn start(self: &Arc<Self>) -> Running {
        let number = self.started_total.fetch_add(1, Ordering::Relaxed);
        let token = CancellationToken::new();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(number, token);
        Running {
            tasks: Arc::clone(self),
            number,
        }
    }
}

/// A task is told to stop when this goes.
#[derive(Debug)]
struct Running {
    tasks: Arc<Tasks>,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self
            .tasks
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = running.remove(&self.number) {
            token.cancel();
        }
        drop(running);
        self.tasks.ended.notify_one();
    }
}

/// Numbers the tasks that `inner` is given, and has them run on their own threads.
#[derive(Debug, Clone)]
pub(super) struct Numbered<S> {
    pub(super) inner: S,
    /// A plan reads and writes files: another worker's is refused.
    pub(super) caller: Caller,
    pub(super) tasks: Arc<Tasks>,
    pub(super) threads: TaskThreads,
}

impl<S, B> Service<Request<B>> for Numbered<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<tonic::body::Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.headers_mut().remove(TASK);
        let path = request.uri().path();
        if path.ends_with(OPEN_WHILE_RUNNING) && self.caller == Caller::Peer {
            let refused = "a worker takes plans from its coordinator only";
            return ready(Ok(Status::permission_denied(refused).into_http())).boxed();
        }
        if path.ends_with(OPEN_WHILE_RUNNING) {
            let running = self.tasks.start();
            let number = HeaderValue::from(running.number);
            request.headers_mut().insert(TASK, number);
            let request = request.map(|body| {
                tonic::body::Body::new(Watched {
                    body: Box::pin(body),
                    _running: running,
                })
            });
            return self.inner.call(request).boxed();
        }
        let is_task = path.ends_with(RUNS_TASK);
        let answer = self.inner.call(request.map(tonic::body::Body::new));
        if !is_task {
            return answer.boxed();
        }
        // What it spawns, and it spawns all that computes, runs where it runs itself.
        let answer = self.threads.spawn(answer);
        let answered = async move {
            answer.await.unwrap_or_else(|error| {
                Ok(Status::internal(format!("the task stopped: {error}")).into_http())
            })
        };
        answered.boxed()
    }
}

/// A request's body that knows when nobody reads it any more.
struct Watched<B> {
    body: Pin<Box<B>>,
    _running: Running,
}

impl<B: Body> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
