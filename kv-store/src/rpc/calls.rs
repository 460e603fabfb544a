//! Short calls to one server, all in one stream: for each a message there and one back.
//!
//! ```text
//! callers ──number, method, message──> stream of HTTP/2 ──> handlers, many at once
//!         <──number, answer or status───────────────────────────┘ in the order they are done
//! ```
//!
//! A stream of HTTP/2 for each call costs both ends several times what the store does for a short one: its headers, its
//! windows, the tasks and timers of its own. Here what is ready goes out together, in one frame and one write.
//!
//! Invariants:
//! - A call ends once: with its answer, with the end of the stream, or when its time is over.
//! - A stream that ended takes no more calls; the next call begins another. Nothing is sent twice.

use std::{collections::HashMap, future::ready, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

use super::Link;

/// Calls of one stream that are being answered, at most; the others wait in the connection.
const UNDER_WAY_MAX: usize = 1024;

/// Field numbers never change their meaning.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Call {
    /// The client's, to find who waits for the answer.
    #[prost(uint64, tag = "1")]
    number: u64,
    /// What is called, as both ends number it.
    #[prost(uint32, tag = "2")]
    method: u32,
    #[prost(bytes = "bytes", tag = "3")]
    message: Bytes,
    /// Nobody waits for the answer any longer, counted from the call's arrival.
    #[prost(uint32, tag = "4")]
    timeout_millis: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    /// The call's.
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    message: Bytes,
    /// In place of a message.
    #[prost(message, optional, tag = "3")]
    failed: Option<Failed>,
}

/// A status of gRPC.
#[derive(Clone, PartialEq, prost::Message)]
struct Failed {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(bytes = "bytes", tag = "3")]
    details: Bytes,
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self {
            code: status.code().into(),
            message: status.message().into(),
            details: Bytes::copy_from_slice(status.details()),
        }
    }
}

impl From<Failed> for Status {
    fn from(failed: Failed) -> Self {
        Self::with_details(Code::from(failed.code), failed.message, failed.details)
    }
}

/// The client's end of one connection.
#[derive(Debug)]
pub(crate) struct Calls {
    link: Link,
    /// Its path, as a method of gRPC.
    stream: &'static str,
    current: Mutex<Option<CallStream>>,
}

/// Cloned for each call; when the last is gone, the server's end learns that no calls follow.
#[derive(Debug, Clone)]
struct CallStream {
    /// Has no bound of its own: each caller has one call in it, or a few that it gave up.
    sender: mpsc::UnboundedSender<Call>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    num_calls: u64,
    by_number: HashMap<u64, oneshot::Sender<Result<Bytes, Status>>>,
    has_ended: bool,
}

/// Takes a call out when nobody waits for it any more.
struct Waiter<'a> {
    waiting: &'a Mutex<Waiting>,
    number: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.waiting.lock().by_number.remove(&self.number);
    }
}

impl Calls {
    /// Begins a stream with the first call.
    pub(crate) fn new(link: Link, stream: &'static str) -> Self {
        Self {
            link,
            stream,
            current: Mutex::new(None),
        }
    }

    /// One request, one answer, within `patience`. Inside of a tokio runtime.
    pub(crate) async fn call<Q, A>(
        &self,
        method: u32,
        message: &Q,
        patience: Duration,
    ) -> Result<A, Status>
    where
        Q: Message,
        A: Message + Default,
    {
        let (stream, number, answer) = self.enter();
        let waiter = Waiter {
            waiting: &stream.waiting,
            number,
        };
        let call = Call {
            number,
            method,
            message: message.encode_to_vec().into(),
            timeout_millis: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
        };
        if stream.sender.send(call).is_err() {
            // It ended meanwhile and has told the waiter so, unless the runtime that its task was on has gone.
            let mut waiting = stream.waiting.lock();
            waiting.has_ended = true;
            waiting.by_number.clear();
        }
        let answered = timeout(patience, answer).await;
        drop(waiter);
        let late = |_| Status::deadline_exceeded(format!("no answer within {patience:?}"));
        let answer = answered.map_err(late)?;
        let bytes = answer.map_err(|_| Status::unavailable("the stream of calls ended"))??;
        A::decode(bytes).map_err(|error| Status::internal(error.to_string()))
    }

