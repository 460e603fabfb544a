//! Casts. A value that does not fit is an error, as in DataFusion.

use super::{Datum, Row, Scalar, decimal, hold, widen};
use crate::{
    abi::Reason,
    codegen::{
        builder::{F64, Function, I32, I64, Local, Value},
        wide::{self, Helper},
    },
    fragment::{Expr, Lane, Type},
};

impl Row<'_> {
    pub(super) fn cast(&self, f: &mut Function, item: &Expr, to: &Type) -> Datum {
        let item = self.value(f, item);
        let value = match (&item.ty, to) {
            (from, to) if from == to => return item,
            (from, Type::Decimal { .. }) if from.is_float() => self.float_to_decimal(f, &item, to),
            (_, Type::Decimal { .. }) => return self.to_decimal(f, &item, to),
            (Type::Decimal { scale, .. }, to) if to.is_float() => {
                let number = decimal_to_f64(f, item.value, *scale as u32);
                match to {
                    Type::Float32 => Scalar::F32(f.let_(number.get().to_f32())),
                    _ => Scalar::F64(number),
                }
            }
            (Type::Decimal { .. }, _) => self.decimal_to_int(f, &item, to),
            (Type::Timestamp(..), _) | (_, Type::Timestamp(..)) => {
                if matches!(
                    (&item.ty, to),
                    (Type::Timestamp(_, None), Type::Timestamp(_, Some(_)))
                ) {
                    // Finding the offset in a zone takes a date that chrono has, even in UTC.
                    let _ = self.day_in_range(f, &item);
                }
                self.cast_time(f, &item, to)
            }
            (from, Type::Boolean) if from.is_integer() => {
                let wide = as_i64(f, from, item.value);
                Scalar::I32(f.let_(wide.get().ne(0i64)))
            }
            (from, to) if to.is_float() => int_or_float_to_float(f, from, item.value, to),
            (from, to) if from.is_float() => self.float_to_int(f, &item, to),
            (_, Type::Date32 | Type::Int32)
                if !item.ty.is_integer() && item.ty != Type::Boolean =>
            {
                item.value
            }
            (_, Type::Date32) => item.value,
            _ => self.int_to_int(f, &item, to),
        };
        Datum::new(to.clone(), value, item.null)
    }

    fn refuse(&self, f: &mut Function, item: &Datum, condition: Value<I32>) {
        f.raise_if(
            item.unless_null(condition),
            Reason::CastOutOfRange,
            self.index,
        );
    }

    fn int_to_int(&self, f: &mut Function, item: &Datum, to: &Type) -> Scalar {
        let from = &item.ty;
        // A boolean is an unsigned number of one bit.
        let from_bits = from.integer_bits().unwrap_or(1);
        let to_bits = to.integer_bits().expect("an integer");
        let wide = as_i64(f, from, item.value);
        if from.is_signed() && to.is_unsigned() {
            self.refuse(f, item, wide.get().lt_s(0i64));
        } else if from.is_signed() && from_bits > to_bits {
            self.refuse(f, item, wide.get().lt_s(-(1i64 << to_bits)));
        }
        if from_bits > to_bits {
            let limit = (1i64 << (to_bits - 1)) - 1 + (1i64 << (to_bits - 1));
            let above = match from {
                Type::UInt64 => wide.get().gt_u(limit),
                _ => wide.get().gt_s(limit),
            };
            self.refuse(f, item, above);
        }
        from_i64(f, to, wide)
    }

    /// Truncates. NaN and what lies outside the integer's range are errors.
    fn float_to_int(&self, f: &mut Function, item: &Datum, to: &Type) -> Scalar {
        let value: Local<F64> = match item.value {
            Scalar::F32(v) => f.let_(v.get().to_f64()),
            Scalar::F64(v) => f.let_(v.get().trunc()),
            other => unreachable!("{other:?} is no float"),
        };
        f.set(value, value.get().trunc());
        let end = f64::powi(2.0, to.integer_bits().expect("an integer").cast_signed());
        let start = if to.is_signed() { -end } else { 0.0 };
        // Written so that NaN, for which every comparison is false, is refused.
        let inside = value.get().lt(end) & Value::<F64>::from(start).le(value);
        self.refuse(f, item, inside.eqz());
        let truncated = match to {
            Type::UInt64 => value.get().to_i64_u(),
            _ => value.get().to_i64_s(),
        };
        let wide = hold(f, truncated);
        from_i64(f, to, wide)
    }

    /// Truncates towards zero.
    fn decimal_to_int(&self, f: &mut Function, item: &Datum, to: &Type) -> Scalar {
        let factor = decimal::power_of_ten(decimal::scale_of(&item.ty) as u32);
        let whole = match (item.value, i64::try_from(factor)) {
            (Scalar::I64(v), Ok(factor)) => Scalar::I64(f.let_(v.get().div_s(factor))),
            (value, _) => {
                let (value, factor) = (widen(f, value), wide::constant(f, factor));
                Scalar::I128(decimal::divide(f, value, factor).0)
            }
        };
        let bits = to.integer_bits().expect("an integer");
        let whole = widen(f, whole);
        let high = wide::constant(f, (1i128 << bits) - 1);
        let low = match to.is_signed() {
            true => wide::constant(f, -(1i128 << bits)),
            false => wide::constant(f, 0),
        };
        let outside = wide::lt(whole, low) | wide::lt(high, whole);
        self.refuse(f, item, outside);
        from_i64(f, to, whole.lo)
    }

    /// The nearest decimal, halves away from zero. NaN and what lies outside are errors.
    fn float_to_decimal(&self, f: &mut Function, item: &Datum, to: &Type) -> Scalar {
        let float: Local<F64> = match item.value {
            Scalar::F32(v) => f.let_(v.get().to_f64()),
            Scalar::F64(v) => v,
            other => unreachable!("{other:?} is no float"),
        };
        let factor = f64::powi(10.0, decimal::scale_of(to).into());
        let scaled: Local<F64> = f.let_(float.get() * factor);
        // A hair less than a half, so that what is just below one is not rounded up by the sum itself.
        let half = Value::<F64>::from(0.5f64.next_down()).copysign(scaled);
        let rounded: Local<F64> = f.let_((scaled.get() + half).trunc());
        let end = f64::powi(2.0, 127);
        let inside = rounded.get().lt(end) & Value::<F64>::from(-end).le(rounded);
        self.refuse(f, item, inside.eqz());
        // Both halves of the magnitude are exact: the upper one is a multiple of 2^64, and what is left are the bits below.
        let magnitude: Local<F64> = f.let_(rounded.get().abs());
        let word = f64::powi(2.0, 64);
        let upper: Local<F64> = f.let_(magnitude.get().div(word).floor());
        let lower = magnitude.get() - upper.get() * word;
        let number = f.wide();
        f.set_wide(number, lower.to_i64_u(), upper.get().to_i64_s());
        let negative = rounded.get().lt(0f64);
        f.if_(negative, |f| wide::negate(f, number, number));
        let decimal = Datum::new(to.clone(), Scalar::I128(number), item.null);
        self.check_precision(f, &decimal, to, Reason::CastOutOfRange);
        decimal.value
    }

    fn to_decimal(&self, f: &mut Function, item: &Datum, to: &Type) -> Datum {
        let Type::Decimal {
            scale: to_scale, ..
        } = to
        else {
            unreachable!("{to} is no decimal");
        };
        let (source, from_scale) = match &item.ty {
            Type::Decimal { scale, .. } => (item.clone(), *scale),
            from => (integer_as_decimal(f, from, item, to), 0),
        };
        let power = u32::from(to_scale.abs_diff(from_scale));
        let scaled = if to_scale >= &from_scale {
            self.scale_up(f, &source, power, item.null, Reason::CastOutOfRange)
        } else {
            decimal::scale_down(f, &source, power)
        };
        self.check_precision(f, &scaled, to, Reason::CastOutOfRange);
        Datum {
            ty: to.clone(),
            ..scaled
        }
    }
}

