//! The sink that builds the table of a hash join (see [`super::table`]).
//!
//! Rows are kept in private memory; when all are there, the directory's size is known, and three passes of many short calls
//! fill the build window: count the rows of each slot, turn counts into addresses, copy each row to its place.
//!
//! Long text is copied behind the rows, where their views name it by its distance from the table's start.
//!
//! Errors: a table that does not fit the build window is for the host to refuse, which is asked for the memory first.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::Row,
    memory::{StateArea, field, set_field},
    rows::{RowLayout, RowStore},
    table::{self, SLOT_BYTES, View},
    text_heap::{Origin, TextHeap},
};
use crate::{
    abi::{BUFFER_ALIGN, Status, control, table as header, view},
    fragment::{Build, Expr, Type, ValueType},
};

/// Rows counted or copied in one call: each may miss every cache.
const PIECE_ROWS: i32 = 8192;
/// Slots passed over in one call.
const PIECE_SLOTS: i32 = 262_144;
/// More than any build window.
const TABLE_BYTES_MAX: i64 = 0xffff_0000;
/// The least number of rows a directory is for, less one: all bits below its highest are 1.
const ROWS_MIN_MASK: i32 = 15;

/// A build with its places.
#[derive(Debug, Clone)]
pub(crate) struct Building<'a> {
    build: &'a Build,
    columns: Vec<ValueType>,
    layout: RowLayout,
    rows: RowStore,
    texts: TextHeap,
    /// `u64`: bytes of all text that does not fit its view.
    text_bytes: u32,
    /// `u32` fields: a [`Phase`].
    phase: u32,
    /// Rows or slots that the phase has passed over.
    passed: u32,
    /// Where the rows of the next slot start.
    next_row: u32,
    /// Where the next text goes.
    next_text: u32,
}

#[derive(Debug, Clone, Copy)]
#[repr(i32)]
enum Phase {
    Collecting = 0,
    Counting = 1,
    Adding = 2,
    Copying = 3,
    Built = 4,
}

impl<'a> Building<'a> {
    pub(crate) fn new(
        build: &'a Build,
        columns: Vec<ValueType>,
        origin: Origin,
        state: &mut StateArea,
    ) -> Self {
        let layout = table::layout(&columns);
        let rows = RowStore::new(layout.row_bytes, state);
        let texts = TextHeap::new(layout.texts().count(), origin, state);
        let text_bytes = state.place(8);
        let phase = state.place(16);
        Self {
            build,
            columns,
            layout,
            rows,
            texts,
            text_bytes,
            phase,
            passed: phase + 4,
            next_row: phase + 8,
            next_text: phase + 12,
        }
    }

    pub(crate) fn columns(&self) -> &[ValueType] {
        &self.columns
    }

    pub(crate) fn texts(&self) -> &TextHeap {
        &self.texts
    }

    pub(crate) fn begin_block(&self, f: &mut Function) {
        self.rows.make_room(f);
    }

    pub(crate) fn put(&self, f: &mut Function, row: &Row<'_>) {
        let values = (0..self.columns.len()).map(|column| {
            let value = row.value(f, &Expr::Column(column));
            self.texts.keep_datum(f, &value)
        });
        let values: Vec<_> = values.collect();
        for text in values.iter().filter(|value| value.ty == Type::Utf8) {
            let length = text.text().length;
            f.if_(length.get().gt_u(view::INLINE_BYTES_MAX), |f| {
                let bytes: Value<I64> = Value::from(0).load(self.text_bytes);
                f.store::<I64>(0, self.text_bytes, bytes + length.get().to_i64_u());
            });
        }
        let keys = self.build.keys.iter();
        let keys: Vec<_> = keys.map(|key| values[*key].clone()).collect();
        let hash = table::hash(f, &keys);
        let number: Local<I32> = f.let_(self.rows.rows());
        let slot: Local<I32> = f.let_(self.rows.row(number));
        f.store::<I32>(slot, 0, hash);
        self.layout.store(f, slot, &values);
        self.rows.set_rows(f, number.get() + 1);
    }

    /// When the input has ended: builds, leaving the call until the table is there.
    pub(crate) fn finish(&self, f: &mut Function) {
        self.in_phase(f, Phase::Collecting, |f| self.lay_out(f), Phase::Counting);
        let view = View::load(f, control::BUILD);
        self.in_phase(f, Phase::Counting, |f| self.count(f, view), Phase::Adding);
        self.in_phase(f, Phase::Adding, |f| self.add_up(f, view), Phase::Copying);
        self.in_phase(f, Phase::Copying, |f| self.copy(f, view), Phase::Built);
    }

    fn in_phase(
        &self,
        f: &mut Function,
        phase: Phase,
        work: impl FnOnce(&mut Function),
        next: Phase,
    ) {
        f.if_(field(self.phase).eq(phase as i32), |f| {
            work(f);
            set_field(f, self.phase, next as i32);
            set_field(f, self.passed, 0);
        });
    }

