//! What a guest put out -> an Arrow batch, copied. Every address is checked before it is followed.

use std::sync::Arc;

use arrow::{
    array::{ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array},
    buffer::{BooleanBuffer, Buffer, NullBuffer},
    datatypes::{Field, Schema, SchemaRef},
};

use super::{memory::Arena, text::read_views};
use crate::{
    abi::{column, control},
    fragment::{Type, ValueType},
};

/// Column names are positions: whoever runs the fragment knows the names.
pub(crate) fn schema(columns: &[ValueType]) -> SchemaRef {
    let fields = columns
        .iter()
        .enumerate()
        .map(|(index, of)| Field::new(format!("c{index}"), of.ty.to_arrow(), of.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Copies out what the last `pull` published. The error says what is wrong with it.
pub(crate) fn copy_out(
    arena: &Arena,
    columns: &[ValueType],
    schema: &SchemaRef,
    rows_max: usize,
) -> Result<RecordBatch, String> {
    let rows = read(arena, control::OUT_ROWS)? as usize;
    if rows > rows_max {
        return Err(format!(
            "{rows} rows are out, at most {rows_max} were asked for"
        ));
    }
    let descriptors = read(arena, control::OUT_COLUMNS)?;
    let arrays: Result<Vec<_>, String> = columns
        .iter()
        .enumerate()
        .map(|(index, of)| {
            let offset = index as u64 * u64::from(column::BYTES);
            copy_column(arena, u64::from(descriptors) + offset, of, rows)
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays?, &options)
        .map_err(|e| e.to_string())
}

fn copy_column(
    arena: &Arena,
    descriptor: u64,
    of: &ValueType,
    rows: usize,
) -> Result<ArrayRef, String> {
    let buffer = |address: u32, bytes: usize| {
        let bytes = arena.bytes(u64::from(address), bytes as u64);
        bytes
            .map(Buffer::from)
            .ok_or_else(|| format!("a buffer at {address} is outside the windows"))
    };
    let field = |field: u32| read_u64(arena, descriptor + u64::from(field));
    let values = buffer(field(column::VALUES)?, of.ty.storage().buffer_bytes(rows))?;
    let validity = match of.nullable {
        true => Some(buffer(field(column::VALIDITY)?, rows.div_ceil(8))?),
        false => None,
    };
    if of.ty == Type::Utf8 {
        let nulls = validity.map(|bits| NullBuffer::new(BooleanBuffer::new(bits, 0, rows)));
        return read_views(arena, &values, nulls);
    }
    let data = ArrayData::builder(of.ty.to_arrow())
        .len(rows)
        .add_buffer(values)
        .null_bit_buffer(validity)
        .build()
        .map_err(|e| e.to_string())?;
    Ok(make_array(data))
}

fn read(arena: &Arena, address: u32) -> Result<u32, String> {
    read_u64(arena, u64::from(address))
}

fn read_u64(arena: &Arena, address: u64) -> Result<u32, String> {
    let bytes = arena
        .bytes(address, 4)
        .and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| format!("a field at {address} is outside the windows"))?;
    Ok(u32::from_le_bytes(bytes))
}
