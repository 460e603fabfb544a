//! What a batch that a client sends says of itself, looked at before anything is made of it.
//!
//! A few bytes can claim a column of 2^47 nulls, or a body that is a petabyte once it is decompressed, and a process that
//! cannot allocate what it asked for is ended. Rows that lie in the body take a bit at least.
//! Format: the messages of Arrow's IPC; a compressed buffer begins with the length it will have, 8 bytes, -1 for one that
//! was left as it is.

use arrow::ipc::{self, MessageHeader};
use arrow_flight::FlightData;
use tonic::Status;

/// Of a message, decompressed.
const BODY_BYTES_MAX: u64 = 256 << 20;
/// Values of all columns that need no bytes in the body, as those of columns of type Null do not.
const VALUES_MAX: u64 = 16 << 20;
const PREFIX_BYTES: usize = 8;

/// Errors: `INVALID_ARGUMENT` for lengths that cannot be, `RESOURCE_EXHAUSTED` for more than a message may hold.
pub(super) fn check(message: &FlightData) -> Result<(), Status> {
    let Some((batch, body)) = batch(message) else {
        // What is no message is the decoder's to refuse.
        return Ok(());
    };
    let body_bytes = match batch.compression() {
        Some(_) => decompressed_bytes(batch, body)?,
        None => body.len() as u64,
    };
    if body_bytes > BODY_BYTES_MAX {
        return Err(Status::resource_exhausted(format!(
            "a batch has {body_bytes} bytes once it is decompressed, more than {BODY_BYTES_MAX}\nhint: send smaller batches"
        )));
    }
    let count = |length: i64| u64::try_from(length).map_err(|_| senseless());
    let mut nodes = batch.nodes().into_iter().flatten();
    let values = nodes.try_fold(0u64, |sum, node| {
        Ok::<_, Status>(sum.saturating_add(count(node.length())?))
    })?;
    let values = values.max(count(batch.length())?);
    if values > VALUES_MAX.max(body_bytes.saturating_mul(8)) {
        return Err(Status::resource_exhausted(format!(
            "a batch claims {values} values in {body_bytes} bytes\nhint: send smaller batches"
        )));
    }
    Ok(())
}

fn batch(message: &FlightData) -> Option<(ipc::RecordBatch<'_>, &[u8])> {
    let header = ipc::root_as_message(&message.data_header).ok()?;
    let batch = match header.header_type() {
        MessageHeader::DictionaryBatch => header.header_as_dictionary_batch()?.data(),
        _ => header.header_as_record_batch(),
    };
    Some((batch?, &message.data_body))
}

fn decompressed_bytes(batch: ipc::RecordBatch<'_>, body: &[u8]) -> Result<u64, Status> {
    let buffers = batch.buffers().into_iter().flatten();
    buffers
        .filter(|buffer| buffer.length() != 0)
        .try_fold(0u64, |sum, buffer| {
            let prefix = usize::try_from(buffer.offset()).ok();
            let prefix = prefix.and_then(|start| body.get(start..)?.first_chunk::<PREFIX_BYTES>());
            let claimed = match i64::from_le_bytes(*prefix.ok_or_else(senseless)?) {
                -1 => buffer.length(),
                claimed => claimed,
            };
            let claimed = u64::try_from(claimed).map_err(|_| senseless())?;
            Ok(sum.saturating_add(claimed))
        })
}

fn senseless() -> Status {
    Status::invalid_argument("the rows cannot be decoded: a message contradicts itself")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, BooleanArray, NullArray, RecordBatch, StringArray},
        ipc::{
            CompressionType,
            writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions},
        },
    };
    use tonic::Code;

    use super::*;

    fn message(column: ArrayRef, compression: Option<CompressionType>) -> FlightData {
        let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
        let options = IpcWriteOptions::default()
            .try_with_compression(compression)
            .unwrap();
        let encoded = IpcDataGenerator::default().encode(
            &batch,
            &mut DictionaryTracker::new(false),
            &options,
            &mut CompressionContext::default(),
        );
        encoded.unwrap().1.into()
    }

    fn code(message: &FlightData) -> Code {
        check(message).map_or_else(|status| status.code(), |()| Code::Ok)
    }

    #[test]
    fn batches_pass_compressed_or_not() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a text that repeats itself"; 1000]));
        for compression in [
            None,
            Some(CompressionType::LZ4_FRAME),
            Some(CompressionType::ZSTD),
        ] {
            assert_eq!(code(&message(Arc::clone(&text), compression)), Code::Ok);
        }
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true; 64 << 20]));
        assert_eq!(code(&message(flags, None)), Code::Ok);
        assert_eq!(
            code(&message(Arc::new(NullArray::new(1000)), None)),
            Code::Ok
        );
    }

    #[test]
    fn bodies_that_would_be_larger_than_memory_are_refused() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a text that repeats itself"; 1000]));
        let mut message = message(text, Some(CompressionType::LZ4_FRAME));
        let (batch, _) = batch(&message).unwrap();
        let start = batch
            .buffers()
            .unwrap()
            .iter()
            .map(|buffer| buffer.offset())
            .max()
            .unwrap() as usize;
        for (claimed, expected) in [
            (1 << 50, Code::ResourceExhausted),
            (i64::MAX, Code::ResourceExhausted),
            (-2, Code::InvalidArgument),
        ] {
            let mut body = message.data_body.to_vec();
            body[start..start + PREFIX_BYTES].copy_from_slice(&i64::to_le_bytes(claimed));
            message.data_body = body.into();
            assert_eq!(code(&message), expected);
        }
    }

    #[test]
    fn values_without_bytes_are_limited() {
        let nulls = message(Arc::new(NullArray::new(1 << 47)), None);
        assert_eq!(code(&nulls), Code::ResourceExhausted);
    }
}
