//! Columns that come late: not with their batch, but for the rows that what is before them has left.
//!
//! ```text
//! first step of a selection | further steps | look-up of the first join | everything behind
//! with the batch              late, one set of columns each, for the rows of the step before
//! ```
//!
//! Where nothing is before a set of columns, they come with the batch.
//! Which sets there are may depend on facts: a module that takes over in the middle of a batch finds it whole, and of a
//! whole batch nothing is asked for.

use super::{
    builder::{Function, I32, Local, Value},
    memory::{field, set_field},
};
use crate::{
    abi::{LATE_COLUMNS_MAX, Status, WHOLE, control},
    fragment::{Expr, Input, Join, Operator, Storage},
};

/// A set of an input's columns, one bit each, among those that can come late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Columns(pub(crate) u64);

impl Columns {
    /// Those of an input that can come late: values that have bytes of their own.
    pub(crate) fn of(input: &Input) -> Self {
        let columns = input.columns.iter().take(LATE_COLUMNS_MAX).enumerate();
        let late = columns.filter(|(_, column)| column.ty.storage() != Storage::Bit);
        Self(late.fold(0, |all, (index, _)| all | 1 << index))
    }

    /// Those that expressions over the input's own columns read.
    pub(crate) fn read_by<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Self {
        let mut read = 0;
        for expr in exprs {
            expr.each_column(&mut |index| {
                if index < LATE_COLUMNS_MAX {
                    read |= 1 << index;
                }
            });
        }
        Self(read)
    }

    /// Those that are read before the rows of a join have been looked up.
    pub(crate) fn read_by_lookup(before: &[Operator], join: &Join) -> Self {
        let mut read = Self::default();
        for operator in before {
            match operator {
                Operator::Filter(predicate) => read = read.with(Self::read_by([predicate])),
                // What is behind it reads its columns, not the input's.
                Operator::Project(exprs) => return read.with(Self::read_by(exprs)),
                Operator::Join(_) => unreachable!("they are before the first join"),
            }
        }
        read.with(Self::read_by(&join.keys))
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn among(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Rows by their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// Address of the first number.
    pub(crate) numbers: Local<I32>,
    /// Bytes from one to the next.
    pub(crate) step: u32,
    pub(crate) count: Local<I32>,
}

/// 1 where all values of the batch are there.
pub(crate) fn is_whole() -> Value<I32> {
    answered().eq(WHOLE.cast_signed())
}

/// How many times values of the batch have come.
pub(crate) fn answered() -> Value<I32> {
    field(control::ANSWERED)
}

/// Ends the call, which comes back when the values are there.
pub(crate) fn ask(f: &mut Function, columns: Columns, rows: Rows) {
    f.store(0, control::WANTED, Value::from(columns.0.cast_signed()));
    set_field(f, control::WANTED_ROWS, rows.numbers);
    set_field(f, control::WANTED_STEP, rows.step.cast_signed());
    set_field(f, control::WANTED_COUNT, rows.count);
    f.return_(Status::NeedValues as i32);
}

/// In `open`: says which columns of an input come late.
pub(crate) fn announce(f: &mut Function, input: usize, columns: Columns) {
    let address = control::LATE_COLUMNS + 8 * input as u32;
    f.store(0, address, Value::from(columns.0.cast_signed()));
}
