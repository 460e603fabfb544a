//! Comparison and membership.
//!
//! Floats compare in total order, as arrow's kernels do, after all NaNs have become the same positive one: processors
//! disagree on the sign of 0/0, and an answer must not depend on them.

use super::{Datum, Row, Scalar, either_null, hold, widen};
use crate::{
    codegen::{
        builder::{F32, F64, Function, I32, I64, Local, Value, select},
        wide,
    },
    fragment::{CompareOp, Expr, Type},
};

impl Row<'_> {
    pub(super) fn compare(
        &self,
        f: &mut Function,
        op: CompareOp,
        left: &Expr,
        right: &Expr,
    ) -> Datum {
        let (left, right) = (self.value(f, left), self.value(f, right));
        let null = either_null(f, &left, &right);
        let value = compare(f, op, &left, &right);
        Datum::boolean(hold(f, value), null)
    }

    /// True if one of the list is equal; else null if the value or one of the list is; else false.
    pub(super) fn is_in(&self, f: &mut Function, value: &Expr, items: &[Expr]) -> Datum {
        let value = self.value(f, value);
        let found: Local<I32> = f.let_(0);
        let mut null = value.null;
        for item in items {
            let item = self.value(f, item);
            let equal = equals(f, &value, &item);
            f.set(found, found.get() | item.unless_null(equal));
            null = either_null(
                f,
                &Datum {
                    null,
                    ..value.clone()
                },
                &item,
            );
        }
        let null = null.map(|null| {
            let found = value.unless_null(found.get());
            hold(f, null.get() & found.eqz())
        });
        Datum::boolean(found, null)
    }
}

/// 1 where two values that are not null are equal.
pub(crate) fn equals(f: &mut Function, left: &Datum, right: &Datum) -> Value<I32> {
    compare(f, CompareOp::Eq, left, right)
}

/// 1 where `left < right`, neither being null.
pub(crate) fn less(f: &mut Function, left: &Datum, right: &Datum) -> Value<I32> {
    compare(f, CompareOp::Lt, left, right)
}

fn compare(f: &mut Function, op: CompareOp, left: &Datum, right: &Datum) -> Value<I32> {
    match (left.value, right.value) {
        (Scalar::I32(l), Scalar::I32(r)) => compare_i32(op, !left.ty.is_unsigned(), l, r),
        (Scalar::I64(l), Scalar::I64(r)) => compare_i64(op, left.ty != Type::UInt64, l, r),
        (Scalar::F32(_), _) | (Scalar::F64(_), _) => {
            let (l, r) = (order_key(f, left.value), order_key(f, right.value));
            match (l, r) {
                (Scalar::I32(l), Scalar::I32(r)) => compare_i32(op, true, l, r),
                (Scalar::I64(l), Scalar::I64(r)) => compare_i64(op, true, l, r),
                (l, r) => unreachable!("verified types keep lanes, {l:?} and {r:?}"),
            }
        }
        (Scalar::Text(l), Scalar::Text(r)) => match op {
            CompareOp::Eq => l.equals(f, r).get(),
            CompareOp::Ne => l.equals(f, r).get().eqz(),
            _ => {
                let (order, zero) = (l.order(f, r), f.let_(0));
                compare_i32(op, true, order, zero)
            }
        },
        (l, r) => {
            let (l, r) = (widen(f, l), widen(f, r));
            match op {
                CompareOp::Eq => wide::eq(l, r),
                CompareOp::Ne => wide::eq(l, r).eqz(),
                CompareOp::Lt => wide::lt(l, r),
                CompareOp::Le => wide::lt(r, l).eqz(),
                CompareOp::Gt => wide::lt(r, l),
                CompareOp::Ge => wide::lt(l, r).eqz(),
            }
        }
    }
}

fn compare_i32(op: CompareOp, signed: bool, l: Local<I32>, r: Local<I32>) -> Value<I32> {
    match (op, signed) {
        (CompareOp::Eq, _) => l.get().eq(r),
        (CompareOp::Ne, _) => l.get().ne(r),
        (CompareOp::Lt, true) => l.get().lt_s(r),
        (CompareOp::Le, true) => l.get().le_s(r),
        (CompareOp::Gt, true) => r.get().lt_s(l),
        (CompareOp::Ge, true) => r.get().le_s(l),
        (CompareOp::Lt, false) => l.get().lt_u(r),
        (CompareOp::Le, false) => l.get().le_u(r),
        (CompareOp::Gt, false) => r.get().lt_u(l),
        (CompareOp::Ge, false) => r.get().le_u(l),
    }
}

fn compare_i64(op: CompareOp, signed: bool, l: Local<I64>, r: Local<I64>) -> Value<I32> {
    match (op, signed) {
        (CompareOp::Eq, _) => l.get().eq(r),
        (CompareOp::Ne, _) => l.get().ne(r),
        (CompareOp::Lt, true) => l.get().lt_s(r),
        (CompareOp::Le, true) => l.get().le_s(r),
        (CompareOp::Gt, true) => r.get().lt_s(l),
        (CompareOp::Ge, true) => r.get().le_s(l),
        (CompareOp::Lt, false) => l.get().lt_u(r),
        (CompareOp::Le, false) => l.get().le_u(r),
        (CompareOp::Gt, false) => r.get().lt_u(l),
        (CompareOp::Ge, false) => r.get().le_u(l),
    }
}

/// The one NaN for any NaN; every other value as it is.
fn canonical_nan(f: &mut Function, value: Scalar) -> Scalar {
    match value {
        Scalar::F32(v) => Scalar::F32(f.let_(select::<F32>(v.get().ne(v), f32::NAN, v))),
        Scalar::F64(v) => Scalar::F64(f.let_(select::<F64>(v.get().ne(v), f64::NAN, v))),
        other => other,
    }
}

/// Integers that order like the floats in total order, NaN highest: the magnitude bits of negative ones are flipped.
pub(crate) fn order_key(f: &mut Function, value: Scalar) -> Scalar {
    match canonical_nan(f, value) {
        Scalar::F32(v) => {
            let bits: Local<I32> = f.let_(v.get().as_i32());
            let flip = bits.get().shr_s(31).shr_u(1);
            Scalar::I32(f.let_(bits.get() ^ flip))
        }
        Scalar::F64(v) => {
            let bits: Local<I64> = f.let_(v.get().as_i64());
            let flip = bits.get().shr_s(63i64).shr_u(1i64);
            Scalar::I64(f.let_(bits.get() ^ flip))
        }
        other => other,
    }
}
