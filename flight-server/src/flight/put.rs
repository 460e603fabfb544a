//! The rows a client sends with DoPut.
//!
//! Some clients send a schema and batches after the descriptor, some a schema without columns, and some nothing at all.
//! Errors: `INVALID_ARGUMENT` for bytes that are no batches, also where decoding them panics; `RESOURCE_EXHAUSTED` for
//! more values than a message, a statement, or the server's memory may hold.

use std::panic::AssertUnwindSafe;

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use arrow_flight::{FlightData, decode::FlightRecordBatchStream, error::FlightError};
use coordinator::{Charge, Session, error_chain};
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::{Code, Status};

use super::claims;
use crate::status;

/// Values bound to one statement, in bytes of memory.
const BOUND_BYTES_MAX: usize = 256 << 20;

/// Values bound to a statement.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) rows: RecordBatch,
    _charge: Charge,
}

/// The batches of a DoPut, its columns once the first message has told them.
pub(super) struct PutRows {
    batches: FlightRecordBatchStream,
}

impl PutRows {
    /// `first` is the message with the descriptor, `rest` what follows it.
    pub(super) fn new(
        first: FlightData,
        rest: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
    ) -> Self {
        let messages = futures::stream::iter([Ok(first)])
            .chain(rest)
            // A message without a header carries a descriptor or nothing.
            .try_filter(|message| std::future::ready(!message.data_header.is_empty()))
            .and_then(|message| std::future::ready(claims::check(&message).map(|()| message)))
            .map_err(|status| FlightError::Tonic(Box::new(status)));
        Self {
            batches: FlightRecordBatchStream::new_from_flight_data(messages),
        }
    }

    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch, Status>> {
        // Arrow's decoder asserts on lengths that the client wrote.
        let decoded = AssertUnwindSafe(self.batches.next());
        match futures::FutureExt::catch_unwind(decoded).await {
            Ok(batch) => batch.map(|batch| batch.map_err(|error| refused(&error))),
            Err(_) => Some(Err(Status::invalid_argument(
                "the rows cannot be decoded: a message contradicts itself",
            ))),
        }
    }

    /// Columns of the rows; `None` where the client has not told any.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.batches.schema().cloned()
    }

    /// All rows as one batch, to be bound to a statement of `session`; `None` where the client sent no columns.
    pub(super) async fn values(mut self, session: &Session) -> Result<Option<Values>, Status> {
        let (mut batches, mut bytes) = (Vec::new(), 0usize);
        let charge = session.charge("bound values");
        while let Some(batch) = self.next().await.transpose()? {
            bytes = bytes.saturating_add(batch.get_array_memory_size());
            if bytes > BOUND_BYTES_MAX {
                return Err(Status::resource_exhausted(format!(
                    "values of more than {BOUND_BYTES_MAX} bytes are bound at once\nhint: send them in several parts, or ingest them"
                )));
            }
            charge
                .try_grow(batch.get_array_memory_size())
                .map_err(|e| status::from_query(&e))?;
            batches.push(batch);
        }
        let Some(schema) = self.schema().filter(|schema| !schema.fields().is_empty()) else {
            return Ok(None);
        };
        let all = concat_batches(&schema, &batches);
        let all = all.map(|rows| {
            Some(Values {
                rows,
                _charge: charge,
            })
        });
        all.map_err(|e| {
            status::bounded(
                Code::InvalidArgument,
                format!("the values cannot be used: {e}"),
            )
        })
    }
}

fn refused(error: &FlightError) -> Status {
    match error {
        FlightError::Tonic(status) if status.code() != Code::Unknown => Status::clone(status),
        other => status::bounded(
            Code::InvalidArgument,
            format!("the rows cannot be decoded: {}", error_chain(other)),
        ),
    }
}
