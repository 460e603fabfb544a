//! Arithmetic on integers and floats. Integers wrap, as DataFusion's do; division by zero is an error for them only.

use super::{Datum, Row, Scalar, either_null, hold, unless};
use crate::{
    abi::Reason,
    codegen::{
        builder::{F32, F64, Function, I32, I64, Local, Value, select},
        wide,
    },
    fragment::{ArithmeticOp, Expr, Type},
};

impl Row<'_> {
    pub(super) fn arithmetic(
        &self,
        f: &mut Function,
        op: ArithmeticOp,
        left: &Expr,
        right: &Expr,
    ) -> Datum {
        let (left, right) = (self.value(f, left), self.value(f, right));
        let null = either_null(f, &left, &right);
        let value = match (left.value, right.value) {
            _ if left.ty.is_decimal() => return self.decimal_arithmetic(f, op, &left, &right),
            (Scalar::I32(l), Scalar::I32(r)) => {
                Scalar::I32(self.arithmetic_i32(f, op, &left.ty, l, r, null))
            }
            (Scalar::I64(l), Scalar::I64(r)) => {
                Scalar::I64(self.arithmetic_i64(f, op, &left.ty, l, r, null))
            }
            (Scalar::F32(l), Scalar::F32(r)) => Scalar::F32(f.let_(arithmetic_f32(op, l, r))),
            (Scalar::F64(l), Scalar::F64(r)) => Scalar::F64(f.let_(arithmetic_f64(op, l, r))),
            (l, r) => unreachable!("verified types keep lanes, {l:?} and {r:?}"),
        };
        Datum::new(left.ty, value, null)
    }

    fn arithmetic_i32(
        &self,
        f: &mut Function,
        op: ArithmeticOp,
        ty: &Type,
        left: Local<I32>,
        right: Local<I32>,
        null: Option<Local<I32>>,
    ) -> Local<I32> {
        let signed = ty.is_signed();
        let value = match op {
            ArithmeticOp::Add => left.get() + right,
            ArithmeticOp::Subtract => left.get() - right,
            ArithmeticOp::Multiply => left.get() * right,
            ArithmeticOp::Divide | ArithmeticOp::Remainder => {
                let zero = hold(f, right.get().eqz());
                f.raise_if(unless(null, zero.get()), Reason::DivideByZero, self.index);
                let mut unsafe_divisor = zero.get();
                if signed && op == ArithmeticOp::Divide {
                    let bits = ty.integer_bits().expect("an integer");
                    let minimum = i32::MIN >> (31 - bits);
                    let overflow = hold(f, left.get().eq(minimum) & right.get().eq(-1));
                    f.raise_if(unless(null, overflow.get()), Reason::Overflow, self.index);
                    unsafe_divisor = unsafe_divisor | overflow;
                }
                // Null rows hold anything; they divide by 1.
                let divisor = select::<I32>(unsafe_divisor, 1, right);
                match (op, signed) {
                    (ArithmeticOp::Divide, true) => left.get().div_s(divisor),
                    (ArithmeticOp::Divide, false) => left.get().div_u(divisor),
                    (_, true) => left.get().rem_s(divisor),
                    (_, false) => left.get().rem_u(divisor),
                }
            }
        };
        f.let_(wrap(ty, value))
    }

    fn arithmetic_i64(
        &self,
        f: &mut Function,
        op: ArithmeticOp,
        ty: &Type,
        left: Local<I64>,
        right: Local<I64>,
        null: Option<Local<I32>>,
    ) -> Local<I64> {
        let signed = ty.is_signed();
        let value = match op {
            ArithmeticOp::Add => left.get() + right,
            ArithmeticOp::Subtract => left.get() - right,
            ArithmeticOp::Multiply => left.get() * right,
            ArithmeticOp::Divide | ArithmeticOp::Remainder => {
                let zero = hold(f, right.get().eqz());
                f.raise_if(unless(null, zero.get()), Reason::DivideByZero, self.index);
                let mut unsafe_divisor = zero.get();
                if signed && op == ArithmeticOp::Divide {
                    let overflow = hold(f, left.get().eq(i64::MIN) & right.get().eq(-1i64));
                    f.raise_if(unless(null, overflow.get()), Reason::Overflow, self.index);
                    unsafe_divisor = unsafe_divisor | overflow;
                }
                let divisor = select::<I64>(unsafe_divisor, 1i64, right);
                match (op, signed) {
                    (ArithmeticOp::Divide, true) => left.get().div_s(divisor),
                    (ArithmeticOp::Divide, false) => left.get().div_u(divisor),
                    (_, true) => left.get().rem_s(divisor),
                    (_, false) => left.get().rem_u(divisor),
                }
            }
        };
        f.let_(value)
    }

    pub(super) fn negate(&self, f: &mut Function, item: &Expr) -> Datum {
        let item = self.value(f, item);
        let value = match item.value {
            Scalar::I32(v) => Scalar::I32(f.let_(wrap(&item.ty, Value::from(0) - v))),
            Scalar::I64(v) => Scalar::I64(f.let_(Value::from(0i64) - v)),
            Scalar::F32(v) => Scalar::F32(f.let_(v.get().neg())),
            Scalar::F64(v) => Scalar::F64(f.let_(v.get().neg())),
            Scalar::I128(v) => {
                let negated = f.wide();
                wide::negate(f, negated, v);
                Scalar::I128(negated)
            }
            Scalar::Text(_) => unreachable!("verified: text has no sign"),
        };
        Datum { value, ..item }
    }
}

/// Brings a result of a type below 32 bits back into its range.
fn wrap(ty: &Type, value: Value<I32>) -> Value<I32> {
    match ty {
        Type::Int8 => value.extend8_s(),
        Type::Int16 => value.extend16_s(),
        Type::UInt8 => value & 0xff,
        Type::UInt16 => value & 0xffff,
        _ => value,
    }
}

fn arithmetic_f32(op: ArithmeticOp, left: Local<F32>, right: Local<F32>) -> Value<F32> {
    match op {
        ArithmeticOp::Add => left.get() + right,
        ArithmeticOp::Subtract => left.get() - right,
        ArithmeticOp::Multiply => left.get() * right,
        ArithmeticOp::Divide => left.get().div(right),
        ArithmeticOp::Remainder => unreachable!("the rules refuse the remainder of floats"),
    }
}

fn arithmetic_f64(op: ArithmeticOp, left: Local<F64>, right: Local<F64>) -> Value<F64> {
    match op {
        ArithmeticOp::Add => left.get() + right,
        ArithmeticOp::Subtract => left.get() - right,
        ArithmeticOp::Multiply => left.get() * right,
        ArithmeticOp::Divide => left.get().div(right),
        ArithmeticOp::Remainder => unreachable!("the rules refuse the remainder of floats"),
    }
}
