//! The body of a DoGet answer: schema, then batches as they come, then the status in the trailers.
//!
//! An HTTP body of our own instead of tonic's codec, which copies every byte once more on its way out.
//! A short result is made into messages where it is sent, and sent as it comes. Once it turns out to be long, rows wait a
//! little for others to share a message with, and messages that take time to make are made [ahead](super::ahead).

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use arrow::datatypes::SchemaRef;
use bytes::Buf;
use coordinator::{Answer, Outcome, QueryThreads};
use futures::stream;
use http::HeaderMap;
use http_body::Frame;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{
    ahead::{AHEAD_BYTES, Ahead},
    encode::BODY_BYTES_MAX,
    gather::{Gathering, PATIENCE},
    segments::Segments,
    tickets::Tickets,
};
use crate::metrics;

/// How long the first rows may keep the head of the answer.
const SETTLE: Duration = Duration::from_millis(5);
/// A result is long when it has more to say after so many bytes.
const LONG_BYTES: usize = BODY_BYTES_MAX / 2;

pub(crate) struct ResultBody {
    rest: Rest,
    /// Since it was last asked whether messages are to be made ahead.
    sent_bytes: usize,
    long: bool,
    /// The ticket to forget once all rows have gone out.
    ticket: Option<(Arc<Tickets>, Uuid)>,
}

/// What has still to be sent.
enum Rest {
    /// Made into messages by whoever asks for them.
    Here {
        gathering: Box<Gathering>,
        /// Those of the query, if it is a query's.
        threads: Option<QueryThreads>,
    },
    Ahead(Ahead),
    /// The trailers have gone out.
    Nothing,
}

impl ResultBody {
    /// `schema` is what the client was told in `FlightInfo`.
    pub(super) fn new(answer: Answer, schema: SchemaRef) -> Self {
        match answer {
            Answer::Rows(rows) => {
                let threads = rows.threads();
                Self::of(Gathering::new(rows, schema), Some(threads))
            }
            Answer::Done(outcome) => Self::of_outcome(Arc::new(outcome), schema),
        }
    }

    pub(super) fn of_outcome(outcome: Arc<Outcome>, schema: SchemaRef) -> Self {
        let mut next = 0;
        let batches = std::iter::from_fn(move || {
            next += 1;
            outcome.batches.get(next - 1).cloned().map(Ok)
        });
        Self::of(Gathering::new(stream::iter(batches), schema), None)
    }

    fn of(gathering: Gathering, threads: Option<QueryThreads>) -> Self {
        Self {
            rest: Rest::Here {
                gathering: Box::new(gathering),
                threads,
            },
            sent_bytes: 0,
            long: false,
            ticket: None,
        }
    }

    /// The body for the query of a ticket.
    pub(super) fn redeeming(mut self, tickets: Arc<Tickets>, id: Uuid) -> Self {
        self.ticket = Some((tickets, id));
        self
    }

    /// Waits a little for the first message of rows or their end, so that the whole answer to a short query leaves in
    /// one piece. Each piece costs both sides a change of threads.
    pub(super) async fn settled(mut self) -> Self {
        if let Rest::Here { gathering, .. } = &mut self.rest {
            let gathered = tokio::time::timeout(SETTLE, poll_fn(|cx| gathering.poll(cx)));
            // Later rows are sent as they come.
            let _late = gathered.await;
        }
        self
    }

    /// The next message, or how the rows have ended.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Segments, Status>> {
        if self.sent_bytes >= LONG_BYTES {
            self.long = true;
            self.make_ahead();
        }
        let gathering = match &mut self.rest {
            Rest::Here { gathering, .. } => gathering,
            Rest::Ahead(ahead) => return ahead.poll(cx),
            Rest::Nothing => return Poll::Ready(Err(Status::ok(""))),
        };
        if let Some(message) = gathering.frame() {
            return Poll::Ready(Ok(message));
        }
        let gathered = match self.long {
            true => gathering.poll_patiently(cx, PATIENCE),
            // What is gathered goes out rather than wait for more.
            false => {
                let gathered = gathering.poll(cx);
                gathering.flush();
                gathered
            }
        };
        if let Some(message) = gathering.frame() {
            return Poll::Ready(Ok(message));
        }
        ready!(gathered);
        let status = gathering.ended().cloned();
        Poll::Ready(Err(status.unwrap_or_else(|| {
            Status::internal("a result ended before its rows")
        })))
    }

    /// Leaves the making of messages to the query's threads, where it takes time, rows are left, and there is memory for it.
    fn make_ahead(&mut self) {
        self.sent_bytes = 0;
        let charge = match &self.rest {
            Rest::Here {
                gathering,
                threads: Some(threads),
            } if gathering.works() && gathering.ended().is_none() => {
                threads.charge("messages of a result", AHEAD_BYTES)
            }
            _ => None,
        };
        let Some(charge) = charge else { return };
        if let Rest::Here {
            gathering,
            threads: Some(threads),
        } = std::mem::replace(&mut self.rest, Rest::Nothing)
        {
            self.rest = Rest::Ahead(Ahead::new(*gathering, threads, charge));
        }
    }

    fn end(&mut self, status: &Status) -> Frame<Segments> {
        self.rest = Rest::Nothing;
        if status.code() == Code::Ok
            && let Some((tickets, id)) = self.ticket.take()
        {
            tickets.sent(id);
        }
        trailers(status)
    }
}

fn trailers(status: &Status) -> Frame<Segments> {
    metrics::request("DoGet", status.code());
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        trailers.insert("grpc-status", http::HeaderValue::from_static("13"));
    }
    Frame::trailers(trailers)
}

impl http_body::Body for ResultBody {
    type Data = Segments;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Segments>, Infallible>>> {
        if matches!(self.rest, Rest::Nothing) {
            return Poll::Ready(None);
        }
        let frame = match ready!(self.poll_message(cx)) {
            Ok(message) => {
                self.sent_bytes += message.remaining();
                metrics::SENT_BYTES.inc_by(message.remaining() as u64);
                Frame::data(message)
            }
            Err(status) => self.end(&status),
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }
}
