//! Batches of a result, as they come -> messages.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use coordinator::QueryError;
use futures::Stream;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::{encode::Encoder, schema::to_wire, segments::Segments};
use crate::status;

/// How long the rows of a long result wait for others to share a message with: each message costs the receiver a wake-up.
pub(super) const PATIENCE: Duration = Duration::from_millis(2);

/// The rows of a result that are not messages yet.
pub(super) struct Gathering {
    rows: Pin<Box<dyn Stream<Item = Result<RecordBatch, QueryError>> + Send>>,
    /// What the client was told.
    schema: SchemaRef,
    encoder: Encoder,
    /// How the rows have ended, once they have.
    ended: Option<Status>,
    /// Whether values have been cast or copied for messages.
    works: bool,
    /// When the rows of the next message have waited for others long enough.
    late: Option<Pin<Box<Sleep>>>,
}

impl Gathering {
    /// The first message is the schema.
    pub(super) fn new(
        rows: impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
        schema: SchemaRef,
    ) -> Self {
        Self {
            rows: Box::pin(rows),
            encoder: Encoder::new(&schema),
            schema,
            ended: None,
            works: false,
            late: None,
        }
    }

    /// Whether making messages takes time: values are cast or copied, and not only lent.
    pub(super) fn works(&self) -> bool {
        self.works
    }

    /// The next message that is complete.
    pub(super) fn message(&mut self) -> Option<Segments> {
        self.encoder.message()
    }

    /// The same, with those that share a DATA frame with it.
    pub(super) fn frame(&mut self) -> Option<Segments> {
        self.encoder.frame()
    }

    /// How the rows have ended, if they have. Messages may be left.
    pub(super) fn ended(&self) -> Option<&Status> {
        self.ended.as_ref()
    }

    /// Ready with a full message, or with the end of the rows.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.ended.is_none() {
            match ready!(self.rows.as_mut().poll_next(cx)) {
                Some(Ok(batch)) => {
                    let complete = self.encoder.messages();
                    self.works |= self.encoder.copies() || is_cast(&batch, &self.schema);
                    let encoded =
                        to_wire(&batch, &self.schema).and_then(|batch| self.encoder.batch(&batch));
                    if let Err(error) = encoded {
                        let detail = format!("a result cannot be sent: {error}");
                        self.ended = Some(Status::internal(detail));
                    } else if self.encoder.messages() > complete {
                        return Poll::Ready(());
                    }
                }
                Some(Err(error)) => self.ended = Some(status::from_query(&error)),
                None => self.ended = Some(Status::ok("")),
            }
        }
        self.encoder.flush();
        Poll::Ready(())
    }

    /// Makes a message of what there is, however little.
    pub(super) fn flush(&mut self) {
        self.encoder.flush();
    }

    /// The same, and ready with less where the rows there are have waited for others for `patience`.
    pub(super) fn poll_patiently(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        if self.poll(cx).is_pending() {
            if !self.encoder.holds_rows() {
                return Poll::Pending;
            }
            let wait = || Box::pin(sleep(patience));
            ready!(self.late.get_or_insert_with(wait).as_mut().poll(cx));
            self.flush();
        }
        self.late = None;
        Poll::Ready(())
    }

    pub(super) async fn fill(&mut self, patience: Duration) {
        poll_fn(|cx| self.poll_patiently(cx, patience)).await;
    }
}

fn is_cast(batch: &RecordBatch, schema: &SchemaRef) -> bool {
    let columns = batch.columns().iter().zip(schema.fields());
    let mut types = columns.map(|(column, field)| (column.data_type(), field.data_type()));
    types.any(|(given, sent)| given != sent)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use bytes::Buf;
    use futures::{StreamExt, stream};
    use tonic::Code;

    use super::*;

    fn batch() -> RecordBatch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        RecordBatch::try_from_iter([("v", values)]).unwrap()
    }

    /// Six batches, each of which has to be waited for.
    fn slow() -> Gathering {
        let batches = stream::iter(0..6).then(|_| async {
            tokio::task::yield_now().await;
            Ok(batch())
        });
        Gathering::new(batches, batch().schema())
    }

    /// Bytes of the messages but the schema's.
    async fn filled(mut gathering: Gathering, patience: Duration) -> Vec<usize> {
        assert!(gathering.message().is_some());
        let mut sizes = Vec::new();
        loop {
            gathering.fill(patience).await;
            while let Some(message) = gathering.message() {
                sizes.push(message.remaining());
            }
            if let Some(status) = gathering.ended() {
                assert_eq!(status.code(), Code::Ok);
                return sizes;
            }
        }
    }

    #[tokio::test]
    async fn rows_that_come_soon_share_a_message() {
        let sizes = filled(slow(), Duration::from_secs(3600)).await;
        assert_eq!(sizes.len(), 1);
        assert!(sizes[0] > 6 * 8000, "{sizes:?}");
    }

    #[tokio::test]
    async fn rows_do_not_wait_for_long_for_others() {
        let never = stream::iter([Ok(batch())]).chain(stream::pending());
        let mut gathering = Gathering::new(never, batch().schema());
        gathering.message();
        gathering.fill(Duration::from_millis(1)).await;
        assert!(gathering.message().is_some_and(|m| m.remaining() > 8000));
        assert!(gathering.ended().is_none());
    }

    #[tokio::test]
    async fn rows_before_an_error_are_sent_and_then_the_error() {
        let failed = QueryError::ShuttingDown;
        let rows = stream::iter([Ok(batch()), Err(failed)]);
        let mut gathering = Gathering::new(rows, batch().schema());
        gathering.message();
        gathering.fill(Duration::from_secs(3600)).await;
        assert!(gathering.message().is_some_and(|m| m.remaining() > 8000));
        let code = gathering.ended().map(Status::code);
        assert_eq!(code, Some(Code::Unavailable));
    }
}
