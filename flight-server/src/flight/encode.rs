//! Record batches -> gRPC messages of `FlightData`, without a copy of the values where their memory can be sent as it is.
//!
//! Shape of a message: `compressed flag (1 byte) | length (4 bytes, big-endian) | FlightData`, and of `FlightData`:
//! `data_header` (field 2: the IPC message with offsets into the body), then `data_body` (field 1000: the column buffers,
//! each padded to 64 bytes). tonic's own path copies the body twice, once into the IPC body and once into its send
//! buffer. Here fixed-width columns are sent from where they are; all others are encoded by `arrow-ipc` with one copy.
//! Source: Arrow columnar format, "Serialization and Interprocess Communication"; Flight.proto.

use std::collections::VecDeque;

use arrow::{
    array::{Array, RecordBatch},
    buffer::Buffer,
    datatypes::{DataType, Schema},
    error::ArrowError,
    ipc::{
        self, MetadataVersion,
        writer::{
            CompressionContext, DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions,
        },
    },
};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of values a message holds at most, unless one row alone has more. Below every client's receive limit.
const BODY_BYTES_MAX: usize = 2 << 20;
/// Column buffers begin at multiples of this in the body, as in memory.
const ALIGNMENT: usize = 64;
static PADDING: [u8; ALIGNMENT] = [0; ALIGNMENT];

/// Encodes one stream: dictionaries are remembered between its batches.
pub(super) struct Encoder {
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    compression: CompressionContext,
}

/// Parts of messages in the order they go out. A part may end in the middle of a message.
pub(super) type Parts = VecDeque<Bytes>;

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(false),
            options: IpcWriteOptions::default(),
            compression: CompressionContext::default(),
        }
    }

    /// The message every stream begins with.
    pub(super) fn schema(&mut self, schema: &Schema, parts: &mut Parts) {
        let encoded = self.generator.schema_to_bytes_with_dictionary_tracker(
            schema,
            &mut self.dictionaries,
            &self.options,
        );
        whole(encoded, parts);
    }

    /// The messages of a batch, cut into several where it is large.
    pub(super) fn batch(
        &mut self,
        batch: &RecordBatch,
        parts: &mut Parts,
    ) -> Result<(), ArrowError> {
        let rows = batch.num_rows();
        let bytes: usize = batch
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum();
        let messages = bytes.div_ceil(BODY_BYTES_MAX).clamp(1, rows.max(1));
        let rows_each = rows.div_ceil(messages).max(1);
        for start in (0..rows.max(1)).step_by(rows_each) {
            let part = batch.slice(start, rows_each.min(rows - start));
            match in_place(&part) {
                Some((header, buffers, body_len)) => {
                    parts.push_back(prefix(header.len(), body_len, &header));
                    parts.extend(buffers);
                }
                None => self.copied(&part, parts)?,
            }
        }
        Ok(())
    }

    fn copied(&mut self, batch: &RecordBatch, parts: &mut Parts) -> Result<(), ArrowError> {
        let (dictionaries, rows) = self.generator.encode(
            batch,
            &mut self.dictionaries,
            &self.options,
            &mut self.compression,
        )?;
        for message in dictionaries {
            whole(message, parts);
        }
        whole(rows, parts);
        Ok(())
    }
}

fn whole(encoded: EncodedData, parts: &mut Parts) {
    let EncodedData {
        ipc_message,
        arrow_data,
    } = encoded;
    parts.push_back(prefix(ipc_message.len(), arrow_data.len(), &ipc_message));
    if !arrow_data.is_empty() {
        parts.push_back(arrow_data.into());
    }
}

/// Everything of a message before its body.
fn prefix(header_len: usize, body_len: usize, header: &[u8]) -> Bytes {
    const HEADER_TAG: u64 = (2 << 3) | 2;
    const BODY_TAG: u64 = (1000 << 3) | 2;
    let mut fields = BytesMut::with_capacity(header_len + 32);
    varint(HEADER_TAG, &mut fields);
    varint(header_len as u64, &mut fields);
    fields.extend_from_slice(header);
    // An empty body is left out, as protobuf does with default values.
    if body_len > 0 {
        varint(BODY_TAG, &mut fields);
        varint(body_len as u64, &mut fields);
    }
    let mut message = BytesMut::with_capacity(5 + fields.len());
    message.put_u8(0);
    message.put_u32((fields.len() + body_len) as u32);
    message.extend_from_slice(&fields);
    message.freeze()
}

fn varint(mut value: u64, to: &mut BytesMut) {
    while value >= 0x80 {
        to.put_u8((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    to.put_u8(value as u8);
}

/// Header, buffers and body length of a batch whose columns can all be sent from where they are; `None` for others.
fn in_place(batch: &RecordBatch) -> Option<(Vec<u8>, Vec<Bytes>, usize)> {
    let mut nodes = Vec::with_capacity(batch.num_columns());
    let mut places = Vec::with_capacity(2 * batch.num_columns());
    let mut buffers = Vec::with_capacity(4 * batch.num_columns());
    let mut at = 0;
    for column in batch.columns() {
        let width = fixed_width(column.data_type())?;
        let rows = column.len();
        nodes.push(ipc::FieldNode::new(rows as i64, column.null_count() as i64));
        let validity = match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            // Bits that do not start at a byte would have to be shifted.
            Some(nulls) if nulls.offset() % 8 != 0 => return None,
            Some(nulls) => Some(
                nulls
                    .buffer()
                    .slice_with_length(nulls.offset() / 8, rows.div_ceil(8)),
            ),
            None => None,
        };
        let data = column.to_data();
        let values = data
            .buffers()
            .first()?
            .slice_with_length(data.offset() * width, rows * width);
        for buffer in [validity.unwrap_or_default(), values] {
            places.push(ipc::Buffer::new(at as i64, buffer.len() as i64));
            let padding = buffer.len().next_multiple_of(ALIGNMENT) - buffer.len();
            at += buffer.len() + padding;
            if !buffer.is_empty() {
                buffers.push(Bytes::from_owner(Shared(buffer)));
            }
            if padding > 0 {
                buffers.push(Bytes::from_static(&PADDING[..padding]));
            }
        }
    }
    Some((message(batch.num_rows(), &nodes, &places, at), buffers, at))
}

/// Bytes a value takes; `None` where a column is more than validity and values.
fn fixed_width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean | DataType::FixedSizeBinary(_) => None,
        other => other.primitive_width(),
    }
}

fn message(
    rows: usize,
    nodes: &[ipc::FieldNode],
    places: &[ipc::Buffer],
    body_len: usize,
) -> Vec<u8> {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let places = builder.create_vector(places);
    let nodes = builder.create_vector(nodes);
    let batch = {
        let mut batch = ipc::RecordBatchBuilder::new(&mut builder);
        batch.add_length(rows as i64);
        batch.add_nodes(nodes);
        batch.add_buffers(places);
        batch.finish().as_union_value()
    };
    let mut message = ipc::MessageBuilder::new(&mut builder);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(ipc::MessageHeader::RecordBatch);
    message.add_bodyLength(body_len as i64);
    message.add_header(batch);
    let root = message.finish();
    builder.finish(root, None);
    builder.finished_data().to_vec()
}

/// An Arrow buffer on its way out; its memory is freed when the last byte has been sent.
struct Shared(Buffer);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
