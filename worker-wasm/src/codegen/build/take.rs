//! Rows that another instance has kept for the same table: they come as they lie in its memory, which is as they lie in this
//! one, but for long text. Nothing is computed again, so what the modules rely on need not be the same.

use super::Building;
use crate::{
    abi::{Status, control, view},
    codegen::{
        builder::{Finished, Function, I32, I64, Local},
        memory::field,
        module::STATUS,
        text::Text,
    },
};

impl Building<'_> {
    /// `take(rows)`: at most [`TAKEN_ROWS_MAX`](crate::abi::TAKEN_ROWS_MAX) of them.
    pub(crate) fn take(&self) -> Finished {
        let mut f = Function::new(STATUS);
        let rows: Local<I32> = f.param();
        self.rows.make_room(&mut f);
        if self.layout.texts().next().is_some() {
            let text: Local<I32> = f.let_(field(control::TAKEN_TEXT));
            self.taken_texts.make_room_for(&mut f, text);
        }
        let from: Local<I32> = f.let_(field(control::TAKEN));
        let number: Local<I32> = f.let_(self.rows.rows());
        let end: Local<I32> = f.let_(number.get() + rows);
        f.count_up(number, end, |f| {
            let row: Local<I32> = f.let_(self.rows.row(number));
            for offset in (0..self.layout.row_bytes).step_by(8) {
                f.store(row, offset, from.get().load::<I64>(offset));
            }
            for offset in self.layout.texts() {
                self.take_text(f, row, offset);
            }
            if let Some(known) = self.keys {
                let mut key = self.key_of(f, row);
                let place = self.layout.places()[self.build.keys[0]];
                let null = place.null_offset;
                key.null = null.map(|offset| f.let_(row.get().load8_u(offset as u32)));
                known.note(f, &key, number);
            }
            f.set(from, from.get() + self.layout.row_bytes);
        });
        self.rows.set_rows(&mut f, end);
        f.return_(Status::Done as i32);
        f.finish()
    }

    /// Copies the text that a view in a row names, if it is long, and makes the view name the copy.
    fn take_text(&self, f: &mut Function, row: Local<I32>, offset: u32) {
        let length: Local<I32> = f.let_(row.get().load::<I32>(offset + view::LENGTH));
        f.if_(length.get().gt_u(view::INLINE_BYTES_MAX), |f| {
            let address = f.let_(row.get().load::<I32>(offset + view::ADDRESS));
            let kept = self.taken_texts.keep(f, Text { address, length }, None);
            f.store::<I32>(row, offset + view::ADDRESS, kept.address);
            self.count_text(f, length);
        });
    }
}
