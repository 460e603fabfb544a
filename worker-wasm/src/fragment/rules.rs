//! Type rules of expressions and aggregates, the same as DataFusion's after its own coercion.
//!
//! Decimal arithmetic follows the Hive rules as arrow's kernels do: result types here, overflow in code generation.

use arrow::datatypes::TimeUnit;

use super::{
    ir::{AggregateFunction, ArithmeticOp, Mode, TimePart},
    types::Type,
};

/// Digits and places that a 128-bit decimal has at most.
pub const DECIMAL_PRECISION_MAX: u8 = 38;
pub const DECIMAL_SCALE_MAX: i8 = 38;

/// The highest power of ten that fits 128 bits, so decimals are scaled by no more.
const POWER_MAX: u32 = 38;

/// Type and nullability of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ValueType {
    pub ty: Type,
    pub nullable: bool,
}

impl ValueType {
    pub fn new(ty: Type, nullable: bool) -> Self {
        Self { ty, nullable }
    }
}

/// Result of arithmetic, or `None` where the types do not go together.
pub fn arithmetic(op: ArithmeticOp, left: &Type, right: &Type) -> Option<Type> {
    if let (
        Type::Decimal {
            precision: p1,
            scale: s1,
        },
        Type::Decimal {
            precision: p2,
            scale: s2,
        },
    ) = (left, right)
    {
        return decimal(op, (*p1, *s1), (*p2, *s2));
    }
    // WebAssembly has no remainder of floats.
    let numbers = left.is_integer() || (left.is_float() && op != ArithmeticOp::Remainder);
    (numbers && left == right).then(|| left.clone())
}

fn decimal(op: ArithmeticOp, (p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> Option<Type> {
    let (p1, p2) = (p1 as i8, p2 as i8);
    let (precision, scale) = match op {
        ArithmeticOp::Add | ArithmeticOp::Subtract => {
            let scale = s1.max(s2);
            (
                scale
                    .saturating_add((p1 - s1).max(p2 - s2))
                    .saturating_add(1),
                scale,
            )
        }
        ArithmeticOp::Multiply => {
            let scale = s1.saturating_add(s2);
            if scale > DECIMAL_SCALE_MAX {
                return None;
            }
            (p1.saturating_add(p2 + 1), scale)
        }
        ArithmeticOp::Divide => {
            let scale = s1.saturating_add(4).min(DECIMAL_SCALE_MAX);
            ((scale - s1 + s2).saturating_add(p1), scale)
        }
        ArithmeticOp::Remainder => {
            let scale = s1.max(s2);
            (scale.saturating_add((p1 - s1).min(p2 - s2)), scale)
        }
    };
    let precision = (precision as u8).min(DECIMAL_PRECISION_MAX);
    let (left, right) = decimal_powers(op, s1, s2, scale);
    let exists = precision > 0 && (-DECIMAL_SCALE_MAX..=precision as i8).contains(&scale);
    (exists && left.max(right) <= POWER_MAX).then_some(Type::Decimal { precision, scale })
}

/// By which powers of ten two decimals are multiplied before the operation, for a result of this scale.
pub(crate) fn decimal_powers(op: ArithmeticOp, left: i8, right: i8, scale: i8) -> (u32, u32) {
    let (left, right, scale) = (i32::from(left), i32::from(right), i32::from(scale));
    let (left, right) = match op {
        ArithmeticOp::Multiply => (0, 0),
        ArithmeticOp::Divide => {
            let power = scale - left + right;
            (power.max(0), (-power).max(0))
        }
        ArithmeticOp::Add | ArithmeticOp::Subtract | ArithmeticOp::Remainder => {
            (scale - left, scale - right)
        }
    };
    (left.unsigned_abs(), right.unsigned_abs())
}

/// Whether [`super::Expr::Cast`] knows how to turn one type into the other.
pub fn can_cast(from: &Type, to: &Type) -> bool {
    let number = |ty: &Type| ty.is_integer() || ty.is_float();
    match (from, to) {
        _ if from == to => true,
        (from, to) if number(from) && number(to) => true,
        (Type::Boolean, to) => to.is_integer(),
        (from, Type::Boolean) => from.is_integer(),
        (from, Type::Decimal { scale, .. }) if number(from) => *scale >= 0,
        (Type::Decimal { scale: from, .. }, Type::Decimal { scale: to, .. }) => {
            u32::from(from.abs_diff(*to)) <= POWER_MAX
        }
        (Type::Decimal { scale, .. }, to) if number(to) => *scale >= 0,
        (Type::Date32, Type::Int32) | (Type::Int32, Type::Date32) => true,
        (Type::Date32, Type::Timestamp(_, zone)) | (Type::Timestamp(_, zone), Type::Date32) => {
            is_utc(zone.as_deref())
        }
        // Without a zone a time is local: with one, it is the same instant only in UTC.
        (Type::Timestamp(_, None), Type::Timestamp(_, zone)) => is_utc(zone.as_deref()),
        (Type::Timestamp(..), Type::Timestamp(..)) => true,
        _ => false,
    }
}

/// Whether days start at multiples of 24 hours: without a zone, or in UTC.
pub fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "+00:00" | "Z"))
}

