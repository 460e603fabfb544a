//! The body of a DoGet answer: schema, then batches as they come, then the status in the trailers.
//!
//! An HTTP body of our own instead of tonic's codec, which copies every byte once more on its way out.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Buf;
use coordinator::{Answer, BatchStream, Outcome, QueryError};
use futures::Stream;
use http::HeaderMap;
use http_body::Frame;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{encode::Encoder, schema::to_wire, segments::Segments, tickets::Tickets};
use crate::{metrics, status};

/// How long the first rows may keep the head of the answer.
const SETTLE: Duration = Duration::from_millis(5);

pub(crate) struct ResultBody {
    source: Source,
    schema: SchemaRef,
    encoder: Encoder,
    progress: Progress,
    /// The ticket to forget once all rows have gone out.
    ticket: Option<(Arc<Tickets>, Uuid)>,
}

enum Progress {
    Rows,
    /// The rows have ended so; the last messages and the trailers have still to go out.
    Status(Status),
    /// The trailers have gone out.
    Ended,
}

enum Source {
    Rows(Box<BatchStream>),
    Done { outcome: Arc<Outcome>, next: usize },
}

impl ResultBody {
    /// `schema` is what the client was told in `FlightInfo`.
    pub(super) fn new(answer: Answer, schema: SchemaRef) -> Self {
        match answer {
            Answer::Rows(rows) => Self::from_source(Source::Rows(Box::new(rows)), schema),
            Answer::Done(outcome) => Self::of_outcome(Arc::new(outcome), schema),
        }
    }

    pub(super) fn of_outcome(outcome: Arc<Outcome>, schema: SchemaRef) -> Self {
        Self::from_source(Source::Done { outcome, next: 0 }, schema)
    }

    fn from_source(source: Source, schema: SchemaRef) -> Self {
        Self {
            source,
            encoder: Encoder::new(&schema),
            schema,
            progress: Progress::Rows,
            ticket: None,
        }
    }

    /// The body for the query of a ticket.
    pub(super) fn redeeming(mut self, tickets: Arc<Tickets>, id: Uuid) -> Self {
        self.ticket = Some((tickets, id));
        self
    }

    fn end(&mut self, status: &Status) -> Frame<Segments> {
        if status.code() == Code::Ok
            && let Some((tickets, id)) = self.ticket.take()
        {
            tickets.sent(id);
        }
        trailers(status)
    }

    fn next_batch(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<RecordBatch, QueryError>>> {
        match &mut self.source {
            Source::Rows(rows) => Pin::new(rows.as_mut()).poll_next(cx),
            Source::Done { outcome, next } => {
                *next += 1;
                Poll::Ready(outcome.batches.get(*next - 1).cloned().map(Ok))
            }
        }
    }

    /// Gathers batches into messages: until one is complete, or the rows have ended.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while matches!(self.progress, Progress::Rows) {
            match ready!(self.next_batch(cx)) {
                Some(Ok(batch)) => {
                    let complete = self.encoder.messages();
                    let encoded =
                        to_wire(&batch, &self.schema).and_then(|batch| self.encoder.batch(&batch));
                    if let Err(error) = encoded {
                        let detail = format!("a result cannot be sent: {error}");
                        self.progress = Progress::Status(Status::internal(detail));
                    } else if self.encoder.messages() > complete {
                        return Poll::Ready(());
                    }
                }
                Some(Err(error)) => {
                    self.progress = Progress::Status(status::from_query(&error));
                }
                None => self.progress = Progress::Status(Status::ok("")),
            }
        }
        self.encoder.flush();
        Poll::Ready(())
    }

    /// Waits a little for the first message of rows or their end, so that the whole answer to a short query leaves in
    /// one piece. Each piece costs both sides a change of threads.
    pub(super) async fn settled(mut self) -> Self {
        let gathered = tokio::time::timeout(SETTLE, poll_fn(|cx| self.gather(cx)));
        // Later rows are sent as they come.
        let _late = gathered.await;
        self
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
        if self.encoder.messages() == 0 && self.gather(cx).is_pending() {
            // What is gathered goes out rather than wait for more.
            self.encoder.flush();
            if self.encoder.messages() == 0 {
                return Poll::Pending;
            }
        }
        if let Some(message) = self.encoder.message() {
            metrics::SENT_BYTES.inc_by(message.remaining() as u64);
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        Poll::Ready(
            match std::mem::replace(&mut self.progress, Progress::Ended) {
                Progress::Status(status) => Some(Ok(self.end(&status))),
                Progress::Rows | Progress::Ended => None,
            },
        )
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.progress, Progress::Ended)
    }
}
