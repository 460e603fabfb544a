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
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::exec::StopSignal;

/// The method whose request stays open. `datafusion-distributed` 3.0.
const OPEN_WHILE_RUNNING: &str = "/CoordinatorChannel";
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

    /// The signal of the task that came with these headers.
    pub(super) fn signal(&self, headers: &HeaderMap) -> StopSignal {
        let number = headers.get(TASK).and_then(|value| value.to_str().ok());
        let number = number.and_then(|text| text.parse().ok());
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let token = number.and_then(|number: u64| running.get(&number).cloned());
        StopSignal {
            cancelled: token.unwrap_or_default(),
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

/// Numbers the tasks that `inner` is given.
#[derive(Debug, Clone)]
pub(super) struct Numbered<S> {
    pub(super) inner: S,
    pub(super) tasks: Arc<Tasks>,
}

impl<S, B> Service<Request<B>> for Numbered<S>
where
    S: Service<Request<tonic::body::Body>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.headers_mut().remove(TASK);
        if !request.uri().path().ends_with(OPEN_WHILE_RUNNING) {
            return self.inner.call(request.map(tonic::body::Body::new));
        }
        let running = self.tasks.start();
        let number = HeaderValue::from(running.number);
        request.headers_mut().insert(TASK, number);
        let request = request.map(|body| {
            tonic::body::Body::new(Watched {
                body: Box::pin(body),
                _running: running,
            })
        });
        self.inner.call(request)
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