fn integer_as_decimal(f: &mut Function, from: &Type, item: &Datum, to: &Type) -> Datum {
    let narrow = as_i64(f, from, item.value);
    let bits = from.integer_bits().expect("verified: an integer");
    if bits < 63 {
        // 31 bits of a signed type reach down to -2^31, one bit more than a magnitude below 2^31.
        return Datum::decimal(to.clone(), Scalar::I64(narrow), item.null, bits + 1);
    }
    let wide = f.wide();
    let sign = match from {
        Type::UInt64 => Value::from(0i64),
        _ => narrow.get().shr_s(63i64),
    };
    f.set_wide(wide, narrow, sign);
    Datum::decimal(to.clone(), Scalar::I128(wide), item.null, bits + 1)
}

/// An integer or boolean in 64 bits, extended by its own sign.
fn as_i64(f: &mut Function, from: &Type, value: Scalar) -> Local<I64> {
    match value {
        Scalar::I32(v) if from.is_unsigned() => f.let_(v.get().to_i64_u()),
        Scalar::I32(v) => f.let_(v.get().to_i64_s()),
        Scalar::I64(v) => v,
        other => unreachable!("{other:?} is no integer"),
    }
}

/// An integer of type `to` that is known to hold the value.
fn from_i64(f: &mut Function, to: &Type, value: Local<I64>) -> Scalar {
    match to.storage().lane() {
        Lane::I32 => Scalar::I32(f.let_(value.get().to_i32())),
        _ => Scalar::I64(value),
    }
}

fn int_or_float_to_float(f: &mut Function, from: &Type, value: Scalar, to: &Type) -> Scalar {
    let unsigned = from.is_unsigned();
    if *to == Type::Float32 {
        return Scalar::F32(match value {
            Scalar::I32(v) if unsigned => f.let_(v.get().to_f32_u()),
            Scalar::I32(v) => f.let_(v.get().to_f32_s()),
            Scalar::I64(v) if unsigned => f.let_(v.get().to_f32_u()),
            Scalar::I64(v) => f.let_(v.get().to_f32_s()),
            Scalar::F64(v) => f.let_(v.get().to_f32()),
            other => unreachable!("{other:?} is no other number"),
        });
    }
    Scalar::F64(match value {
        Scalar::I32(v) if unsigned => f.let_(v.get().to_f64_u()),
        Scalar::I32(v) => f.let_(v.get().to_f64_s()),
        Scalar::I64(v) if unsigned => f.let_(v.get().to_f64_u()),
        Scalar::I64(v) => f.let_(v.get().to_f64_s()),
        Scalar::F32(v) => f.let_(v.get().to_f64()),
        other => unreachable!("{other:?} is no other number"),
    })
}

/// The nearest float of the unscaled number, divided by ten to the power of the scale.
fn decimal_to_f64(f: &mut Function, value: Scalar, scale: u32) -> Local<F64> {
    let number = f.local::<F64>();
    match value {
        Scalar::I64(v) => f.set(number, v.get().to_f64_s()),
        other => {
            let wide = widen(f, other);
            f.argument(wide.lo);
            f.argument(wide.hi);
            f.call_helper(Helper::ToF64);
            f.take(number);
        }
    }
    f.let_(number.get().div(f64::powi(10.0, scale.cast_signed())))
}