/// Type of a part of a time, and whether it can be null although the time is not; `None` where it has no such part.
pub fn date_part(part: TimePart, of: &Type) -> Option<(Type, bool)> {
    let is_time = match of {
        Type::Date32 => false,
        Type::Timestamp(_, zone) if is_utc(zone.as_deref()) => true,
        _ => return None,
    };
    // Nanoseconds in 64 bits reach from 1677 to 2262.
    let beyond = !matches!(of, Type::Timestamp(TimeUnit::Nanosecond, _));
    Some(match part {
        TimePart::Epoch => (Type::Float64, false),
        TimePart::Nanosecond => (Type::Int64, beyond && is_time),
        TimePart::Hour
        | TimePart::Minute
        | TimePart::Second
        | TimePart::Millisecond
        | TimePart::Microsecond => (Type::Int32, beyond && is_time),
        _ => (Type::Int32, beyond),
    })
}

/// Whether timestamps of a type can be truncated to the start of such a part.
pub fn date_trunc(part: TimePart, of: &Type) -> bool {
    let has_start = match part {
        TimePart::IsoYear
        | TimePart::DayOfYear
        | TimePart::DayOfWeek
        | TimePart::IsoDayOfWeek
        | TimePart::Nanosecond
        | TimePart::Epoch => false,
        TimePart::Year
        | TimePart::Quarter
        | TimePart::Month
        | TimePart::Week
        | TimePart::Day
        | TimePart::Hour
        | TimePart::Minute
        | TimePart::Second
        | TimePart::Millisecond
        | TimePart::Microsecond => true,
    };
    matches!(of, Type::Timestamp(_, zone) if has_start && is_utc(zone.as_deref()))
}

/// Whether intervals can be added to values of a type.
pub fn takes_interval(of: &Type) -> bool {
    match of {
        Type::Date32 => true,
        Type::Timestamp(_, zone) => is_utc(zone.as_deref()),
        _ => false,
    }
}

/// Result of a function over values of `argument`, or `None` where it takes none of that type.
fn result(function: &AggregateFunction, argument: Option<&Type>) -> Option<Type> {
    match (function, argument) {
        (AggregateFunction::Count, _) => Some(Type::Int64),
        (AggregateFunction::Sum, Some(ty)) => sum(ty),
        (AggregateFunction::Avg(Type::Float64), Some(Type::Float64)) => Some(Type::Float64),
        (
            AggregateFunction::Avg(result @ Type::Decimal { scale, .. }),
            Some(Type::Decimal { scale: from, .. }),
        ) => (*from >= 0 && scale >= from).then(|| result.clone()),
        (AggregateFunction::Min | AggregateFunction::Max, Some(ty)) => {
            (*ty != Type::Boolean).then(|| ty.clone())
        }
        _ => None,
    }
}

