//! Messages of a long result, made on the query's threads while the connection's thread sends earlier ones.
//!
//! ```text
//!  query threads                                                   the connection's thread
//!  driver -> [8 batches] -> cast, encode -> [MESSAGES_AHEAD] ->    HTTP/2
//! ```
//! A connection has one thread, which all its streams share: what takes long is done elsewhere. Columns that are only lent
//! to messages take no time, and stay.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use coordinator::{Charge, QueryThreads};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::{
    encode::BODY_BYTES_MAX,
    gather::{Gathering, PATIENCE},
    segments::Segments,
};

/// Messages that wait to be sent.
const MESSAGES_AHEAD: usize = 2;
/// What waits, and what is being made. Bytes.
pub(super) const AHEAD_BYTES: usize = (MESSAGES_AHEAD + 1) * BODY_BYTES_MAX;

/// The messages of a result that have not been sent. Dropping it stops the query.
pub(super) struct Ahead {
    messages: mpsc::Receiver<Segments>,
    /// Ends as the rows do.
    work: AbortOnDropHandle<Status>,
    /// Stops the query at once, where `work` would have to get a thread first.
    _threads: QueryThreads,
    _charge: Charge,
}

impl Ahead {
    /// `charge` is for [`AHEAD_BYTES`].
    pub(super) fn new(gathering: Gathering, threads: QueryThreads, charge: Charge) -> Self {
        let (sender, messages) = mpsc::channel(MESSAGES_AHEAD);
        Self {
            messages,
            work: threads.spawn(make(gathering, sender)),
            _threads: threads,
            _charge: charge,
        }
    }

    /// The next message, or how the rows have ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Segments, Status>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Ok(message));
        }
        let ended = ready!(Pin::new(&mut self.work).poll(cx));
        let status = ended.unwrap_or_else(|error| {
            Status::internal(format!("the task that encodes the result stopped: {error}"))
        });
        Poll::Ready(Err(status))
    }
}

async fn make(mut gathering: Gathering, sender: mpsc::Sender<Segments>) -> Status {
    loop {
        while let Some(message) = gathering.message() {
            if sender.send(message).await.is_err() {
                return Status::cancelled("the client has left");
            }
        }
        if let Some(status) = gathering.ended() {
            return status.clone();
        }
        gathering.fill(PATIENCE).await;
    }
}
