//! Record batches -> gRPC messages of `FlightData`, without a copy of the values where their memory can be sent as it is.
//!
//! Shape of a message: `compressed flag (1 byte) | length (4 bytes, big-endian) | FlightData`, and of `FlightData`:
//! `data_header` (field 2: the IPC message with offsets into the body), then `data_body` (field 1000: the column buffers,
//! each padded to 64 bytes). tonic's own path copies the body twice, once into the IPC body and once into its send
//! buffer. Here [`body`](super::body) lends the column buffers of several batches to one message; nested types and
//! dictionaries are encoded by `arrow-ipc`, batch by batch, with one copy.
//! Source: Arrow columnar format, "Serialization and Interprocess Communication"; Flight.proto.

use std::collections::VecDeque;

use arrow::{
    array::{Array, RecordBatch},
    datatypes::Schema,
    error::ArrowError,
    ipc::writer::{
        CompressionContext, DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions,
    },
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{
    body::{self, Layout},
    segments::Segments,
};

/// Bytes of values a message holds at most, unless one row alone has more. Below the 4 MiB that clients built on tonic
/// accept by default; smaller messages cost the receiver a wake-up each.
pub(super) const BODY_BYTES_MAX: usize = 2 << 20;

/// Messages that are shorter together share a DATA frame. What HTTP/2 clients take unless they say otherwise.
const FRAME_BYTES: usize = 16 << 10;

/// Encodes one stream: dictionaries are remembered between its batches.
pub(super) struct Encoder {
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    compression: CompressionContext,
    /// How each column is lent to a message; `None` where a column has to be copied.
    layouts: Option<Vec<Layout>>,
    /// Batches of the message that is being gathered, and the bytes of their values.
    gathered: Vec<RecordBatch>,
    gathered_bytes: usize,
    messages: VecDeque<Segments>,
}

impl Encoder {
    /// The first message is the schema.
    pub(super) fn new(schema: &Schema) -> Self {
        let mut encoder = Self {
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(false),
            options: IpcWriteOptions::default(),
            compression: CompressionContext::default(),
            layouts: body::layouts(schema),
            gathered: Vec::new(),
            gathered_bytes: 0,
            messages: VecDeque::new(),
        };
        let encoded = encoder.generator.schema_to_bytes_with_dictionary_tracker(
            schema,
            &mut encoder.dictionaries,
            &encoder.options,
        );
        encoder.messages.push_back(whole(encoded));
        encoder
    }

    /// How many messages are complete.
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Whether columns are copied into messages.
    pub(super) fn copies(&self) -> bool {
        self.layouts.is_none()
    }

    /// Whether rows have been added that are in no message.
    pub(super) fn holds_rows(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// The next message that is complete.
    pub(super) fn message(&mut self) -> Option<Segments> {
        self.messages.pop_front()
    }

    /// The same, with those after it that share a DATA frame with it: a short answer is one frame.
    pub(super) fn frame(&mut self) -> Option<Segments> {
        let mut frame = self.messages.pop_front()?;
        while let Some(next) = self.messages.front()
            && frame.remaining() + next.remaining() <= FRAME_BYTES
            && let Some(next) = self.messages.pop_front()
        {
            frame.append(next);
        }
        Some(frame)
    }

    /// Adds a batch: to the message that is being gathered, or as several messages where it is large.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.layouts.is_none() {
            return self.copied(batch);
        }
        let bytes: usize = batch
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum();
        if let Some((front, back)) = halves(batch).filter(|_| bytes > BODY_BYTES_MAX) {
            self.batch(&front)?;
            return self.batch(&back);
        }
        if self.gathered_bytes + bytes > BODY_BYTES_MAX {
            self.flush();
        }
        self.gathered.push(batch.clone());
        self.gathered_bytes += bytes;
        Ok(())
    }

    /// Makes a message of what is gathered.
    pub(super) fn flush(&mut self) {
        let Some(layouts) = &self.layouts else { return };
        if self.gathered.is_empty() {
            return;
        }
        let body = body::of(&self.gathered, layouts);
        let mut message = Segments::default();
        message.push(prefix(&body.header, body.len));
        body.parts.into_iter().for_each(|part| message.push(part));
        self.messages.push_back(message);
        self.gathered.clear();
        self.gathered_bytes = 0;
    }

    fn copied(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let (dictionaries, rows) = self.generator.encode(
            batch,
            &mut self.dictionaries,
            &self.options,
            &mut self.compression,
        )?;
        self.messages.extend(dictionaries.into_iter().map(whole));
        // What nested rows take is known only once they are encoded.
        if let Some((front, back)) =
            halves(batch).filter(|_| rows.arrow_data.len() > BODY_BYTES_MAX)
        {
            self.copied(&front)?;
            return self.copied(&back);
        }
        self.messages.push_back(whole(rows));
        Ok(())
    }
}

