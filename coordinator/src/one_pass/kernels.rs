//! Answers for all rows of an array, sixty-four at a time. What stands under a NULL is answered as well.

use arrow::{
    array::{ArrayRef, AsArray},
    buffer::{BooleanBuffer, Buffer},
};

use crate::{numbers::Numbers, temporary::FromBase};

/// Rows that are answered at once.
const ROWS: usize = 64;
/// Bytes of a text that stand in its view.
const INLINE_BYTES: usize = 12;

/// Whether numbers lie between these, both included.
pub(super) fn within(numbers: Numbers<'_>, low: i128, high: i128) -> BooleanBuffer {
    match numbers {
        Numbers::I32(values) => within_i32(values, low, high),
        Numbers::I64(values) => within_i64(values, low, high),
        Numbers::I128(values) => answers(values, |value| (low..=high).contains(value)),
    }
}

/// The same of numbers that are distances from a base.
pub(super) fn within_short(
    (base, distances): FromBase<'_>,
    low: i128,
    high: i128,
) -> BooleanBuffer {
    // What saturates lies beyond all distances on the same side.
    let ends = (
        u16::try_from(low.saturating_sub(base).max(0)),
        u16::try_from(high.saturating_sub(base).min(u16::MAX.into())),
    );
    match ends {
        (Ok(low), Ok(high)) if low <= high => {
            let span = high - low;
            answers(distances, |distance| distance.wrapping_sub(low) <= span)
        }
        _ => BooleanBuffer::new_unset(distances.len()),
    }
}

fn within_i32(values: &[i32], low: i128, high: i128) -> BooleanBuffer {
    let ends = (
        i32::try_from(low.max(i32::MIN.into())),
        i32::try_from(high.min(i32::MAX.into())),
    );
    match ends {
        // One comparison, as what is below the low end wraps around to above the high one.
        (Ok(low), Ok(high)) if low <= high => {
            let span = high.wrapping_sub(low).cast_unsigned();
            answers(values, |value| {
                value.wrapping_sub(low).cast_unsigned() <= span
            })
        }
        _ => BooleanBuffer::new_unset(values.len()),
    }
}

fn within_i64(values: &[i64], low: i128, high: i128) -> BooleanBuffer {
    let ends = (
        i64::try_from(low.max(i64::MIN.into())),
        i64::try_from(high.min(i64::MAX.into())),
    );
    match ends {
        (Ok(low), Ok(high)) if low <= high => {
            let span = high.wrapping_sub(low).cast_unsigned();
            answers(values, |value| {
                value.wrapping_sub(low).cast_unsigned() <= span
            })
        }
        _ => BooleanBuffer::new_unset(values.len()),
    }
}

/// Whether texts begin so; `None` for arrays other than of views.
pub(super) fn begins(array: &ArrayRef, prefix: &[u8]) -> Option<BooleanBuffer> {
    let texts = array.as_string_view_opt()?;
    let len = u32::try_from(prefix.len()).ok()?;
    // The lower half of a view: length, and four bytes of the text behind it.
    let (mut first, mut mask) = ([0; 4], [0; 4]);
    for (at, byte) in prefix.iter().take(4).enumerate() {
        (first[at], mask[at]) = (*byte, u8::MAX);
    }
    let (first, mask) = (u32::from_le_bytes(first), u32::from_le_bytes(mask));
    let views = texts.views();
    let mut words = words(views, |view| {
        *view as u32 >= len && (*view >> 32) as u32 & mask == first
    });
    if prefix.len() > 4 {
        let buffers = texts.data_buffers();
        let begins = |view: &u128| {
            let bytes = view.to_le_bytes();
            if *view as u32 as usize <= INLINE_BYTES {
                return bytes[4..].starts_with(prefix);
            }
            let word =
                |at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            buffers[word(8) as usize][word(12) as usize..].starts_with(prefix)
        };
        for (word, rows) in words.iter_mut().zip(views.chunks(ROWS)) {
            let mut left = *word;
            while left != 0 {
                let row = left.trailing_zeros();
                left &= left - 1;
                *word &= !(u64::from(!begins(&rows[row as usize])) << row);
            }
        }
    }
    Some(BooleanBuffer::new(Buffer::from_vec(words), 0, views.len()))
}

fn answers<T>(values: &[T], is_so: impl Fn(&T) -> bool) -> BooleanBuffer {
    BooleanBuffer::new(Buffer::from_vec(words(values, is_so)), 0, values.len())
}

/// A bit for each value.
fn words<T>(values: &[T], is_so: impl Fn(&T) -> bool) -> Vec<u64> {
    // A byte for each answer first: compilers make one instruction of many comparisons then.
    let word = |rows: &[T]| {
        let mut bytes = [0; ROWS];
        for (byte, value) in bytes.iter_mut().zip(rows) {
            *byte = u8::from(is_so(value));
        }
        packed(&bytes)
    };
    let (whole, rest) = values.as_chunks::<ROWS>();
    let mut words = Vec::with_capacity(whole.len() + 1);
    words.extend(whole.iter().map(|rows| word(rows)));
    words.push(word(rest));
    words
}

/// Bits of bytes that are 0 or 1. The product brings the eight bits of eight bytes together in its highest byte.
fn packed(bytes: &[u8; ROWS]) -> u64 {
    const TOGETHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks::<8>();
    let eights = eights.iter().enumerate();
    eights.fold(0, |word, (place, eight)| {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(TOGETHER) >> 56;
        word | bits << (8 * place)
    })
}
