//! Three-valued logic after Kleene: false AND anything is false, true OR anything is true, null otherwise stays.
//!
//! What cannot fail is computed without branches. What can is computed only where the operands before it leave the
//! result open, so that `d <> 0 AND n / d > 2` never divides by zero.

use super::{Datum, Row, hold};
use crate::{
    codegen::builder::{Function, I32, Local},
    fragment::Expr,
};

impl Row<'_> {
    pub(super) fn and(&self, f: &mut Function, items: &[Expr]) -> Datum {
        self.fold(f, items, false)
    }

    pub(super) fn or(&self, f: &mut Function, items: &[Expr]) -> Datum {
        self.fold(f, items, true)
    }

    /// AND decides with the first false, OR with the first true: both are the same fold.
    fn fold(&self, f: &mut Function, items: &[Expr], deciding: bool) -> Datum {
        let decided: Local<I32> = f.let_(0);
        let unknown: Local<I32> = f.let_(0);
        let mut nullable = false;
        for item in items {
            f.guard_raises(decided.get().eqz(), |f| {
                let datum = self.value(f, item);
                let hit = if deciding {
                    datum.i32().get()
                } else {
                    datum.i32().get().eqz()
                };
                f.set(decided, decided.get() | datum.unless_null(hit));
                if let Some(null) = datum.null {
                    f.set(unknown, unknown.get() | null);
                    nullable = true;
                }
            });
        }
        let null = nullable.then(|| hold(f, unknown.get() & decided.get().eqz()));
        let value = if deciding {
            decided.get()
        } else {
            decided.get().eqz()
        };
        Datum::boolean(hold(f, value), null)
    }

    pub(super) fn not(&self, f: &mut Function, item: &Expr) -> Datum {
        let item = self.value(f, item);
        Datum::boolean(hold(f, item.i32().get().eqz()), item.null)
    }

    pub(super) fn is_null(&self, f: &mut Function, item: &Expr, wanted: bool) -> Datum {
        let item = self.value(f, item);
        let value = match (item.null, wanted) {
            (Some(null), true) => null,
            (Some(null), false) => hold(f, null.get().eqz()),
            (None, wanted) => f.let_(i32::from(!wanted)),
        };
        Datum::boolean(value, None)
    }
}
