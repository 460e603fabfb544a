//! An Arrow batch -> the input window, checking the facts that the module relies on while it is copied.
//!
//! Layout: descriptors of all columns, then per column its values, its text and its validity, each at a multiple of 64
//! bytes. Every form of text becomes views first, and a dictionary its values.
//! Memory is charged before it is written.
//! Errors: [`RunError::Fact`] before the guest has seen anything of the batch; [`RunError::Shape`] for other types.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    buffer::{BooleanBuffer, NullBuffer},
    compute::cast,
    datatypes::{DataType, Decimal128Type},
};

use super::{ledger::Ledger, memory::Arena, text::LongText};
use crate::{
    RunError,
    abi::{BUFFER_ALIGN, column, view},
    fragment::{Column, Storage},
};

/// Writes to the window from its start on.
struct Writer<'a> {
    arena: &'a mut Arena,
    ledger: &'a mut Ledger,
    start: u64,
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
        let used = self.next - self.start;
        self.ledger.cover(self.arena.resident_bytes_with(0, used))?;
        self.arena.touch_inputs(used);
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
    ledger: &mut Ledger,
) -> Result<u32, RunError> {
    let windows = arena.windows();
    let mut writer = Writer {
        arena,
        ledger,
        start: windows.private_end,
        next: windows.private_end,
        end: windows.inputs_end,
    };
    let descriptors = columns.len() * column::BYTES as usize;
    let (address, _) = writer.buffer(descriptors)?;
    for (index, (expected, array)) in columns.iter().zip(batch.columns()).enumerate() {
        let array = &unified(array, expected);
        let broken = |fact| RunError::Fact {
            input,
            column: index,
            fact,
        };
        if !expected.has_nulls() && array.null_count() > 0 {
            return Err(broken("no-nulls"));
        }
        let (values, text) = match expected.storage() {
            Storage::View => copy_text(&mut writer, array)?,
            _ => {
                let values = copy_values(&mut writer, expected, array, broken)?;
                (values, TextSizes::default())
            }
        };
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
            (column::TEXT_BYTES, text.bytes),
            (column::TEXT_LONGEST, text.longest),
        ];
        for (field, value) in fields {
            let bytes = writer.arena.bytes_mut(u64::from(descriptor + field), 4);
            let bytes = bytes.expect("descriptors are in the window");
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }
    Ok(address)
}

/// An array in the one form that the window has for its type.
fn unified(array: &ArrayRef, expected: &Column) -> ArrayRef {
    let wanted = expected.ty.to_arrow();
    match array.data_type() == &wanted {
        true => ArrayRef::clone(array),
        // Only text and dictionaries come in several forms, and those convert always.
        false => cast(array, &wanted).expect("the column accepts this type"),
    }
}

/// What a descriptor says about text that does not fit its views.
#[derive(Default)]
struct TextSizes {
    bytes: u32,
    longest: u32,
}

/// Views, and behind them the text that is too long for them.
fn copy_text(writer: &mut Writer<'_>, array: &ArrayRef) -> Result<(u32, TextSizes), RunError> {
    let texts = array.as_string_view();
    let long = LongText::of(texts);
    let views_bytes = texts.len() * view::BYTES as usize;
    let (address, target) = writer.buffer(views_bytes + long.copied_bytes())?;
    let (views, text) = target.split_at_mut(views_bytes);
    long.write(texts, views, text, address + views_bytes as u32);
    // Rows that share their text can have more in all than there are addresses.
    let sizes = TextSizes {
        bytes: u32::try_from(long.bytes()).unwrap_or(u32::MAX),
        longest: long.longest(),
    };
    Ok((address, sizes))
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
        (DataType::Boolean, _) => copy_bits(target, array.as_boolean().values()),
        (DataType::Decimal128(..), Storage::I32) => {
            let fits = narrow(target, array, |low| (low as u32).to_le_bytes());
            fits.then_some(()).ok_or_else(|| broken("i32"))?;
        }
        (DataType::Decimal128(..), Storage::I64) => {
            let fits = narrow(target, array, u64::to_le_bytes);
            fits.then_some(()).ok_or_else(|| broken("i64"))?;
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

/// Decimals as their lowest `WIDTH` bytes, nulls as 0. Whether all magnitudes are below half of what that many bytes hold.
///
/// Written without branches, and with the sum in two words, because that is what compiles to an add with carry: moved up
/// by the largest number, those that fit are not negative, have no bit above their lane, and are not all ones.
fn narrow<const WIDTH: usize>(
    target: &mut [u8],
    array: &ArrayRef,
    lane_of: impl Fn(u64) -> [u8; WIDTH],
) -> bool {
    let decimals: &[i128] = array.as_primitive::<Decimal128Type>().values();
    let lanes = target.as_chunks_mut::<WIDTH>().0.iter_mut().zip(decimals);
    let all_ones = u64::MAX >> (64 - 8 * WIDTH);
    let (mut above, mut within, mut edge) = (0u64, 0u64, 0u64);
    let mut put = |lane: &mut [u8; WIDTH], value: i128| {
        let (low, high) = (value as u64, (value >> 64) as u64);
        let moved = low.wrapping_add(all_ones >> 1);
        above |= high.wrapping_add(u64::from(moved < low));
        within |= moved;
        edge |= u64::from(moved == all_ones);
        // An assignment: copying slices checks them for overlap each time.
        *lane = lane_of(low);
    };
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) => lanes.zip(nulls.iter()).for_each(|((lane, value), valid)| {
            put(lane, if valid { *value } else { 0 });
        }),
        None => lanes.for_each(|(lane, value)| put(lane, *value)),
    }
    above == 0 && edge == 0 && within & !all_ones == 0
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Decimal128Array;

    use super::*;

    #[test]
    fn decimals_fit_a_lane_up_to_its_largest_magnitude_and_not_beyond() {
        let check = |value: i128, fits_32: bool, fits_64: bool| {
            // Others around it must neither help nor hurt.
            let array: ArrayRef = Arc::new(Decimal128Array::from(vec![0, 1, value, -1]));
            let mut lanes = [0; 32];
            let fits = narrow(&mut lanes[..16], &array, |low| (low as u32).to_le_bytes());
            assert_eq!(fits, fits_32, "{value}");
            assert_eq!(lanes[8..12], value.to_le_bytes()[..4]);
            let fits = narrow(&mut lanes, &array, u64::to_le_bytes);
            assert_eq!(fits, fits_64, "{value}");
            assert_eq!(lanes[16..24], value.to_le_bytes()[..8]);
        };
        let (largest_32, largest_64) = (i128::from(i32::MAX), i128::from(i64::MAX));
        for sign in [1, -1] {
            check(sign * 2_400, true, true);
            check(sign * largest_32, true, true);
            check(sign * (largest_32 + 1), false, true);
            check(sign * largest_64, false, true);
            check(sign * (largest_64 + 1), false, false);
            check(sign << 64, false, false);
            check(sign * i128::MAX, false, false);
        }
        check(i128::MIN, false, false);
    }
}
