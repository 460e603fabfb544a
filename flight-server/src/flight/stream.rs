//! The body of a DoGet answer: schema, then batches as they come, then the status in the trailers.
//!
//! An HTTP body of our own instead of tonic's codec, which copies every byte once more on its way out.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;
use coordinator::{Answer, BatchStream, Outcome, QueryError};
use futures::Stream;
use http::HeaderMap;
use http_body::Frame;
use tonic::Status;

use super::{
    encode::{Encoder, Parts},
    schema::to_wire,
};
use crate::{metrics, status};

pub(super) struct ResultBody {
    source: Source,
    schema: SchemaRef,
    encoder: Encoder,
    ready: Parts,
    /// Set once the trailers have gone out.
    ended: bool,
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
        let (mut encoder, mut ready) = (Encoder::new(), Parts::new());
        encoder.schema(&schema, &mut ready);
        Self {
            source,
            schema,
            encoder,
            ready,
            ended: false,
        }
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

    fn encode(&mut self, batch: &RecordBatch) -> Result<(), Status> {
        let internal =
            |e: arrow::error::ArrowError| Status::internal(format!("a result cannot be sent: {e}"));
        let batch = to_wire(batch, &self.schema).map_err(internal)?;
        self.encoder
            .batch(&batch, &mut self.ready)
            .map_err(internal)
    }

    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.ended = true;
        metrics::request("DoGet", status.code());
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            trailers.insert("grpc-status", http::HeaderValue::from_static("13"));
        }
        Frame::trailers(trailers)
    }
}

impl http_body::Body for ResultBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(part) = self.ready.pop_front() {
                metrics::SENT_BYTES.inc_by(part.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            let status = match ready!(self.next_batch(cx)) {
                Some(Ok(batch)) => match self.encode(&batch) {
                    Ok(()) => continue,
                    Err(status) => status,
                },
                Some(Err(error)) => status::from_query(&error),
                None => Status::ok(""),
            };
            return Poll::Ready(Some(Ok(self.end(&status))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
