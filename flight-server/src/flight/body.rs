//! The body of a record batch message, lent from the columns of several batches that follow each other.
//!
//! Values lie in the body as they lie in memory, one batch's after the other's; only bitmaps and offsets, which cannot
//! be strung together byte by byte, are written anew.

use arrow::{
    array::{Array, ArrayData, BooleanBufferBuilder, OffsetSizeTrait, RecordBatch},
    buffer::{BooleanBuffer, Buffer, ScalarBuffer},
    datatypes::{DataType, Schema},
    ipc::{self, MetadataVersion},
};
use bytes::Bytes;

/// Column buffers begin at multiples of this in the body, as in memory.
const ALIGNMENT: usize = 64;
static PADDING: [u8; ALIGNMENT] = [0; ALIGNMENT];

/// What a column has besides its validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Values of so many bytes.
    Fixed(usize),
    Bits,
    /// Offsets of 4 bytes, values.
    Offsets32,
    /// Offsets of 8 bytes, values.
    Offsets64,
}

/// The layouts of the columns, if there is one for each.
pub(super) fn layouts(schema: &Schema) -> Option<Vec<Layout>> {
    let layout = |data_type: &DataType| match data_type {
        DataType::Boolean => Some(Layout::Bits),
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok().map(Layout::Fixed),
        DataType::Utf8 | DataType::Binary => Some(Layout::Offsets32),
        DataType::LargeUtf8 | DataType::LargeBinary => Some(Layout::Offsets64),
        other => other.primitive_width().map(Layout::Fixed),
    };
    let fields = schema.fields().iter();
    fields.map(|field| layout(field.data_type())).collect()
}

/// A message's IPC header, and its body in pieces.
pub(super) struct Body {
    pub(super) header: Vec<u8>,
    pub(super) parts: Vec<Bytes>,
    /// Bytes of all parts.
    pub(super) len: usize,
}

/// One message of all rows of `batches`, whose columns have `layouts`.
pub(super) fn of(batches: &[RecordBatch], layouts: &[Layout]) -> Body {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut nodes = Vec::with_capacity(layouts.len());
    let mut body = Writer::default();
    for (number, layout) in layouts.iter().enumerate() {
        let column: Vec<ArrayData> = batches
            .iter()
            .map(|batch| batch.column(number).to_data())
            .collect();
        let nulls: usize = column.iter().map(ArrayData::null_count).sum();
        nodes.push(ipc::FieldNode::new(rows as i64, nulls as i64));
        body.buffer(match nulls {
            0 => vec![],
            _ => vec![bits(&column, |data| {
                data.nulls().map(|nulls| nulls.inner().clone())
            })],
        });
        match layout {
            Layout::Fixed(width) => body.buffer(column.iter().map(|data| {
                data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width)
            })),
            Layout::Bits => body.buffer([bits(&column, |data| {
                Some(BooleanBuffer::new(
                    data.buffers()[0].clone(),
                    data.offset(),
                    data.len(),
                ))
            })]),
            Layout::Offsets32 => body.with_offsets::<i32>(&column, rows),
            Layout::Offsets64 => body.with_offsets::<i64>(&column, rows),
        }
    }
    Body {
        header: header(rows, &nodes, &body.places, body.len),
        parts: body.parts,
        len: body.len,
    }
}

/// The bitmaps of a column's pieces as one; a piece without one is all set.
fn bits(column: &[ArrayData], of: impl Fn(&ArrayData) -> Option<BooleanBuffer>) -> Buffer {
    if let [data] = column
        && let Some(bits) = of(data)
        && bits.offset() % 8 == 0
    {
        return bits
            .inner()
            .slice_with_length(bits.offset() / 8, bits.len().div_ceil(8));
    }
    let mut all = BooleanBufferBuilder::new(column.iter().map(ArrayData::len).sum());
    for data in column {
        match of(data) {
            Some(bits) => all.append_buffer(&bits),
            None => all.append_n(data.len(), true),
        }
    }
    all.finish().into_inner()
}

#[derive(Default)]
struct Writer {
    places: Vec<ipc::Buffer>,
    parts: Vec<Bytes>,
    len: usize,
}

impl Writer {
    /// One buffer of the message, in pieces.
    fn buffer(&mut self, pieces: impl IntoIterator<Item = Buffer>) {
        let start = self.len;
        for piece in pieces {
            self.len += piece.len();
            if !piece.is_empty() {
                self.parts.push(Bytes::from_owner(Lent(piece)));
            }
        }
        self.places
            .push(ipc::Buffer::new(start as i64, (self.len - start) as i64));
        let padding = self.len.next_multiple_of(ALIGNMENT) - self.len;
        if padding > 0 {
            self.len += padding;
            self.parts.push(Bytes::from_static(&PADDING[..padding]));
        }
    }

    /// Offsets that count from the first value of the message, then the values.
    fn with_offsets<O: OffsetSizeTrait>(&mut self, column: &[ArrayData], rows: usize) {
        let mut offsets = Vec::with_capacity(rows + 1);
        let mut values = Vec::with_capacity(column.len());
        let mut end = O::zero();
        offsets.push(end);
        for data in column {
            let own =
                ScalarBuffer::<O>::new(data.buffers()[0].clone(), data.offset(), data.len() + 1);
            let (first, last) = (own[0], own[data.len()]);
            let shift = end - first;
            offsets.extend(own[1..].iter().map(|offset| *offset + shift));
            end = last + shift;
            values.push(
                data.buffers()[1].slice_with_length(first.as_usize(), (last - first).as_usize()),
            );
        }
        self.buffer([Buffer::from_vec(offsets)]);
        self.buffer(values);
    }
}

fn header(
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
struct Lent(Buffer);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
