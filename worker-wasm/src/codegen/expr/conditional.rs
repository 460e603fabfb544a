//! CASE and COALESCE: branches run only for the rows that reach them, as they may fail.

use super::{BITS_MAX, Datum, Row, Scalar, copy, null, widen};
use crate::{
    codegen::builder::{Function, I32, Label, Local},
    fragment::Expr,
};

/// Where the branches of one expression put their value. Decimals meet in 128 bits.
struct Target {
    value: Scalar,
    null: Local<I32>,
}

impl Target {
    fn put(&self, f: &mut Function, datum: &Datum) {
        let value = match self.value {
            Scalar::I128(_) => Scalar::I128(widen(f, datum.value)),
            _ => datum.value,
        };
        copy(f, self.value, value);
        match datum.null {
            Some(null) => f.set(self.null, null),
            None => f.set(self.null, 0),
        }
    }
}

impl Row<'_> {
    pub(super) fn case(
        &self,
        f: &mut Function,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Datum {
        let ty = self.type_of(&branches[0].1);
        let mut result = null(f, &ty);
        let target = self.target(f, &result);
        let mut nullable = otherwise.is_none();
        f.block(|f, done| {
            for (when, then) in branches {
                let when = self.value(f, when);
                f.if_(when.is_true(), |f| {
                    nullable |= self.settle(f, then, &target, done);
                });
            }
            if let Some(otherwise) = otherwise {
                nullable |= self.settle(f, otherwise, &target, done);
            } else {
                f.set(target.null, 1);
            }
        });
        result.null = nullable.then_some(target.null);
        Datum {
            value: target.value,
            bits: BITS_MAX,
            ..result
        }
    }

    pub(super) fn coalesce(&self, f: &mut Function, items: &[Expr]) -> Datum {
        let ty = self.type_of(&items[0]);
        let mut result = null(f, &ty);
        let target = self.target(f, &result);
        let mut nullable = true;
        f.block(|f, done| {
            for item in items {
                let datum = self.value(f, item);
                target.put(f, &datum);
                match datum.null {
                    Some(null) => f.branch_if(done, null.get().eqz()),
                    // The rest is never reached: what comes out is not null.
                    None => {
                        nullable = false;
                        return f.branch(done);
                    }
                }
            }
        });
        result.null = nullable.then_some(target.null);
        Datum {
            value: target.value,
            bits: BITS_MAX,
            ..result
        }
    }

    fn target(&self, f: &mut Function, like: &Datum) -> Target {
        Target {
            value: super::fresh(f, like.value),
            null: f.let_(0),
        }
    }

    /// Puts a branch's value into the target and leaves. Whether it can be null.
    fn settle(&self, f: &mut Function, expr: &Expr, target: &Target, done: Label) -> bool {
        let datum = self.value(f, expr);
        target.put(f, &datum);
        f.branch(done);
        datum.null.is_some()
    }
}
