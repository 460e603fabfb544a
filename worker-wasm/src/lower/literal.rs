//! Literals of a plan -> parameters of a fragment: a shape is the same for all literals of a type and range class.

use arrow::datatypes::TimeUnit;
use datafusion::common::ScalarValue;

use super::Reason;
use crate::{
    fragment::{self, Range, Type},
    runtime,
};

/// What a literal is inside a fragment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null(Type),
    Value(fragment::Param, runtime::Param),
}

/// Errors: [`Reason::Type`].
pub(crate) fn lower(value: &ScalarValue) -> Result<Literal, Reason> {
    let ty = Type::from_arrow(&value.data_type()).ok_or_else(|| Reason::Type(value.data_type()))?;
    if value.is_null() {
        return Ok(Literal::Null(ty));
    }
    let param = param(value).ok_or_else(|| Reason::Type(value.data_type()))?;
    let range = match (&ty, &param) {
        (Type::Decimal { .. }, runtime::Param::Int(value)) => range_of(*value),
        _ => Range::Full,
    };
    Ok(Literal::Value(fragment::Param { ty, range }, param))
}

/// A literal as `open` takes it, or `None` for nulls and for types that fragments have no literals of.
pub fn param(value: &ScalarValue) -> Option<runtime::Param> {
    use runtime::Param;
    if let Some(text) = value.try_as_str().flatten() {
        return Some(Param::Text(text.into()));
    }
    Some(match *value {
        ScalarValue::Boolean(Some(value)) => Param::Boolean(value),
        ScalarValue::Float32(Some(value)) => Param::Float32(value),
        ScalarValue::Float64(Some(value)) => Param::Float64(value),
        ScalarValue::Int8(Some(value)) => Param::Int(value.into()),
        ScalarValue::Int16(Some(value)) => Param::Int(value.into()),
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => {
            Param::Int(value.into())
        }
        ScalarValue::UInt8(Some(value)) => Param::Int(value.into()),
        ScalarValue::UInt16(Some(value)) => Param::Int(value.into()),
        ScalarValue::UInt32(Some(value)) => Param::Int(value.into()),
        ScalarValue::UInt64(Some(value)) => Param::Int(value.into()),
        ScalarValue::Decimal128(Some(value), ..) => Param::Int(value),
        ScalarValue::Int64(Some(value))
        | ScalarValue::TimestampSecond(Some(value), _)
        | ScalarValue::TimestampMillisecond(Some(value), _)
        | ScalarValue::TimestampMicrosecond(Some(value), _)
        | ScalarValue::TimestampNanosecond(Some(value), _) => Param::Int(value.into()),
        _ => return None,
    })
}

/// The value of a type that is an integer at heart; `None` where it is not, or the value does not fit.
pub(crate) fn scalar(ty: &Type, value: i128) -> Option<ScalarValue> {
    Some(match ty {
        Type::Int8 => ScalarValue::Int8(Some(value.try_into().ok()?)),
        Type::Int16 => ScalarValue::Int16(Some(value.try_into().ok()?)),
        Type::Int32 => ScalarValue::Int32(Some(value.try_into().ok()?)),
        Type::Int64 => ScalarValue::Int64(Some(value.try_into().ok()?)),
        Type::UInt8 => ScalarValue::UInt8(Some(value.try_into().ok()?)),
        Type::UInt16 => ScalarValue::UInt16(Some(value.try_into().ok()?)),
        Type::UInt32 => ScalarValue::UInt32(Some(value.try_into().ok()?)),
        Type::UInt64 => ScalarValue::UInt64(Some(value.try_into().ok()?)),
        Type::Date32 => ScalarValue::Date32(Some(value.try_into().ok()?)),
        Type::Decimal { precision, scale } => {
            ScalarValue::Decimal128(Some(value), *precision, *scale)
        }
        Type::Timestamp(unit, zone) => {
            let value = Some(value.try_into().ok()?);
            let zone = zone.clone();
            match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(value, zone),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(value, zone),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(value, zone),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(value, zone),
            }
        }
        Type::Boolean | Type::Float32 | Type::Float64 | Type::Utf8 => return None,
    })
}

/// The narrowest class whose magnitudes hold `value`.
pub(crate) fn range_of(value: i128) -> Range {
    match value.unsigned_abs() {
        magnitude if magnitude <= i32::MAX as u128 => Range::I32,
        magnitude if magnitude <= i64::MAX as u128 => Range::I64,
        _ => Range::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_classed_by_their_magnitude() {
        let largest = i128::from(i32::MAX);
        for (value, range) in [
            (0, Range::I32),
            (-largest, Range::I32),
            (i128::from(i32::MIN), Range::I64),
            (i128::from(i64::MIN), Range::Full),
            (i128::MIN, Range::Full),
        ] {
            let scalar = ScalarValue::Decimal128(Some(value), 38, 2);
            let Literal::Value(param, lowered) = lower(&scalar).unwrap() else {
                panic!("{value} is not null");
            };
            assert_eq!((param.range, lowered), (range, runtime::Param::Int(value)));
        }
    }

    #[test]
    fn a_value_survives_the_way_to_a_parameter_and_back() {
        let zone = Some("UTC".into());
        for value in [
            ScalarValue::Int8(Some(-3)),
            ScalarValue::UInt64(Some(u64::MAX)),
            ScalarValue::Date32(Some(9204)),
            ScalarValue::Decimal128(Some(-1), 15, 2),
            ScalarValue::TimestampMicrosecond(Some(7), zone),
        ] {
            let ty = Type::from_arrow(&value.data_type()).unwrap();
            let Some(runtime::Param::Int(number)) = param(&value) else {
                panic!("{value} is an integer at heart");
            };
            assert_eq!(scalar(&ty, number), Some(value));
        }
        assert_eq!(scalar(&Type::Int8, 300), None);
        assert_eq!(scalar(&Type::Utf8, 0), None);
    }

    #[test]
    fn text_is_text_in_every_form() {
        let text = || Some("x".to_owned());
        for scalar in [ScalarValue::Utf8(text()), ScalarValue::Utf8View(text())] {
            let Ok(Literal::Value(param, lowered)) = lower(&scalar) else {
                panic!("{scalar} is a value");
            };
            assert_eq!(
                (param.ty, lowered),
                (Type::Utf8, runtime::Param::Text("x".into()))
            );
        }
    }

    #[test]
    fn nulls_keep_their_type_and_other_types_are_named() {
        let null = ScalarValue::Int16(None);
        assert_eq!(lower(&null), Ok(Literal::Null(Type::Int16)));
        let bytes = ScalarValue::Binary(Some(vec![1]));
        assert_eq!(lower(&bytes), Err(Reason::Type(bytes.data_type())));
    }
}
