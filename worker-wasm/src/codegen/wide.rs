//! Arithmetic on 128-bit integers that is too long to be written out at each use, and the list of all such functions.
//!
//! Each is a function of the module, of which there is one copy; a module that does not use it has an empty body there.

use wasm_encoder::ValType;

use super::builder::{Finished, Function, I32, I64, Local, Value, Wide, select};

/// Functions that every module has, in this order behind the imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Helper {
    /// `(left, right) -> product, overflow`: exact product of two signed numbers, overflow 1 if it needs more bits.
    MulChecked,
    /// `(numerator, divisor) -> quotient, remainder`, truncated towards zero. The divisor is not 0.
    DivRem,
    /// `(value) -> f64`, rounded to nearest, ties to even.
    ToF64,
    /// `(bytes) -> address` of new private memory, or 0 when the heap is too small; NEEDED then says by how much.
    Reserve,
    /// `(bytes of 0 or 1, count, bits)`: packs bytes into a bitmap, lowest bit first; both buffers are padded to 16 rows.
    PackBits,
    /// `(at, address, length)`: writes a view of a text.
    StoreView,
    /// `(left, right, length) -> equal`, of more than 8 bytes.
    EqualText,
    /// `(left, length, right, length) -> order`: below 0, 0 or above 0.
    OrderText,
    /// `(address, length) -> word`, of more than 8 bytes.
    HashText,
    /// `(text, length, needle, length) -> found`.
    ContainsText,
    /// `(text, length, pattern, length) -> matches`, with wildcards in the pattern.
    MatchText,
    /// `(address, length, start, end) -> address, length`, start and end being characters.
    Substring,
    /// `(day) -> year, month, day of the month` in the Gregorian calendar; day 0 is 1970-01-01.
    Civil,
    /// `(year, month, day of the month) -> day`; months 13 and up belong to the next year.
    DayOf,
}

impl Helper {
    pub(crate) const ALL: [Self; 14] = [
        Self::MulChecked,
        Self::DivRem,
        Self::ToF64,
        Self::Reserve,
        Self::PackBits,
        Self::StoreView,
        Self::EqualText,
        Self::OrderText,
        Self::HashText,
        Self::ContainsText,
        Self::MatchText,
        Self::Substring,
        Self::Civil,
        Self::DayOf,
    ];
}

/// The product's low 128 bits: right for signed numbers too.
pub(crate) fn mul_wrapping(f: &mut Function, to: Wide, left: Wide, right: Wide) {
    let low = f.wide();
    f.mul_wide_u(low, left.lo, right.lo);
    let hi = low.hi.get() + left.hi.get() * right.lo + left.lo.get() * right.hi;
    f.set_wide(to, low.lo, hi);
}

/// `to = -value`, wrapping.
pub(crate) fn negate(f: &mut Function, to: Wide, value: Wide) {
    let zero = constant(f, 0);
    f.sub_wide(to, zero, value);
}

pub(crate) fn constant(f: &mut Function, value: i128) -> Wide {
    let wide = f.wide();
    f.set_wide(wide, value as i64, (value >> 64) as i64);
    wide
}

/// `left < right` of signed numbers.
pub(crate) fn lt(left: Wide, right: Wide) -> Value<I32> {
    select(
        left.hi.get().eq(right.hi),
        left.lo.get().lt_u(right.lo),
        left.hi.get().lt_s(right.hi),
    )
}

pub(crate) fn eq(left: Wide, right: Wide) -> Value<I32> {
    ((left.lo.get() ^ right.lo) | (left.hi.get() ^ right.hi)).eqz()
}

pub(crate) fn is_zero(value: Wide) -> Value<I32> {
    (value.lo.get() | value.hi).eqz()
}

fn wide_param(f: &mut Function) -> Wide {
    Wide {
        lo: f.param(),
        hi: f.param(),
    }
}

/// The number without its sign, as an unsigned one.
fn magnitude(f: &mut Function, value: Wide) -> Wide {
    let negated = f.wide();
    negate(f, negated, value);
    let negative: Local<I32> = f.let_(value.hi.get().lt_s(0i64));
    let magnitude = f.wide();
    f.set_wide(
        magnitude,
        select(negative, negated.lo, value.lo),
        select(negative, negated.hi, value.hi),
    );
    magnitude
}

fn negate_if(f: &mut Function, condition: Local<I32>, value: Wide) {
    f.if_(condition, |f| negate(f, value, value));
}

/// Schoolbook product of the magnitudes, whose upper cross product must vanish.
pub(super) fn mul_checked() -> Finished {
    let mut f = Function::new(&[ValType::I64, ValType::I64, ValType::I32]);
    let (left, right) = (wide_param(&mut f), wide_param(&mut f));
    let f = &mut f;
    let negative: Local<I32> = f.let_((left.hi.get() ^ right.hi).lt_s(0i64));
    let (a, b) = (magnitude(f, left), magnitude(f, right));
    let product = f.wide();
    f.mul_wide_u(product, a.lo, b.lo);
    // At most one of the two has an upper half when the product fits.
    let both: Local<I32> = f.let_(a.hi.get().ne(0i64) & b.hi.get().ne(0i64));
    let (upper, other) = (f.local::<I64>(), f.local::<I64>());
    f.set(upper, select(a.hi.get().ne(0i64), a.hi, b.hi));
    f.set(other, select(a.hi.get().ne(0i64), b.lo, a.lo));
    let cross = f.wide();
    f.mul_wide_u(cross, upper, other);
    let hi: Local<I64> = f.let_(product.hi.get() + cross.lo);
    let carried = hi.get().lt_u(product.hi);
    let overflow: Local<I32> = f.let_(both.get() | cross.hi.get().ne(0i64) | carried);
    f.set(product.hi, hi);
    negate_if(f, negative, product);
    // A zero has no sign; any other product must have the sign of its factors.
    let sign_is_wrong = product.hi.get().lt_s(0i64) ^ negative.get();
    let not_zero = is_zero(product).eqz();
    f.set(overflow, overflow.get() | (sign_is_wrong & not_zero));
    f.return_values(|f| {
        f.argument(product.lo);
        f.argument(product.hi);
        f.argument::<I32>(overflow);
    });
    finish(f)
}

