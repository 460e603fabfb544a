//! Types of fragments and types of Arrow.

use arrow::datatypes::DataType;

use super::{Type, rules::DECIMAL_SCALE_MAX};

impl Type {
    /// The type of an Arrow array's values; a dictionary is what its values are.
    pub fn from_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            // Arrow has decimals that count in units of more than ten to the power of 38.
            DataType::Decimal128(precision, scale) if *scale >= -DECIMAL_SCALE_MAX => {
                Self::Decimal {
                    precision: *precision,
                    scale: *scale,
                }
            }
            DataType::Date32 => Self::Date32,
            DataType::Timestamp(unit, zone) => Self::Timestamp(*unit, zone.clone()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Utf8,
            DataType::Dictionary(_, values) => return Self::from_arrow(values),
            _ => return None,
        })
    }

    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Date32 => DataType::Date32,
            Self::Timestamp(unit, zone) => DataType::Timestamp(*unit, zone.clone()),
            Self::Utf8 => DataType::Utf8View,
        }
    }

    /// Whether a plan that has a column of this type may call it so: text in any form, decimals in as many bits as hold them.
    pub fn is(&self, data_type: &DataType) -> bool {
        let narrow = match data_type {
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                Some(Self::Decimal {
                    precision: *precision,
                    scale: *scale,
                })
            }
            _ => None,
        };
        narrow.or_else(|| Self::from_arrow(data_type)).as_ref() == Some(self)
    }

    /// Whether a column of this type takes such an array: also one of fewer digits or bits, whose values are all of this type.
    pub fn accepts(&self, data_type: &DataType) -> bool {
        match (data_type, self) {
            (
                DataType::Decimal32(digits, places) | DataType::Decimal64(digits, places),
                Self::Decimal { precision, scale },
            ) => digits <= precision && places == scale,
            (DataType::Int32, Self::Int64) => true,
            _ => self.is(data_type),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_takes_what_has_fewer_digits_or_bits_and_is_called_by_its_own() {
        let decimal = Type::Decimal {
            precision: 15,
            scale: 2,
        };
        for (ty, other, is, accepts) in [
            (&decimal, DataType::Decimal128(15, 2), true, true),
            (&decimal, DataType::Decimal64(15, 2), true, true),
            (&decimal, DataType::Decimal64(16, 2), false, false),
            (&decimal, DataType::Decimal32(9, 2), false, true),
            (&decimal, DataType::Decimal32(9, 3), false, false),
            (&decimal, DataType::Decimal128(9, 2), false, false),
            (&Type::Int64, DataType::Int64, true, true),
            (&Type::Int64, DataType::Int32, false, true),
            (&Type::Int32, DataType::Int64, false, false),
            (&Type::UInt64, DataType::UInt32, false, false),
            (&Type::Utf8, DataType::LargeUtf8, true, true),
        ] {
            assert_eq!(
                (ty.is(&other), ty.accepts(&other)),
                (is, accepts),
                "{ty} {other}"
            );
        }
    }
}
