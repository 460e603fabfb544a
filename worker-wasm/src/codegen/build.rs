//! The sink that builds the table of a hash join (see [`super::table`]).
//!
//! Rows are kept in private memory; when all are there, it is known how the table finds them, and passes of many short calls
//! fill the build window:
//!
//! ```text
//! a bitmap of the keys, if it is small: clear it -> mark them -> count those before each word
//! the directory, unless the bitmap says it all: clear it -> count the rows of each slot -> turn counts into addresses
//! copy each row to its place
//! ```
//!
//! Long text is copied behind the rows, where their views name it by its distance from the table's start.
//!
//! Several instances can build one table, each of its own rows: see [`step`] for who does what. Nothing of a row or of the
//! table depends on what the module relies on.
//!
//! Errors: a table that does not fit the build window is for the host to refuse, which is asked for the memory first.

mod keys;

use self::keys::{Keys, wide_field};
use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{self, Datum, Row},
    hash::hash,
    memory::{StateArea, field, set_field},
    ranks,
    rows::{RowLayout, RowStore},
    table::{self, SLOT_BYTES, View},
    text::Text,
    text_heap::{Origin, TextHeap},
};
use crate::{
    abi::{BUFFER_ALIGN, Status, control, kept, step, table as header, view},
    fragment::{Build, Expr, Type, ValueType},
};

/// Where the text of all rows is counted.
const TEXT_BYTES: u32 = control::KEPT + kept::TEXT_BYTES;
/// Where the next text goes.
const NEXT_TEXT: u32 = control::KEPT + kept::NEXT_TEXT;

/// The steps that read the header of the table.
const FILLING: u32 = step::CLEAR_DIRECTORY | step::COUNT | step::ADD_UP | step::COPY;

/// Bytes cleared in one call.
const CLEAR_BYTES: i32 = 4 << 20;
/// Rows marked, counted or copied in one call: each may miss every cache.
const PIECE_ROWS: i32 = 8192;
/// Slots, or words of a bitmap, passed over in one call.
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
    /// `u32` fields: rows, slots or bytes that the step has passed over.
    passed: u32,
    /// Where the rows of the next slot start.
    next_row: u32,
    /// Of keys that can be ranked.
    keys: Option<Keys>,
}