fn finish(f: &mut Function) -> Finished {
    std::mem::replace(f, Function::new(&[])).finish()
}

/// One division where both fit 64 bits; by 32-bit digits where the divisor is one digit; else bit by bit.
pub(super) fn div_rem() -> Finished {
    let mut f = Function::new(&[ValType::I64; 4]);
    let (numerator, divisor) = (wide_param(&mut f), wide_param(&mut f));
    let f = &mut f;
    let quotient_negative: Local<I32> = f.let_((numerator.hi.get() ^ divisor.hi).lt_s(0i64));
    let remainder_negative: Local<I32> = f.let_(numerator.hi.get().lt_s(0i64));
    let (n, d) = (magnitude(f, numerator), magnitude(f, divisor));
    let rest = f.wide();
    f.if_else(
        (n.hi.get() | d.hi).eqz(),
        |f| {
            f.set(rest.lo, n.lo.get().rem_u(d.lo));
            f.set(n.lo, n.lo.get().div_u(d.lo));
        },
        |f| {
            f.if_else(
                (d.hi.get() | d.lo.get().shr_u(32i64)).eqz(),
                |f| divide_by_digit(f, n, d.lo, rest),
                |f| divide_by_bits(f, n, d, rest),
            );
        },
    );
    negate_if(f, quotient_negative, n);
    negate_if(f, remainder_negative, rest);
    f.return_values(|f| {
        for half in [n.lo, n.hi, rest.lo, rest.hi] {
            f.argument(half);
        }
    });
    finish(f)
}

/// Long division from the highest of four digits down; `n` becomes the quotient.
fn divide_by_digit(f: &mut Function, n: Wide, digit: Local<I64>, rest: Wide) {
    let (part, high) = (f.local::<I64>(), f.local::<I64>());
    for half in [n.hi, n.lo] {
        f.set(part, (rest.lo.get() << 32i64) | half.get().shr_u(32i64));
        f.set(high, part.get().div_u(digit));
        f.set(rest.lo, part.get().rem_u(digit));
        f.set(
            part,
            (rest.lo.get() << 32i64) | (half.get() & 0xffff_ffffi64),
        );
        f.set(half, (high.get() << 32i64) | part.get().div_u(digit));
        f.set(rest.lo, part.get().rem_u(digit));
    }
}

/// Shifts `n` out at the top into the rest and the quotient's bits in at the bottom.
fn divide_by_bits(f: &mut Function, n: Wide, d: Wide, rest: Wide) {
    let steps: Local<I32> = f.let_(128);
    f.if_(n.hi.get().eqz(), |f| {
        f.set_wide(n, 0i64, n.lo);
        f.set(steps, 64);
    });
    let carry = f.local::<I32>();
    let fits = f.local::<I32>();
    f.repeat(|f, again| {
        f.set(carry, rest.hi.get().lt_s(0i64));
        shift_left(f, rest, n.hi.get().shr_u(63i64));
        let below = select(
            rest.hi.get().eq(d.hi),
            rest.lo.get().lt_u(d.lo),
            rest.hi.get().lt_u(d.hi),
        );
        f.set(fits, carry.get() | below.eqz());
        shift_left(f, n, fits.get().to_i64_u());
        f.if_(fits, |f| f.sub_wide(rest, rest, d));
        f.set(steps, steps.get() - 1);
        f.branch_if(again, steps);
    });
}

fn shift_left(f: &mut Function, value: Wide, bit: Value<I64>) {
    f.set(
        value.hi,
        (value.hi.get() << 1i64) | value.lo.get().shr_u(63i64),
    );
    f.set(value.lo, (value.lo.get() << 1i64) | bit);
}

/// The top 64 bits with whatever is below folded into the lowest: more than enough for one correct rounding.
pub(super) fn to_f64() -> Finished {
    let mut f = Function::new(&[ValType::F64]);
    let value = wide_param(&mut f);
    let f = &mut f;
    let negative: Local<I32> = f.let_(value.hi.get().lt_s(0i64));
    let m = magnitude(f, value);
    let result = f.local::<super::builder::F64>();
    f.if_else(
        m.hi.get().eqz(),
        |f| f.set(result, m.lo.get().to_f64_u()),
        |f| {
            let shift: Local<I64> = f.let_(m.hi.get().clz());
            // Two steps, because a shift by 64 would be a shift by 0.
            let low = m.lo.get().shr_u(1i64).shr_u(Value::from(63i64) - shift);
            let top = (m.hi.get() << shift) | low;
            let sticky = (m.lo.get() << shift).ne(0i64).to_i64_u();
            let exponent = (Value::from(1023i64 + 64) - shift) << 52i64;
            f.set(result, (top | sticky).to_f64_u() * exponent.as_f64());
        },
    );
    f.return_values(|f| f.argument(select(negative, result.get().neg(), result)));
    finish(f)
}