    /// A place in a stream that takes calls.
    fn enter(&self) -> (CallStream, u64, oneshot::Receiver<Result<Bytes, Status>>) {
        let mut current = self.current.lock();
        loop {
            let stream = current.get_or_insert_with(|| CallStream::begin(&self.link, self.stream));
            if let Some((number, answer)) = stream.enter() {
                return (stream.clone(), number, answer);
            }
            *current = None;
        }
    }
}

impl CallStream {
    fn begin(link: &Link, stream: &'static str) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (link, for_task) = (link.clone(), Arc::clone(&waiting));
        tokio::spawn(async move {
            let calls = UnboundedReceiverStream::new(calls);
            let ended = match link.exchanged(stream, calls).await {
                Ok(answers) => hand_out(answers, &for_task).await,
                Err(status) => status,
            };
            let left = {
                let mut waiting = for_task.lock();
                waiting.has_ended = true;
                std::mem::take(&mut waiting.by_number)
            };
            for waiter in left.into_values() {
                drop(waiter.send(Err(ended.clone())));
            }
        });
        Self { sender, waiting }
    }

    /// `None` when the stream takes no calls any more.
    fn enter(&self) -> Option<(u64, oneshot::Receiver<Result<Bytes, Status>>)> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.has_ended {
            return None;
        }
        waiting.num_calls += 1;
        let number = waiting.num_calls;
        waiting.by_number.insert(number, sender);
        Some((number, answer))
    }
}

/// Gives answers to who waits for them. Why there are no more.
async fn hand_out(mut answers: Streaming<Answer>, waiting: &Mutex<Waiting>) -> Status {
    loop {
        let answer = match answers.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Status::unavailable("the server ended the stream of calls"),
            Err(status) => return status,
        };
        let waiter = waiting.lock().by_number.remove(&answer.number);
        if let Some(waiter) = waiter {
            let result = match answer.failed {
                Some(failed) => Err(failed.into()),
                None => Ok(answer.message),
            };
            drop(waiter.send(result));
        }
    }
}

/// The server's end: answers calls by `handle`, which gets method and message.
pub(crate) fn answered<H, F>(
    calls: Streaming<Call>,
    mut handle: H,
) -> impl Stream<Item = Result<Answer, Status>> + use<H, F>
where
    H: FnMut(u32, Bytes) -> F,
    F: Future<Output = Result<Bytes, Status>>,
{
    // The client that sent something else, or whose connection broke, begins another stream.
    let calls = calls.scan((), |(), call| ready(call.ok()));
    let answers = calls.map(move |call| {
        let patience = Duration::from_millis(call.timeout_millis.into());
        let handled = timeout(patience, handle(call.method, call.message));
        async move {
            let late = Status::deadline_exceeded("nobody waits for the answer any more");
            let (message, failed) = match handled.await.unwrap_or(Err(late)) {
                Ok(message) => (message, None),
                Err(status) => (Bytes::new(), Some(status.into())),
            };
            Answer {
                number: call.number,
                message,
                failed,
            }
        }
    });
    answers.buffer_unordered(UNDER_WAY_MAX).map(Ok)
}

/// Takes a message out of a call, and makes one of its answer.
pub(crate) async fn handled<Q, A, F>(
    message: Bytes,
    handle: impl FnOnce(Q) -> F,
) -> Result<Bytes, Status>
where
    Q: Message + Default,
    A: Message,
    F: Future<Output = Result<A, Status>>,
{
    let message = Q::decode(message).map_err(|e| Status::invalid_argument(e.to_string()))?;
    Ok(handle(message).await?.encode_to_vec().into())
}
