//! Short calls to one server, all in one stream: for each a message there and one back.
//!
//! ```text
//! callers ──number, method, message──> stream of HTTP/2 ──> handlers, many at once: [`super::answers`]
//!         <──number, answer or status───────────────────────────┘ in the order they are done
//! ```
//!
//! A stream of HTTP/2 for each call costs both ends several times what the store does for a short one: its headers, its
//! windows, the tasks and timers of its own. Here what is ready goes out together, in one frame and one write.
//!
//! Invariants:
//! - A call ends once: with its answer, with the end of the stream, or when its time is over.
//! - A stream that ended takes no more calls; the next call begins another. Nothing is sent twice.
//! - A call that is given up is not sent any more, or the server is told that nobody waits.

use std::{collections::HashMap, future::ready, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::{Code, Status, Streaming};

use super::Link;

/// Calls that go out at once, at most.
const TOGETHER_MAX: usize = 256;

/// Field numbers never change their meaning.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Call {
    /// The client's, to find who waits for the answer.
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    /// What is called, as both ends number it.
    #[prost(uint32, tag = "2")]
    pub(super) method: u32,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) message: Bytes,
    /// Nobody waits for the answer any longer, counted from the call's arrival.
    #[prost(uint32, tag = "4")]
    pub(super) timeout_millis: u32,
    /// No call: nobody waits for the answer to the one of this number. An older server takes it for one whose time is over.
    #[prost(bool, tag = "5")]
    pub(super) is_given_up: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    /// The call's.
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) message: Bytes,
    /// In place of a message.
    #[prost(message, optional, tag = "3")]
    pub(super) failed: Option<Failed>,
}

/// A status of gRPC.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Failed {
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

/// Gives a call up when nobody waits for it any more.
struct Waiter<'a> {
    stream: &'a CallStream,
    number: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let waiter = self.stream.waiting.lock().by_number.remove(&self.number);
        if waiter.is_some() {
            let given_up = Call {
                number: self.number,
                is_given_up: true,
                ..Call::default()
            };
            // Where the stream has ended, so has the call.
            drop(self.stream.sender.send(given_up));
        }
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
            stream: &stream,
            number,
        };
        let call = Call {
            number,
            method,
            message: message.encode_to_vec().into(),
            timeout_millis: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
            is_given_up: false,
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
        let unsent = Arc::clone(&waiting);
        // While a connection is made calls may wait, and be given up, for long.
        let is_wanted = move |call: &Call| {
            call.is_given_up || unsent.lock().by_number.contains_key(&call.number)
        };
        tokio::spawn(async move {
            let calls = together(calls).filter(move |call| ready(is_wanted(call)));
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

/// Who was answered together calls again together. But the first of them wakes the task that writes, which would run before
/// the others do, and each call would be a write of its own; so it lets them go first.
fn together(calls: mpsc::UnboundedReceiver<Call>) -> impl Stream<Item = Call> {
    let some = stream::unfold(calls, |mut calls| async move {
        let mut some = vec![calls.recv().await?];
        tokio::task::yield_now().await;
        while some.len() < TOGETHER_MAX
            && let Ok(call) = calls.try_recv()
        {
            some.push(call);
        }
        Some((stream::iter(some), calls))
    });
    some.flatten()
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
