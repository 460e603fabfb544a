//! The numbers of an array as they lie in memory.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{
        DataType, Date32Type, Date64Type, Decimal128Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    },
};

/// Of all rows; anything where the array has NULL.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    I32(&'a [i32]),
    I64(&'a [i64]),
    I128(&'a [i128]),
}

impl<'a> Numbers<'a> {
    /// `None` for types that are not looked at: those whose numbers have another order, or an order of their own.
    pub(crate) fn of(array: &'a ArrayRef) -> Option<Self> {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        Some(match array.data_type() {
            DataType::Int32 => Self::I32(array.as_primitive::<Int32Type>().values()),
            DataType::Date32 => Self::I32(array.as_primitive::<Date32Type>().values()),
            DataType::Int64 => Self::I64(array.as_primitive::<Int64Type>().values()),
            DataType::Date64 => Self::I64(array.as_primitive::<Date64Type>().values()),
            DataType::Timestamp(unit, _) => Self::I64(match unit {
                Second => array.as_primitive::<TimestampSecondType>().values(),
                Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
            }),
            DataType::Decimal128(..) => Self::I128(array.as_primitive::<Decimal128Type>().values()),
            _ => return None,
        })
    }

    /// The addresses they lie at, and the bytes of each.
    pub(crate) fn place(&self) -> (std::ops::Range<usize>, usize) {
        fn of<T>(values: &[T]) -> (std::ops::Range<usize>, usize) {
            let range = values.as_ptr_range();
            (range.start.addr()..range.end.addr(), size_of::<T>())
        }
        match self {
            Self::I32(values) => of(values),
            Self::I64(values) => of(values),
            Self::I128(values) => of(values),
        }
    }
}