fn halves(batch: &RecordBatch) -> Option<(RecordBatch, RecordBatch)> {
    let rows = batch.num_rows();
    let half = rows / 2;
    (rows > 1).then(|| (batch.slice(0, half), batch.slice(half, rows - half)))
}

fn whole(encoded: EncodedData) -> Segments {
    let mut message = Segments::default();
    message.push(prefix(&encoded.ipc_message, encoded.arrow_data.len()));
    message.push(encoded.arrow_data.into());
    message
}

/// Everything of a message before its body.
fn prefix(header: &[u8], body_len: usize) -> Bytes {
    const HEADER_FIELD: u32 = 2;
    const BODY_FIELD: u32 = 1000;
    let mut fields = BytesMut::with_capacity(header.len() + 32);
    encode_key(HEADER_FIELD, WireType::LengthDelimited, &mut fields);
    encode_varint(header.len() as u64, &mut fields);
    fields.extend_from_slice(header);
    // An empty body is left out, as protobuf does with default values.
    if body_len > 0 {
        encode_key(BODY_FIELD, WireType::LengthDelimited, &mut fields);
        encode_varint(body_len as u64, &mut fields);
    }
    let mut message = BytesMut::with_capacity(5 + fields.len());
    message.put_u8(0);
    message.put_u32((fields.len() + body_len) as u32);
    message.extend_from_slice(&fields);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{
            ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray,
            FixedSizeBinaryArray, Int64Array, LargeStringArray, ListArray, RecordBatchOptions,
            StringArray,
            types::{Int8Type, Int32Type},
        },
        compute::concat_batches,
        datatypes::SchemaRef,
    };
    use arrow_flight::{FlightData, decode::FlightRecordBatchStream};
    use bytes::Buf;
    use futures::{FutureExt, TryStreamExt};
    use prost::Message;

    use super::*;

    /// What a client makes of the stream, and the number of messages.
    fn sent(schema: &SchemaRef, batches: &[RecordBatch]) -> (RecordBatch, usize) {
        let mut encoder = Encoder::new(schema);
        for batch in batches {
            encoder.batch(batch).unwrap();
        }
        encoder.flush();
        let mut messages = Vec::new();
        while let Some(mut message) = encoder.message() {
            let mut bytes = message.copy_to_bytes(message.remaining());
            assert_eq!(bytes.get_u8(), 0);
            assert_eq!(bytes.get_u32() as usize, bytes.remaining());
            messages.push(FlightData::decode(bytes).unwrap());
        }
        let count = messages.len();
        let messages = futures::stream::iter(messages.into_iter().map(Ok));
        let got: Vec<_> = FlightRecordBatchStream::new_from_flight_data(messages)
            .try_collect()
            .now_or_never()
            .unwrap()
            .unwrap();
        (concat_batches(schema, &got).unwrap(), count)
    }

    /// Row `i` of each type; every `nulls`-th is null.
    fn rows(from: usize, count: usize, nulls: usize) -> RecordBatch {
        let of = |i: usize| (!i.is_multiple_of(nulls)).then_some(i);
        let range = from..from + count;
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "i",
                Arc::new(Int64Array::from_iter(
                    range.clone().map(|i| of(i).map(|i| i as i64)),
                )),
            ),
            (
                "d",
                Arc::new(Decimal128Array::from_iter(
                    range.clone().map(|i| of(i + 1).map(|i| i as i128)),
                )),
            ),
            (
                "b",
                Arc::new(BooleanArray::from_iter(
                    range.clone().map(|i| of(i + 2).map(|i| i % 3 == 0)),
                )),
            ),
            (
                "s",
                Arc::new(StringArray::from_iter(
                    range.clone().map(|i| of(i + 3).map(|i| "x".repeat(i % 7))),
                )),
            ),
            (
                "l",
                Arc::new(LargeStringArray::from_iter(
                    range.clone().map(|i| of(i).map(|i| i.to_string())),
                )),
            ),
            (
                "y",
                Arc::new(BinaryArray::from_iter(
                    range.clone().map(|i| of(i).map(|i| i.to_le_bytes())),
                )),
            ),
            (
                "f",
                Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                        range.clone().map(|i| of(i).map(|i| [i as u8; 3])),
                        3,
                    )
                    .unwrap(),
                ),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    #[test]
    fn batches_of_any_offset_arrive_as_one_message() {
        for nulls in [1, 2, 5, usize::MAX] {
            let all = rows(1, 3000, nulls);
            // Slices begin inside a byte of the bitmaps, and one is empty.
            let batches = [
                all.slice(3, 1000),
                all.slice(1003, 0),
                all.slice(1003, 5),
                all.slice(1008, 1992),
            ];
            let (got, messages) = sent(&all.schema(), &batches);
            assert_eq!(got, all.slice(3, 2997), "every {nulls}th null");
            assert_eq!(messages, 2);
        }
    }

    #[test]
    fn a_large_batch_becomes_several_messages() {
        let all = rows(0, 100_000, 4);
        let (got, messages) = sent(&all.schema(), &[all.slice(1, 99_999)]);
        assert_eq!(got, all.slice(1, 99_999));
        assert!(messages > 3, "{messages} messages");
    }

    #[test]
    fn no_message_is_larger_than_clients_take_however_rows_differ() {
        let long = |i: usize| "x".repeat(if i < 100 { 60_000 } else { 1 });
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..8000).map(long)));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths((0..8000).map(|_| 1));
        let item = Arc::new(arrow::datatypes::Field::new_list_field(
            texts.data_type().clone(),
            true,
        ));
        let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::clone(&texts), None));
        for column in [texts, lists] {
            let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
            let mut encoder = Encoder::new(&batch.schema());
            encoder.batch(&batch).unwrap();
            encoder.flush();
            let mut sizes = Vec::new();
            while let Some(message) = encoder.message() {
                sizes.push(message.remaining());
            }
            assert!(sizes.iter().all(|size| *size < 4 << 20), "{sizes:?}");
            assert!(sizes.len() < 20, "{sizes:?}");
            assert_eq!(sent(&batch.schema(), std::slice::from_ref(&batch)).0, batch);
        }
    }

    #[test]
    fn nested_columns_and_dictionaries_arrive() {
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ]));
        let word: DictionaryArray<Int8Type> =
            vec![Some("a"), None, Some("b")].into_iter().collect();
        let batch =
            RecordBatch::try_from_iter([("l", list), ("w", Arc::new(word) as ArrayRef)]).unwrap();
        let (got, _) = sent(&batch.schema(), &[batch.slice(0, 2), batch.slice(2, 1)]);
        assert_eq!(got.num_rows(), 3);
        assert_eq!(got.column(0), batch.column(0));
    }

    #[test]
    fn rows_without_columns_and_no_rows_arrive() {
        let schema = Arc::new(Schema::empty());
        let of = |count| {
            let options = RecordBatchOptions::new().with_row_count(Some(count));
            RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).unwrap()
        };
        assert_eq!(sent(&schema, &[of(3), of(4)]).0.num_rows(), 7);
        let none = rows(0, 0, 1);
        assert_eq!(sent(&none.schema(), std::slice::from_ref(&none)).0, none);
    }
}
