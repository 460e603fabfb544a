//! Types of values inside a fragment, and the facts a module may rely on.

use std::{fmt, sync::Arc};

use arrow::datatypes::TimeUnit;

/// An Arrow type that fragments compute with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    /// Arrow's Decimal128.
    Decimal {
        precision: u8,
        scale: i8,
    },
    /// Days since 1970-01-01.
    Date32,
    Timestamp(TimeUnit, Option<Arc<str>>),
    /// Text. Comes in as any of Arrow's string arrays, goes out as Utf8View.
    Utf8,
}

/// How a value is held in WebAssembly locals. A lane of 128 bits is two locals of 64, one of text an address and a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    I32,
    I64,
    I128,
    F32,
    F64,
    Text,
}

/// How a value lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    Bit,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    I128,
    /// 16 bytes of text: see `abi::view`.
    View,
}

/// Digits that always fit the lane, whatever they are.
const DIGITS_I32: u8 = 9;
const DIGITS_I64: u8 = 18;

impl Type {
    /// The range that all values have which have no more digits than the type allows.
    pub fn range(&self) -> Range {
        match self {
            Self::Decimal { precision, .. } if *precision <= DIGITS_I32 => Range::I32,
            Self::Decimal { precision, .. } if *precision <= DIGITS_I64 => Range::I64,
            _ => Range::Full,
        }
    }

    /// How values lie in an Arrow array of this type.
    pub fn storage(&self) -> Storage {
        match self {
            Self::Boolean => Storage::Bit,
            Self::Int8 => Storage::I8,
            Self::Int16 => Storage::I16,
            Self::Int32 | Self::Date32 => Storage::I32,
            Self::Int64 | Self::Timestamp(..) => Storage::I64,
            Self::UInt8 => Storage::U8,
            Self::UInt16 => Storage::U16,
            Self::UInt32 => Storage::U32,
            Self::UInt64 => Storage::U64,
            Self::Float32 => Storage::F32,
            Self::Float64 => Storage::F64,
            Self::Decimal { .. } => Storage::I128,
            Self::Utf8 => Storage::View,
        }
    }

    pub fn is_integer(&self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    pub fn is_unsigned(&self) -> bool {
        matches!(
            self,
            Self::UInt8 | Self::UInt16 | Self::UInt32 | Self::UInt64
        )
    }

    pub fn is_float(&self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    pub fn is_decimal(&self) -> bool {
        matches!(self, Self::Decimal { .. })
    }

    /// Value bits of an integer type, without the sign.
    pub fn integer_bits(&self) -> Option<u32> {
        Some(match self {
            Self::Int8 => 7,
            Self::Int16 => 15,
            Self::Int32 => 31,
            Self::Int64 => 63,
            Self::UInt8 => 8,
            Self::UInt16 => 16,
            Self::UInt32 => 32,
            Self::UInt64 => 64,
            _ => return None,
        })
    }
}

impl Storage {
    /// Bytes of one value; 0 for bits, which have no byte of their own.
    pub fn bytes(self) -> u32 {
        match self {
            Self::Bit => 0,
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::I128 | Self::View => 16,
        }
    }

    /// Bytes of a buffer of `rows` values.
    pub fn buffer_bytes(self, rows: usize) -> usize {
        match self {
            Self::Bit => rows.div_ceil(8),
            other => rows * other.bytes() as usize,
        }
    }

    pub fn lane(self) -> Lane {
        match self {
            Self::Bit | Self::I8 | Self::I16 | Self::I32 | Self::U8 | Self::U16 | Self::U32 => {
                Lane::I32
            }
            Self::I64 | Self::U64 => Lane::I64,
            Self::F32 => Lane::F32,
            Self::F64 => Lane::F64,
            Self::I128 => Lane::I128,
            Self::View => Lane::Text,
        }
    }
}

/// Written as in fragment text: `int64`, `(decimal 15 2)`, `(timestamp us "UTC")`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal { precision, scale } => write!(f, "(decimal {precision} {scale})"),
            Self::Timestamp(unit, None) => write!(f, "(timestamp {})", unit_name(*unit)),
            Self::Timestamp(unit, Some(zone)) => {
                write!(f, "(timestamp {} \"{zone}\")", unit_name(*unit))
            }
            simple => f.write_str(
                SIMPLE
                    .iter()
                    .find(|(_, ty)| ty == simple)
                    .map(|(name, _)| *name)
                    .expect("every type without arguments has a name"),
            ),
        }
    }
}

/// Types without arguments, by their name in fragment text.
pub(crate) const SIMPLE: [(&str, Type); 13] = [
    ("boolean", Type::Boolean),
    ("int8", Type::Int8),
    ("int16", Type::Int16),
    ("int32", Type::Int32),
    ("int64", Type::Int64),
    ("uint8", Type::UInt8),
    ("uint16", Type::UInt16),
    ("uint32", Type::UInt32),
    ("uint64", Type::UInt64),
    ("float32", Type::Float32),
    ("float64", Type::Float64),
    ("date32", Type::Date32),
    ("utf8", Type::Utf8),
];

pub(crate) const UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Second),
    ("ms", TimeUnit::Millisecond),
    ("us", TimeUnit::Microsecond),
    ("ns", TimeUnit::Nanosecond),
];

fn unit_name(unit: TimeUnit) -> &'static str {
    UNITS
        .iter()
        .find(|(_, u)| *u == unit)
        .map(|(name, _)| *name)
        .expect("every unit has a name")
}

/// Which values of a decimal column or parameter occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Range {
    /// All fit 32 bits and lie in the window as 32-bit lanes.
    I32,
    /// All fit 64 bits and lie in the window as 64-bit lanes.
    I64,
    /// Nothing is known.
    Full,
}

/// What a module relies on about a column beyond its type. The host checks each batch while it copies it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Of decimals; `Full` for every other type.
    pub range: Range,
    /// No null occurs although the type allows it.
    pub no_nulls: bool,
}

impl Facts {
    /// What the general module of a shape relies on.
    pub const NONE: Self = Self {
        range: Range::Full,
        no_nulls: false,
    };
}

/// A column of an input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    pub ty: Type,
    pub nullable: bool,
    pub facts: Facts,
}

impl Column {
    /// How values lie in the input window: a decimal's range fact narrows it.
    pub fn storage(&self) -> Storage {
        narrow(&self.ty, self.facts.range)
    }

    /// Whether a row of a batch that keeps the facts can be null.
    pub fn has_nulls(&self) -> bool {
        self.nullable && !self.facts.no_nulls
    }
}

/// A value that comes with `open`: a literal of the plan. Its range class is part of the shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Param {
    pub ty: Type,
    pub range: Range,
}

impl Param {
    pub fn storage(&self) -> Storage {
        narrow(&self.ty, self.range)
    }
}

fn narrow(ty: &Type, range: Range) -> Storage {
    match (ty, range) {
        (Type::Decimal { .. }, Range::I32) => Storage::I32,
        (Type::Decimal { .. }, Range::I64) => Storage::I64,
        _ => ty.storage(),
    }
}
