//! Decimal arithmetic in 64- and 128-bit lanes.
//!
//! Magnitudes are tracked in bits: a result that fits 63 bits stays in a 64-bit lane, one that is known to fit 127 needs
//! no overflow check. Above that, arithmetic is checked as arrow's kernels do: an error where 128 bits do not suffice.

use super::{BITS_MAX, Datum, NARROW_BITS_MAX, Row, Scalar, either_null, hold, unless, widen};
use crate::{
    abi::Reason,
    codegen::{
        builder::{Function, I32, I64, Local, Wide, select},
        wide::{self, Helper},
    },
    fragment::{ArithmeticOp, Type, rules},
};

/// Ten to the power of `exponent`, at most 38.
pub(super) fn power_of_ten(exponent: u32) -> i128 {
    10i128.pow(exponent)
}

/// Bits that multiplying by `factor` adds to a magnitude.
fn bits_of(factor: i128) -> u32 {
    128 - (factor - 1).leading_zeros()
}

pub(crate) fn scale_of(ty: &Type) -> i8 {
    match ty {
        Type::Decimal { scale, .. } => *scale,
        other => unreachable!("{other} is no decimal"),
    }
}

impl Row<'_> {
    pub(super) fn decimal_arithmetic(
        &self,
        f: &mut Function,
        op: ArithmeticOp,
        left: &Datum,
        right: &Datum,
    ) -> Datum {
        let null = either_null(f, left, right);
        let ty = rules::arithmetic(op, &left.ty, &right.ty).expect("verified");
        let (left_scale, right_scale, scale) =
            (scale_of(&left.ty), scale_of(&right.ty), scale_of(&ty));
        let (left_power, right_power) = rules::decimal_powers(op, left_scale, right_scale, scale);
        let left = self.scale_up(f, left, left_power, null, Reason::Overflow);
        let right = self.scale_up(f, right, right_power, null, Reason::Overflow);
        match op {
            ArithmeticOp::Add | ArithmeticOp::Subtract => self.add(f, op, ty, &left, &right, null),
            ArithmeticOp::Multiply => self.multiply(f, ty, &left, &right, null, Reason::Overflow),
            ArithmeticOp::Divide | ArithmeticOp::Remainder => {
                self.divide(f, op, ty, &left, &right, null)
            }
        }
    }

    /// Times ten to the power of `power`; an error for `reason` where that does not fit 128 bits.
    pub(crate) fn scale_up(
        &self,
        f: &mut Function,
        item: &Datum,
        power: u32,
        null: Option<Local<I32>>,
        reason: Reason,
    ) -> Datum {
        if power == 0 {
            return item.clone();
        }
        let factor = power_of_ten(power);
        let bits = bits_of(factor);
        let value = match bits <= NARROW_BITS_MAX {
            true => Scalar::I64(f.let_(factor as i64)),
            false => Scalar::I128(wide::constant(f, factor)),
        };
        let factor = Datum::decimal(item.ty.clone(), value, None, bits);
        self.multiply(f, item.ty.clone(), item, &factor, null, reason)
    }

    fn add(
        &self,
        f: &mut Function,
        op: ArithmeticOp,
        ty: Type,
        left: &Datum,
        right: &Datum,
        null: Option<Local<I32>>,
    ) -> Datum {
        let bits = left.bits.max(right.bits) + 1;
        let adds = op == ArithmeticOp::Add;
        if let (Scalar::I64(l), Scalar::I64(r)) = (left.value, right.value)
            && bits <= NARROW_BITS_MAX
        {
            let value = if adds { l.get() + r } else { l.get() - r };
            let value = Scalar::I64(hold(f, value));
            return Datum::decimal(ty, value, null, bits);
        }
        let (l, r) = (widen(f, left.value), widen(f, right.value));
        let result = f.wide();
        if adds {
            f.add_wide(result, l, r);
        } else {
            f.sub_wide(result, l, r);
        }
        if bits > BITS_MAX {
            // A sum overflows if its sign is neither operand's, a difference if it is not the left's but the right's.
            let other = if adds {
                result.hi.get() ^ r.hi
            } else {
                l.hi.get() ^ r.hi
            };
            let overflow = ((result.hi.get() ^ l.hi) & other).lt_s(0i64);
            f.raise_if(unless(null, overflow), Reason::Overflow, self.index);
        }
        Datum::decimal(ty, Scalar::I128(result), null, bits.min(BITS_MAX))
    }

    fn multiply(
        &self,
        f: &mut Function,
        ty: Type,
        left: &Datum,
        right: &Datum,
        null: Option<Local<I32>>,
        reason: Reason,
    ) -> Datum {
        let bits = left.bits + right.bits;
        if let (Scalar::I64(l), Scalar::I64(r)) = (left.value, right.value) {
            if bits <= NARROW_BITS_MAX {
                let value = Scalar::I64(f.let_(l.get() * r));
                return Datum::decimal(ty, value, null, bits);
            }
            let result = f.wide();
            f.mul_wide_s(result, l, r);
            return Datum::decimal(ty, Scalar::I128(result), null, bits);
        }
        let (l, r) = (widen(f, left.value), widen(f, right.value));
        let result = f.wide();
        if bits <= BITS_MAX {
            wide::mul_wrapping(f, result, l, r);
        } else {
            let overflow = f.local::<I32>();
            for half in [l.lo, l.hi, r.lo, r.hi] {
                f.argument::<I64>(half);
            }
            f.call_helper(Helper::MulChecked);
            f.take(overflow);
            f.take(result.hi);
            f.take(result.lo);
            f.raise_if(unless(null, overflow.get()), reason, self.index);
        }
        Datum::decimal(ty, Scalar::I128(result), null, bits.min(BITS_MAX))
    }

    /// Quotient truncated towards zero, or the remainder with the sign of the numerator.
    fn divide(
        &self,
        f: &mut Function,
        op: ArithmeticOp,
        ty: Type,
        left: &Datum,
        right: &Datum,
        null: Option<Local<I32>>,
    ) -> Datum {
        let quotient = op == ArithmeticOp::Divide;
        if let (Scalar::I64(l), Scalar::I64(r)) = (left.value, right.value) {
            let zero = hold(f, r.get().eqz());
            f.raise_if(unless(null, zero.get()), Reason::DivideByZero, self.index);
            // Magnitudes below 2^63 cannot overflow; null rows hold anything and divide by 1.
            let clean = match null {
                Some(null) => select::<I64>(zero.get() | null, 1i64, r),
                None => r.get(),
            };
            let value = match quotient {
                true => l.get().div_s(clean),
                false => l.get().rem_s(clean),
            };
            let value = Scalar::I64(hold(f, value));
            return Datum::decimal(ty, value, null, left.bits);
        }
        let (l, r) = (widen(f, left.value), widen(f, right.value));
        let zero = hold(f, wide::is_zero(r));
        f.raise_if(unless(null, zero.get()), Reason::DivideByZero, self.index);
        let divisor = f.wide();
        f.set_wide(divisor, r.lo.get() | zero.get().to_i64_u(), r.hi);
        let (result, rest) = divide(f, l, divisor);
        if left.bits == BITS_MAX {
            // Only the lowest number by -1 does not fit: its quotient comes out negative again.
            let overflow =
                l.hi.get().lt_s(0i64) & divisor.hi.get().lt_s(0i64) & result.hi.get().lt_s(0i64);
            f.raise_if(unless(null, overflow), Reason::Overflow, self.index);
        }
        let value = Scalar::I128(if quotient { result } else { rest });
        Datum::decimal(ty, value, null, BITS_MAX)
    }

    /// An error where the value has more digits than `ty` allows.
    pub(crate) fn check_precision(
        &self,
        f: &mut Function,
        item: &Datum,
        ty: &Type,
        reason: Reason,
    ) {
        let Type::Decimal { precision, .. } = ty else {
            unreachable!("{ty} is no decimal");
        };
        let limit = power_of_ten(u32::from(*precision));
        if item.bits < 127 && 1i128 << item.bits <= limit {
            return;
        }
        let too_large = match item.value {
            Scalar::I64(v) => {
                let limit = limit as i64;
                v.get().gt_s(limit - 1) | v.get().lt_s(1 - limit)
            }
            other => {
                let v = widen(f, other);
                let (low, high) = (wide::constant(f, 1 - limit), wide::constant(f, limit - 1));
                wide::lt(v, low) | wide::lt(high, v)
            }
        };
        f.raise_if(item.unless_null(too_large), reason, self.index);
    }
}

