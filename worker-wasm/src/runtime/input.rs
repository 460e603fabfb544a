//! An Arrow batch -> the input window, checking the facts that the module relies on while it is copied.
//!
//! Layout: descriptors of all columns, then per column its values and validity, each at a multiple of 64 bytes.
//! Errors: [`RunError::Fact`] before the guest has seen anything of the batch; [`RunError::Shape`] for other types.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::{ArrowPrimitiveType, DataType, Decimal128Type},
};

use super::memory::Arena;
use crate::{
    RunError,
    abi::{BUFFER_ALIGN, column},
    fragment::{Column, Storage},
};

/// Writes to the window from its start on.
struct Writer<'a> {
    arena: &'a mut Arena,
    next: u64,
    end: u64,
}

impl Writer<'_> {
    /// A buffer of `bytes` bytes and its address. Its padding holds whatever was there.
    fn buffer(&mut self, bytes: usize) -> Result<(u32, &mut [u8]), RunError> {
        let address = self.next;
        let padded = (bytes + BUFFER_ALIGN).next_multiple_of(BUFFER_ALIGN) as u64;
        let full = || RunError::WindowFull {
            window: "input",
            limit_bytes: self.end,
        };
        if padded > self.end.saturating_sub(address) {
            return Err(full());
        }
        self.next += padded;
        let buffer = self.arena.bytes_mut(address, bytes as u64);
        let buffer = buffer.expect("the input window is accessible up to its end");
        Ok((address as u32, buffer))
    }
}

/// Copies a batch; the address of its descriptors.
pub(crate) fn copy_in(
    arena: &mut Arena,
    input: usize,
    columns: &[Column],
    batch: &RecordBatch,
) -> Result<u32, RunError> {
    let windows = arena.windows();
    let mut writer = Writer {
        arena,
        next: windows.private_end,
        end: windows.inputs_end,
    };
    let descriptors = columns.len() * column::BYTES as usize;
    let (address, _) = writer.buffer(descriptors)?;
    for (index, (expected, array)) in columns.iter().zip(batch.columns()).enumerate() {
        let broken = |fact| RunError::Fact {
            input,
            column: index,
            fact,
        };
        if !expected.has_nulls() && array.null_count() > 0 {
            return Err(broken("no-nulls"));
        }
        let values = copy_values(&mut writer, expected, array, broken)?;
        let validity = match expected.has_nulls() {
            true => copy_validity(&mut writer, array.nulls(), array.len())?,
            false => 0,
        };
        let descriptor = address + index as u32 * column::BYTES;
        let fields = [
            (column::VALUES, values),
            (column::VALIDITY, validity),
            (column::OFFSETS, 0),
            (column::BUFFERS, 0),
            (column::ROWS, array.len() as u32),
            (column::NULL_COUNT, array.null_count() as u32),
        ];
        for (field, value) in fields {
            let bytes = writer.arena.bytes_mut(u64::from(descriptor + field), 4);
            let bytes = bytes.expect("descriptors are in the window");
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }
    let used = writer.next - windows.private_end;
    writer.arena.touch_inputs(used);
    Ok(address)
}

fn copy_values(
    writer: &mut Writer<'_>,
    expected: &Column,
    array: &ArrayRef,
    broken: impl Fn(&'static str) -> RunError,
) -> Result<u32, RunError> {
    let storage = expected.storage();
    let (address, target) = writer.buffer(storage.buffer_bytes(array.len()))?;
    match (array.data_type(), storage) {
        (DataType::Boolean, _) => copy_bits(target, boolean_values(array.as_boolean())),
        (DataType::Decimal128(..), Storage::I32) => {
            narrow::<4>(target, array, i128::from(i32::MAX))
                .then_some(())
                .ok_or_else(|| broken("i32"))?;
        }
        (DataType::Decimal128(..), Storage::I64) => {
            narrow::<8>(target, array, i128::from(i64::MAX))
                .then_some(())
                .ok_or_else(|| broken("i64"))?;
        }
        _ => {
            let data = array.to_data();
            let width = storage.bytes() as usize;
            let values = &data.buffers()[0].as_slice()[data.offset() * width..];
            target.copy_from_slice(&values[..target.len()]);
        }
    }
    Ok(address)
}

/// Decimals as the lowest `WIDTH` bytes of each, nulls as 0. Whether the magnitude of all of them is at most `limit`.
fn narrow<const WIDTH: usize>(target: &mut [u8], array: &ArrayRef, limit: i128) -> bool {
    let decimals = array.as_primitive::<Decimal128Type>();
    let values: &[<Decimal128Type as ArrowPrimitiveType>::Native] = decimals.values();
    let lanes = target.as_chunks_mut::<WIDTH>().0;
    let mut fits = true;
    if let Some(nulls) = array.nulls() {
        for ((lane, value), valid) in lanes.iter_mut().zip(values).zip(nulls.iter()) {
            let value = if valid { *value } else { 0 };
            fits &= (-limit..=limit).contains(&value);
            lane.copy_from_slice(&value.to_le_bytes()[..WIDTH]);
        }
        return fits;
    }
    // One test per value without a branch: it is the low half's sign extension, and not the lowest of all.
    for (lane, value) in lanes.iter_mut().zip(values) {
        let shift = 128 - 8 * WIDTH as u32;
        let extended = (*value << shift) >> shift;
        fits &= (extended == *value) & (extended != !limit);
        lane.copy_from_slice(&value.to_le_bytes()[..WIDTH]);
    }
    fits
}

fn boolean_values(array: &BooleanArray) -> &BooleanBuffer {
    array.values()
}

fn copy_validity(
    writer: &mut Writer<'_>,
    nulls: Option<&NullBuffer>,
    rows: usize,
) -> Result<u32, RunError> {
    let (address, target) = writer.buffer(rows.div_ceil(8))?;
    match nulls {
        Some(nulls) => copy_bits(target, nulls.inner()),
        None => target.fill(0xff),
    }
    Ok(address)
}

/// Bits from their first one on; those behind the last row are arbitrary.
fn copy_bits(target: &mut [u8], bits: &BooleanBuffer) {
    let aligned = bits.sliced();
    target.copy_from_slice(&aligned.as_slice()[..target.len()]);
}
