//! The batch that an instance is pushed: what is copied with it, and what when the guest asks.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::{Instance, lock, write};
use crate::{
    RunError,
    abi::{WHOLE, control},
    fragment::Column,
    runtime::{
        input::Pushed,
        values::{Rows, range_of},
    },
};

/// Batches of so many rows are copied whole: asking costs more than it spares.
const WHOLE_ROWS_MAX: usize = 16;

impl Instance {
    /// Copies a batch into the input window, without the columns that the module reads late.
    pub(super) fn copy_in(
        &mut self,
        input: usize,
        columns: &[Column],
        arrays: &[ArrayRef],
        rows: usize,
    ) -> Result<(), RunError> {
        let late = self.read_long(control::LATE_COLUMNS + 8 * input as u32);
        let late = match self.whole || rows <= WHOLE_ROWS_MAX {
            true => 0,
            false => late,
        };
        let Self { arena, ledger, .. } = self;
        let mut arena = lock(arena);
        let arena = arena.as_mut().expect("the store keeps its memory");
        let pushed = Pushed::copy_in(arena, input, columns, (arrays, rows), late, ledger)?;
        let descriptors = control::INPUT_COLUMNS + 4 * input as u32;
        write(arena, descriptors, pushed.descriptors);
        let answered = if late == 0 { WHOLE } else { 0 };
        write(arena, control::ANSWERED, answered);
        self.pushed = Some(pushed);
        Ok(())
    }

    /// Copies the batch in the window for a module that reads it differently.
    pub(super) fn copy_again(&mut self) -> Result<(), RunError> {
        let Some(pushed) = self.pushed.take() else {
            return Ok(());
        };
        let module = self.module.clone();
        let input = pushed.input();
        let columns = &module.fragment().inputs[input].columns;
        let rows = pushed.rows();
        self.copy_in(input, columns, &pushed.into_arrays(), rows)
    }

    /// Copies the values that the guest asks for.
    pub(super) fn copy_late(&mut self) -> Result<(), RunError> {
        let rows = self.pushed.as_ref().map_or(0, Pushed::rows);
        let Some(range) = self.read_wanted(rows) else {
            return Err(self.broken("it asks for values of rows that are not there".to_owned()));
        };
        let wanted = self.read_long(control::WANTED);
        let Self {
            arena,
            ledger,
            pushed,
            wanted: rows,
            ..
        } = self;
        let mut arena = lock(arena);
        let arena = arena.as_mut().expect("the store keeps its memory");
        if let Some(pushed) = pushed {
            let rows = match range {
                Some(range) => Rows::Range(range),
                None => Rows::Each(rows),
            };
            pushed.copy_late(arena, wanted, &rows, ledger)?;
        }
        let answered = arena.bytes(u64::from(control::ANSWERED), 4);
        let answered = answered.and_then(|bytes| bytes.try_into().ok());
        let answered = answered.map_or(0, u32::from_le_bytes);
        write(arena, control::ANSWERED, answered.saturating_add(1));
        Ok(())
    }

    /// The rows that the guest names: a range that is mostly they, or `None` where they are put down one by one. No answer
    /// where they do not ascend, or are not of the batch's `rows`.
    fn read_wanted(&mut self, rows: usize) -> Option<Option<Range<usize>>> {
        let start = u64::from(self.read(control::WANTED_ROWS));
        let step = self.read(control::WANTED_STEP) as usize;
        let count = self.read(control::WANTED_COUNT) as usize;
        if count == 0 || count > rows || step < 4 {
            return None;
        }
        let arena = lock(&self.arena);
        let arena = arena.as_ref().expect("the store keeps its memory");
        let numbers = arena.bytes(start, ((count - 1) * step + 4) as u64)?;
        let number = |at: &[u8]| at.first_chunk::<4>().map(|at| u32::from_le_bytes(*at));
        let first = number(numbers)? as usize;
        let last = number(&numbers[(count - 1) * step..])? as usize;
        if last < first || last >= rows {
            return None;
        }
        if let Some(range) = range_of(first, last, count) {
            return Some(Some(range));
        }
        self.wanted.clear();
        self.wanted.extend(numbers.chunks(step).filter_map(number));
        let ascend = self.wanted.is_sorted_by(|one, other| one < other);
        ascend.then_some(None)
    }
}