impl<'a> Building<'a> {
    pub(crate) fn new(
        build: &'a Build,
        columns: Vec<ValueType>,
        origin: Origin,
        state: &mut StateArea,
    ) -> Self {
        let layout = table::layout(&columns);
        let rows = RowStore::at(control::KEPT, layout.row_bytes);
        let texts = TextHeap::new(layout.texts().count(), origin, state);
        let passed = state.place(8);
        let keys = ranks::has_ranks(&columns, &build.keys).then(|| Keys::new(state));
        Self {
            build,
            keys,
            columns,
            layout,
            rows,
            texts,
            passed,
            next_row: passed + 4,
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
                let bytes = wide_field(TEXT_BYTES) + length.get().to_i64_u();
                f.store::<I64>(0, TEXT_BYTES, bytes);
            });
        }
        let keys = self.build.keys.iter();
        let keys: Vec<_> = keys.map(|key| values[*key].clone()).collect();
        let hash = hash(f, &keys);
        let number: Local<I32> = f.let_(self.rows.rows());
        let slot: Local<I32> = f.let_(self.rows.row(number));
        f.store::<I32>(slot, 0, hash);
        self.layout.store(f, slot, &values);
        if let (Some(known), [key]) = (self.keys, keys.as_slice()) {
            known.note(f, key, number);
        }
        self.rows.set_rows(f, number.get() + 1);
    }

    /// When the input has ended: takes the steps that are left, leaving the call until they are done.
    pub(crate) fn finish(&self, f: &mut Function) {
        if let Some(keys) = self.keys {
            self.step(f, step::MEASURE, |f| self.measure(f, keys));
            self.step(f, step::CLEAR_BITMAP, |f| self.clear_bitmap(f, keys));
            self.step(f, step::MARK, |f| self.mark(f, keys));
            self.step(f, step::RANK, |f| self.rank(f, keys));
        }
        self.step(f, step::LAY_OUT, |f| self.lay_out(f));
        let filled = field(control::STEPS_DONE) & FILLING;
        f.if_(filled.eq(FILLING), |f| f.return_(Status::Done as i32));
        let view = View::load(f, control::BUILD, &self.columns, &self.build.keys);
        self.step(f, step::CLEAR_DIRECTORY, |f| self.clear_slots(f, view));
        self.step(f, step::COUNT, |f| self.count(f, view));
        self.step(f, step::ADD_UP, |f| self.add_up(f, view));
        self.step(f, step::COPY, |f| self.copy(f, view));
        // The host may have more to do for this instance, and nothing comes behind.
        f.return_(Status::Done as i32);
    }

    fn step(&self, f: &mut Function, step: u32, work: impl FnOnce(&mut Function)) {
        f.if_((field(control::STEPS_DONE) & step).eqz(), |f| {
            work(f);
            set_field(f, control::STEPS_DONE, field(control::STEPS_DONE) | step);
            set_field(f, self.passed, 0);
        });
    }

    /// Rows of the table, those that other instances keep included.
    fn all_rows(&self, f: &mut Function) -> Local<I32> {
        f.let_(self.rows.rows() + field(control::KEPT + kept::OTHER_ROWS))
    }

    /// Asks for the memory of the table, which holds whatever was there, and writes its header.
    fn lay_out(&self, f: &mut Function) {
        let rows = self.all_rows(f);
        let shift: Local<I32> = f.let_((rows.get() | ROWS_MIN_MASK).clz());
        // At least as many as rows, at most twice as many.
        let slots: Local<I32> = f.let_(Value::from(1) << (Value::from(32) - shift));
        let directory: Local<I32> = f.let_(header::BITMAP);
        if let Some(keys) = self.keys {
            f.if_(keys.are_ranked(), |f| {
                f.set(directory, directory.get() + ranks::word_bytes(keys.words()));
                let distinct = field(keys.distinct);
                let each_has_one = distinct.clone().eq(rows);
                f.set(slots, select::<I32>(each_has_one, 0, distinct));
            });
        }
        // Of rows that several instances keep, more than there are addresses: no window is so large.
        let first_row: Local<I64> = f.let_(directory.get().to_i64_u());
        f.if_(slots, |f| {
            let slots = slots.get().to_i64_u() + 1i64;
            f.set(first_row, first_row.get() + slots * i64::from(SLOT_BYTES));
        });
        // A row more than there are, for outer joins to read where there is none.
        let row_bytes = (rows.get().to_i64_u() + 1i64) * i64::from(self.layout.row_bytes);
        let bytes: Local<I64> = f.let_(first_row.get() + row_bytes);
        if self.layout.texts().next().is_some() {
            set_field(f, NEXT_TEXT, bytes.get().to_i32());
            // Whole words are read, also of the last text.
            let text = wide_field(TEXT_BYTES) + BUFFER_ALIGN as i64;
            f.set(bytes, bytes.get() + text);
        }
        let too_much = bytes.get().gt_u(TABLE_BYTES_MAX);
        let bytes = select::<I64>(too_much, TABLE_BYTES_MAX, bytes).to_i32();
        let bytes: Local<I32> = f.let_(bytes);
        ask_for(f, bytes);
        let first_row: Local<I32> = f.let_(first_row.get().to_i32());
        let address: Local<I32> = f.let_(field(control::BUILD));
        for (at, value) in [
            (header::ROWS, rows),
            (header::FIRST_ROW, first_row),
            (header::SHIFT, shift),
            (header::DIRECTORY, directory),
            (header::SLOTS, slots),
        ] {
            f.store::<I32>(address, at, value);
        }
        if let Some(keys) = self.keys {
            f.store::<I64>(address, header::SPAN, wide_field(keys.span));
            f.store::<I64>(address, header::LOW, wide_field(keys.low));
        }
        f.if_(slots, |f| {
            f.store::<I32>(address.get() + directory, 0, first_row);
        });
        set_field(f, self.next_row, first_row);
    }

    fn clear_slots(&self, f: &mut Function, view: View) {
        // The one before the first is no slot.
        let start: Local<I32> = f.let_(view.slot_before(Value::from(1)));
        let bytes: Local<I32> = f.let_(view.slots().get() * SLOT_BYTES);
        self.clear(f, start, bytes);
    }

    /// Clears some bytes, leaving the call until all are.
    fn clear(&self, f: &mut Function, start: Local<I32>, bytes: Local<I32>) {
        let passed: Local<I32> = f.let_(field(self.passed));
        let left: Local<I32> = f.let_(bytes.get() - passed);
        let length = select::<I32>(left.get().lt_u(CLEAR_BYTES), left, CLEAR_BYTES);
        let length: Local<I32> = f.let_(length);
        f.fill(start.get() + passed, 0, length);
        set_field(f, self.passed, passed.get() + length);
        more_if(f, length.get().lt_u(left));
    }

    fn count(&self, f: &mut Function, view: View) {
        f.if_(view.slots(), |f| {
            self.each_row(f, |f, row, key| {
                let hash: Local<I32> = f.let_(row.get().load::<I32>(0));
                view.count(f, hash, key);
            });
        });
    }

    /// Slots hold the bytes of their rows before, and the start of their rows after.
    fn add_up(&self, f: &mut Function, view: View) {
        let next_row: Local<I32> = f.let_(field(self.next_row));
        let left = self.piece(f, view.slots().get(), PIECE_SLOTS, |f, number| {
            let slot: Local<I32> = f.let_(view.slot_before(number.get()));
            let bytes: Local<I32> = f.let_(slot.get().load::<I32>(SLOT_BYTES));
            f.store::<I32>(slot, SLOT_BYTES, next_row);
            f.set(next_row, next_row.get() + bytes);
        });
        set_field(f, self.next_row, next_row);
        more_if(f, left);
    }

    fn copy(&self, f: &mut Function, view: View) {
        self.each_row(f, |f, row, key| {
            let hash: Local<I32> = f.let_(row.get().load::<I32>(0));
            let place = view.take(f, hash, key);
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
            let next: Local<I32> = f.let_(field(NEXT_TEXT));
            let text = Text {
                address: f.let_(place.get().load::<I32>(offset + view::ADDRESS)),
                length,
            };
            let to: Local<I32> = f.let_(table.address.get() + next);
            text.copy_to(f, to);
            f.store::<I32>(place, offset + view::ADDRESS, next);
            set_field(f, NEXT_TEXT, next.get() + length);
        });
    }

    /// Runs the body for the next rows, with the key of those that can be ranked.
    fn each_row(
        &self,
        f: &mut Function,
        body: impl FnOnce(&mut Function, Local<I32>, Option<&Datum>),
    ) {
        let left = self.piece(f, self.rows.rows(), PIECE_ROWS, |f, number| {
            let row: Local<I32> = f.let_(self.rows.row(number));
            let key = self.keys.map(|_| self.key_of(f, row));
            body(f, row, key.as_ref());
        });
        more_if(f, left);
    }

    /// The one key of a row that is kept, not looking whether it is null.
    fn key_of(&self, f: &mut Function, row: Local<I32>) -> Datum {
        let (index, places) = (self.build.keys[0], self.layout.places());
        let ty = &self.columns[index].ty;
        let place = places[index];
        let value = expr::load(f, place.storage, ty, &row.get(), place.offset as u32);
        Datum::new(ty.clone(), value, None)
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

/// Asks for the memory of the table up to `bytes`, unless it is there.
fn ask_for(f: &mut Function, bytes: Local<I32>) {
    f.if_(field(control::BUILD_BYTES).lt_u(bytes), |f| {
        set_field(f, control::BUILD_NEEDED, bytes);
        f.return_(Status::NeedMemory as i32);
    });
}