/// Type of a sum.
pub fn sum(argument: &Type) -> Option<Type> {
    Some(match argument {
        ty if ty.is_signed() => Type::Int64,
        ty if ty.is_unsigned() => Type::UInt64,
        ty if ty.is_float() => Type::Float64,
        Type::Decimal { precision, scale } => Type::Decimal {
            precision: (precision + 10).min(DECIMAL_PRECISION_MAX),
            scale: *scale,
        },
        _ => return None,
    })
}

/// Columns that a call puts out for a group, given the types of its arguments, or `None` where it does not take these.
pub fn call(
    mode: Mode,
    function: &AggregateFunction,
    arguments: &[Type],
) -> Option<Vec<ValueType>> {
    let nullable = |ty| vec![ValueType::new(ty, true)];
    let count = |ty| ValueType::new(ty, false);
    match (mode, function, arguments) {
        (Mode::Final, AggregateFunction::Count, [Type::Int64])
        | (Mode::Single | Mode::Partial, AggregateFunction::Count, [] | [_]) => {
            Some(vec![count(Type::Int64)])
        }
        (Mode::Single, AggregateFunction::CountDistinct, [_]) => Some(vec![count(Type::Int64)]),
        (Mode::Final, AggregateFunction::Avg(_), [Type::UInt64, sum]) => {
            Some(nullable(result(function, Some(sum))?))
        }
        // What a sum of sums adds up to needs no more digits than its parts have.
        (Mode::Final, AggregateFunction::Sum, [state]) => {
            let summed = matches!(state, Type::Int64 | Type::UInt64 | Type::Float64);
            (summed || state.is_decimal()).then(|| nullable(state.clone()))
        }
        (Mode::Partial, AggregateFunction::Avg(_), [argument]) => {
            result(function, Some(argument))?;
            // DataFusion takes a count that is not null for a group that has a mean.
            Some(vec![
                ValueType::new(Type::UInt64, true),
                ValueType::new(argument.clone(), true),
            ])
        }
        (_, AggregateFunction::Avg(_), [argument]) if mode == Mode::Single => {
            Some(nullable(result(function, Some(argument))?))
        }
        (Mode::Single | Mode::Partial, AggregateFunction::Sum, [argument])
        | (_, AggregateFunction::Min | AggregateFunction::Max, [argument]) => {
            Some(nullable(result(function, Some(argument))?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_scale(scale: i8) -> Type {
        Type::Decimal {
            precision: DECIMAL_PRECISION_MAX,
            scale,
        }
    }

    #[test]
    fn decimals_are_cast_across_no_more_places_than_128_bits_have() {
        let check = |from, to, expected| {
            let known = can_cast(&of_scale(from), &of_scale(to));
            assert_eq!(known, expected, "{from} to {to}");
        };
        check(0, 38, true);
        check(38, 0, true);
        check(-19, 19, true);
        check(-1, 38, false);
        check(38, -1, false);
        check(-38, 38, false);
    }

    #[test]
    fn decimals_are_computed_with_where_128_bits_have_the_power_of_ten() {
        let check = |op, left, right, expected: Option<i8>| {
            let scale = match arithmetic(op, &of_scale(left), &of_scale(right)) {
                Some(Type::Decimal { scale, .. }) => Some(scale),
                _ => None,
            };
            assert_eq!(scale, expected, "{op:?} {left} {right}");
        };
        check(ArithmeticOp::Divide, 0, 34, Some(4));
        check(ArithmeticOp::Divide, 0, 35, None);
        check(ArithmeticOp::Divide, -38, -38, Some(-34));
        check(ArithmeticOp::Add, 0, 38, Some(38));
        check(ArithmeticOp::Subtract, -1, 38, None);
        check(ArithmeticOp::Remainder, 38, -1, None);
        check(ArithmeticOp::Multiply, -19, -19, Some(-38));
        check(ArithmeticOp::Multiply, -20, -19, None);
    }
}
