//! The rows of a batch into the vector, each with the start and end of its candidates.
//!
//! Looking up many rows before the candidates of any are read lets their cache misses overlap. Of a table that has a bitmap
//! of its keys, the bits of all rows are read first, and then the slots of those that are left.

use super::{Batch, ENTRY_BYTES, Probing, Target};
use crate::codegen::{
    builder::{Function, I32, Local, Value, select},
    expr::Row,
    join::Walk,
    late,
    memory::{field, set_field},
    pipeline::apply,
    sink::BLOCK_ROWS,
};

impl<'a> Probing<'a> {
    /// Fills the vector with the next rows of a batch that may have candidates, or need none.
    pub(super) fn look_up(
        &self,
        f: &mut Function,
        walk: &Walk,
        batch: Batch,
        row: &Row<'_>,
        vector: Local<I32>,
        vector_rows: Local<I32>,
    ) {
        let first = &self.lookups[0];
        let left: Local<I32> = f.let_(batch.selected.get() - batch.position);
        let length = select::<I32>(left.get().lt_u(BLOCK_ROWS), left, BLOCK_ROWS);
        let end: Local<I32> = f.let_(batch.position.get() + length);
        let row_number = |position: Local<I32>| match batch.selection {
            Some(selection) => (selection.get() + (position.get() << 2)).load(0),
            None => position.get(),
        };
        // Every row is written to the next entry, and only one that goes on moves on. These two live no longer than the
        // loops: there are so many others that do that one of them would be in memory.
        let position: Local<I32> = f.let_(batch.position);
        let next: Local<I32> = f.let_(vector);
        let at_once = |f: &mut Function| {
            f.count_up(position, end, |f| {
                f.set(row.index, row_number(position));
                apply(f, row.again(), &self.before, &mut |f, row| {
                    let keys = first.keys(f, row);
                    let (start, end) = first.find(f, walk.positions[0], &keys);
                    f.store::<I32>(next, 0, row.index);
                    f.store::<I32>(next, 4, start);
                    f.store::<I32>(next, 8, end);
                    let goes_on = match first.keeps_unmatched() {
                        true => Value::from(1),
                        false => start.get().lt_u(end),
                    };
                    f.set(next, next.get() + goes_on * ENTRY_BYTES);
                });
            });
        };
        match first.excludes_quickly(walk.positions[0]) {
            None => at_once(f),
            // Where asking whether a key is there takes less than finding its rows, that comes first: most keys are not.
            Some(is_quick) => f.if_else(
                is_quick,
                |f| {
                    f.count_up(position, end, |f| {
                        f.set(row.index, row_number(position));
                        apply(f, row.again(), &self.before, &mut |f, row| {
                            let keys = first.keys(f, row);
                            let present = first.has(f, walk.positions[0], &keys);
                            f.store::<I32>(next, 0, row.index);
                            f.set(next, next.get() + present * ENTRY_BYTES);
                        });
                    });
                    let entry: Local<I32> = f.let_(vector);
                    f.count_up_by(ENTRY_BYTES, entry, next, |f| {
                        f.set(row.index, entry.get().load::<I32>(0));
                        apply(f, row.again(), &self.projects, &mut |f, row| {
                            let keys = first.keys(f, row);
                            let (start, end) = first.find(f, walk.positions[0], &keys);
                            f.store::<I32>(entry, 4, start);
                            f.store::<I32>(entry, 8, end);
                        });
                    });
                },
                at_once,
            ),
        }
        f.set(batch.position, position);
        f.set(vector_rows, (next.get() - vector).div_u(ENTRY_BYTES));
    }

    /// Asks for the late columns of the rows in the vector, unless they are there.
    pub(super) fn fill_vector(
        &self,
        f: &mut Function,
        walk: &Walk,
        vector: Local<I32>,
        vector_rows: Local<I32>,
        target: &Target<'_, 'a>,
    ) {
        if self.late.is_empty() {
            return;
        }
        let missing = field(self.vector_filled).eqz() & late::is_whole().eqz();
        f.if_(missing & vector_rows.get().gt_u(0), |f| {
            self.save(f, walk);
            match target {
                Target::Store(store, accumulators, _) => store.end(f, accumulators),
                // A thousand rows that are looked up may have few matches: each copied out alone would cost most of all.
                Target::Emit(emission, out, ..) if emission.can_hold() => emission.hold(f, out),
                // What is out goes out first: the call that comes back begins with none.
                Target::Emit(_, out, _, enough) => f.branch_if(*enough, out.rows()),
            }
            set_field(f, self.vector_filled, 1);
            let rows = late::Rows {
                numbers: vector,
                step: ENTRY_BYTES,
                count: vector_rows,
            };
            late::ask(f, self.late, rows);
        });
    }
}