    /// Asks for the memory of the table and writes its header; the rest of it is zero.
    fn lay_out(&self, f: &mut Function) {
        let rows: Local<I32> = f.let_(self.rows.rows());
        let shift: Local<I32> = f.let_((rows.get() | ROWS_MIN_MASK).clz());
        let directory = (slots(shift) + 1) * SLOT_BYTES;
        let first_row: Local<I32> = f.let_(directory + header::DIRECTORY);
        // A row more than there are, for outer joins to read where there is none.
        let bytes = first_row.get() + (rows.get() + 1) * self.layout.row_bytes;
        let bytes: Local<I32> = f.let_(bytes);
        if self.layout.texts().next().is_some() {
            set_field(f, self.next_text, bytes);
            let text: Value<I64> = Value::from(0).load(self.text_bytes);
            // Whole words are read, also of the last text.
            let padded = text + BUFFER_ALIGN as i64 + bytes.get().to_i64_u();
            let padded: Local<I64> = f.let_(padded);
            // Text that many rows share can have more in all than there are addresses; no window is so large.
            let too_much = padded.get().gt_u(TABLE_BYTES_MAX);
            let padded = select::<I64>(too_much, TABLE_BYTES_MAX, padded);
            f.set(bytes, padded.to_i32());
        }
        f.if_(field(control::BUILD_BYTES).lt_u(bytes), |f| {
            set_field(f, control::BUILD_NEEDED, bytes);
            f.return_(Status::NeedMemory as i32);
        });
        let address: Local<I32> = f.let_(field(control::BUILD));
        f.store::<I32>(address, header::ROWS, rows);
        f.store::<I32>(address, header::FIRST_ROW, first_row);
        f.store::<I32>(address, header::SHIFT, shift);
        f.store::<I32>(address, header::DIRECTORY, first_row);
        set_field(f, self.next_row, first_row);
    }

    fn count(&self, f: &mut Function, view: View) {
        self.each_row(f, |f, _, hash| {
            view.count(f, hash, self.layout.row_bytes);
        });
    }

    /// Slots hold the bytes of their rows before, and the start of their rows after.
    fn add_up(&self, f: &mut Function, view: View) {
        let next_row: Local<I32> = f.let_(field(self.next_row));
        let shift: Local<I32> = f.let_(view.address.get().load::<I32>(header::SHIFT));
        let first = header::DIRECTORY + SLOT_BYTES;
        let passed = self.piece(f, slots(shift), PIECE_SLOTS, |f, number| {
            let slot: Local<I32> = f.let_(view.address.get() + (number.get() << 3));
            let bytes: Local<I32> = f.let_(slot.get().load::<I32>(first));
            f.store::<I32>(slot, first, next_row);
            f.set(next_row, next_row.get() + bytes);
        });
        set_field(f, self.next_row, next_row);
        more_if(f, passed);
    }

    fn copy(&self, f: &mut Function, view: View) {
        self.each_row(f, |f, row, hash| {
            let place = view.take(f, hash, self.layout.row_bytes);
            for offset in (0..self.layout.row_bytes).step_by(8) {
                f.store(place, offset, row.get().load::<I64>(offset));
            }
            for offset in self.layout.texts() {
                self.copy_text(f, view, place, offset);
            }
        });
    }

    /// Copies the text that a view in a row of the table names, if it is long, and makes the view name the copy.
    fn copy_text(&self, f: &mut Function, table: View, place: Local<I32>, offset: u32) {
        let length: Local<I32> = f.let_(place.get().load::<I32>(offset + view::LENGTH));
        f.if_(length.get().gt_u(view::INLINE_BYTES_MAX), |f| {
            let next: Local<I32> = f.let_(field(self.next_text));
            let text = place.get().load::<I32>(offset + view::ADDRESS);
            f.copy(table.address.get() + next, text, length);
            f.store::<I32>(place, offset + view::ADDRESS, next);
            set_field(f, self.next_text, next.get() + length);
        });
    }

    fn each_row(&self, f: &mut Function, body: impl FnOnce(&mut Function, Local<I32>, Local<I32>)) {
        let passed = self.piece(f, self.rows.rows(), PIECE_ROWS, |f, number| {
            let row: Local<I32> = f.let_(self.rows.row(number));
            let hash: Local<I32> = f.let_(row.get().load::<I32>(0));
            body(f, row, hash);
        });
        more_if(f, passed);
    }

    /// Runs the body for up to `length_max` numbers behind those passed; 1 where some are left.
    fn piece(
        &self,
        f: &mut Function,
        all: Value<I32>,
        length_max: i32,
        body: impl FnOnce(&mut Function, Local<I32>),
    ) -> Value<I32> {
        let number: Local<I32> = f.let_(field(self.passed));
        let all: Local<I32> = f.let_(all);
        let left: Local<I32> = f.let_(all.get() - number);
        let length = select::<I32>(left.get().lt_u(length_max), left, length_max);
        let end: Local<I32> = f.let_(number.get() + length);
        f.count_up(number, end, |f| body(f, number));
        set_field(f, self.passed, end);
        end.get().lt_u(all)
    }
}

/// Ends the call with MORE where some is left.
fn more_if(f: &mut Function, left: Value<I32>) {
    f.if_(left, |f| f.return_(Status::More as i32));
}

/// Slots of a directory: at least as many as rows, at most twice as many.
fn slots(shift: Local<I32>) -> Value<I32> {
    Value::from(1) << (Value::from(32) - shift)
}
