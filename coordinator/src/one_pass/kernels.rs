//! Answers for all rows of an array, sixty-four at a time. What stands under a NULL is answered as well.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    buffer::{BooleanBuffer, Buffer},
    datatypes::{
        DataType, Date32Type, Date64Type, Decimal128Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    },
};

/// Rows that are answered at once.
const ROWS: usize = 64;
/// Bytes of a text that stand in its view.
const INLINE_BYTES: usize = 12;

/// Whether values lie between these, both included; `None` for types that are not looked at.
pub(super) fn within(array: &ArrayRef, low: i128, high: i128) -> Option<BooleanBuffer> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let i32s: Option<&[i32]> = match array.data_type() {
        DataType::Int32 => Some(array.as_primitive::<Int32Type>().values()),
        DataType::Date32 => Some(array.as_primitive::<Date32Type>().values()),
        _ => None,
    };
    if let Some(values) = i32s {
        return Some(within_i32(values, low, high));
    }
    let i64s: Option<&[i64]> = match array.data_type() {
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().values()),
        DataType::Date64 => Some(array.as_primitive::<Date64Type>().values()),
        DataType::Timestamp(unit, _) => Some(match unit {
            Second => array.as_primitive::<TimestampSecondType>().values(),
            Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
            Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
            Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
        }),
        _ => None,
    };
    if let Some(values) = i64s {
        return Some(within_i64(values, low, high));
    }
    let values = array.as_primitive_opt::<Decimal128Type>()?.values();
    Some(answers(values, |value| (low..=high).contains(value)))
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
    // A view: length, and four bytes of the text behind it.
    let mut first = [0; 16];
    let mut mask = [0; 16];
    for (at, byte) in prefix.iter().take(4).enumerate() {
        (first[4 + at], mask[4 + at]) = (*byte, u8::MAX);
    }
    let (first, mask) = (u128::from_le_bytes(first), u128::from_le_bytes(mask));
    let views = texts.views();
    if prefix.len() <= 4 {
        return Some(answers(views, |view| {
            *view as u32 >= len && view & mask == first
        }));
    }
    let buffers = texts.data_buffers();
    Some(answers(views, |view| {
        if view & mask != first || (*view as u32) < len {
            return false;
        }
        let bytes = view.to_le_bytes();
        if *view as u32 as usize <= INLINE_BYTES {
            return bytes[4..].starts_with(prefix);
        }
        let word =
            |at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        buffers[word(8) as usize][word(12) as usize..].starts_with(prefix)
    }))
}

fn answers<T>(values: &[T], is_so: impl Fn(&T) -> bool) -> BooleanBuffer {
    let word = |rows: &[T]| {
        let bits = rows.iter().enumerate();
        bits.fold(0, |word, (row, value)| {
            word | u64::from(is_so(value)) << row
        })
    };
    let (whole, rest) = values.as_chunks::<ROWS>();
    let mut words = Vec::with_capacity(whole.len() + 1);
    words.extend(whole.iter().map(|rows| word(rows)));
    words.push(word(rest));
    BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
}