/// Quotient and remainder; the divisor is not 0.
pub(crate) fn divide(f: &mut Function, numerator: Wide, divisor: Wide) -> (Wide, Wide) {
    let (quotient, rest) = (f.wide(), f.wide());
    for half in [numerator.lo, numerator.hi, divisor.lo, divisor.hi] {
        f.argument::<I64>(half);
    }
    f.call_helper(Helper::DivRem);
    for half in [rest.hi, rest.lo, quotient.hi, quotient.lo] {
        f.take(half);
    }
    (quotient, rest)
}

/// Divided by ten to the power of `power`, rounded half away from zero as arrow's casts are.
pub(super) fn scale_down(f: &mut Function, item: &Datum, power: u32) -> Datum {
    let factor = power_of_ten(power);
    let half = factor / 2;
    if let (Scalar::I64(v), Ok(factor)) = (item.value, i64::try_from(factor)) {
        let rest: Local<I64> = f.let_(v.get().rem_s(factor));
        let up = rest.get().gt_s(half as i64 - 1).to_i64_u();
        let down = rest.get().lt_s(1 - half as i64).to_i64_u();
        let value = Scalar::I64(f.let_(v.get().div_s(factor) + up - down));
        return Datum {
            value,
            ..item.clone()
        };
    }
    let v = widen(f, item.value);
    let factor = wide::constant(f, factor);
    let (quotient, rest) = divide(f, v, factor);
    let (low, high) = (wide::constant(f, 1 - half), wide::constant(f, half - 1));
    let up = f.wide();
    f.set_wide(up, wide::lt(high, rest).to_i64_u(), 0i64);
    let down = f.wide();
    f.set_wide(down, wide::lt(rest, low).to_i64_u(), 0i64);
    f.add_wide(quotient, quotient, up);
    f.sub_wide(quotient, quotient, down);
    Datum {
        value: Scalar::I128(quotient),
        bits: BITS_MAX,
        ..item.clone()
    }
}
