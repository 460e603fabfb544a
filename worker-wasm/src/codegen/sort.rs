//! The sink that sorts, and the first rows of a sort.
//!
//! Rows are kept with their key words in front; when the input has ended, items of words and row address are sorted
//! (see [`super::merge`]) and rows go out in their order.
//! With a fetch of n rows, whenever about 2n rows are there they are sorted and cut to the best n: from then on the rows
//! cut off lend their memory to new ones, and a row that is not below the n-th one is not kept at all.
//!
//! Text of rows that are cut off stays in the heap.
//!
//! Invariant: behind a cut the items beyond the kept ones hold the addresses of free rows.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{Binding, Row},
    memory::{self, StateArea, field, set_field},
    merge::Merge,
    pipeline::Context,
    rows::{CHUNK_ROWS, RowLayout, RowStore},
    sort_key::{self, Tie},
    text_heap::{Origin, TextHeap},
};
use crate::{
    abi::{PARAM_BYTES, Status},
    fragment::{Expr, Sort, ValueType, verifier::Scope},
};

/// Items made from rows in one call.
const FILL_ITEMS: i32 = 65_536;
/// A fetch above this keeps all rows: they would hardly be cut.
const FETCH_MAX: i64 = 1 << 28;
/// Rows beyond twice the fetch before a cut, so that small ones are cut seldom.
const SPARE_ROWS: i32 = 8 * CHUNK_ROWS;

/// A sort with its places.
#[derive(Debug, Clone)]
pub(crate) struct Sorting<'a> {
    sort: &'a Sort,
    columns: Vec<ValueType>,
    key_types: Vec<ValueType>,
    layout: RowLayout,
    rows: RowStore,
    texts: TextHeap,
    merge: Merge,
    ties: Vec<Tie>,
    /// `u32` address in the state area of the parameter that says how many rows are wanted.
    fetch: Option<u32>,
    /// `u32` fields: a [`Phase`].
    phase: u32,
    /// Rows that have items.
    filled: u32,
    /// Items that the arrays have room for.
    capacity: u32,
    /// 1 after the first cut.
    cut: u32,
    /// 1 when everything is sorted and may go out.
    finished: u32,
    /// Rows already out.
    cursor: u32,
}

/// What a sort is about.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
enum Phase {
    Collecting = 0,
    /// Items are made from rows.
    Filling = 1,
    Merging = 2,
}

/// The key words that a row must be below to be kept; their address is 0 before the first cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar(Option<Local<I32>>);

impl<'a> Sorting<'a> {
    pub(crate) fn new(
        context: &Context<'a>,
        sort: &'a Sort,
        columns: Vec<ValueType>,
        origin: Origin,
        state: &mut StateArea,
    ) -> Self {
        let scope = Scope {
            columns: &columns,
            params: &context.fragment.params,
        };
        let keys = sort.keys.iter();
        let key_types: Vec<_> = keys
            .map(|key| scope.value_type(&key.expr).expect("verified"))
            .collect();
        let words = sort_key::word_count(&key_types);
        let layout = RowLayout::new(&columns, 8 * words);
        let rows = RowStore::new(layout.row_bytes, state);
        let texts = TextHeap::new(layout.texts().count(), origin, state);
        let places = layout.places();
        let ties: Vec<_> = sort_key::ties(&key_types, &sort.keys)
            .into_iter()
            .map(|tie| match sort.keys[tie.key].expr {
                Expr::Column(column) => (tie, places[column].offset as u32),
                _ => unreachable!("verified: a text key is a column"),
            })
            .collect();
        let merge = Merge::new(words, ties.clone(), state);
        let fetch = sort.fetch;
        let phase = state.place(24);
        Self {
            sort,
            columns,
            key_types,
            layout,
            rows,
            texts,
            merge,
            ties: ties.into_iter().map(|(tie, _)| tie).collect(),
            fetch: fetch.map(|param| context.params + param as u32 * PARAM_BYTES),
            phase,
            filled: phase + 4,
            capacity: phase + 8,
            cut: phase + 12,
            finished: phase + 16,
            cursor: phase + 20,
        }
    }

    pub(crate) fn columns(&self) -> &[ValueType] {
        &self.columns
    }

    pub(crate) fn texts(&self) -> &TextHeap {
        &self.texts
    }

    /// Rows wanted, at most as many as are ever counted.
    fn fetch(&self) -> Option<Value<I32>> {
        let fetch: Value<I64> = Value::from(0).load(self.fetch?);
        Some(select::<I64>(fetch.clone().lt_u(FETCH_MAX), fetch, FETCH_MAX).to_i32())
    }

    /// At the start of a call: goes on with a sort that the last one has left.
    pub(crate) fn go_on(&self, f: &mut Function) {
        if self.fetch.is_some() {
            f.if_(field(self.phase), |f| {
                self.sort_piece(f);
                self.cut(f);
            });
        }
    }

    /// Room for a block of rows, or leaves the call: NEED_MEMORY, or MORE to cut what is there first.
    pub(crate) fn begin_block(&self, f: &mut Function) -> Bar {
        let Some(fetch) = self.fetch() else {
            self.rows.make_room(f);
            return Bar(None);
        };
        let limit = (fetch << 1) + SPARE_ROWS;
        // Behind a cut only the rows there are can be lent.
        let limit = select::<I32>(field(self.cut), self.rows.allocated(), limit);
        let limit: Local<I32> = f.let_(limit);
        f.if_(limit.get().lt_u(self.rows.rows() + CHUNK_ROWS), |f| {
            self.start(f);
            f.return_(Status::More as i32);
        });
        self.rows.make_room(f);
        let bar: Local<I32> = f.let_(0);
        f.if_(field(self.cut), |f| {
            let last = self.fetch().expect("there is one") - 1;
            f.set(bar, self.merge.item(last));
        });
        Bar(Some(bar))
    }

    /// Keeps a row.
    pub(crate) fn put(&self, f: &mut Function, bar: Bar, row: &Row<'_>) {
        let keys = self.sort.keys.iter().zip(&self.key_types);
        let keys: Vec<_> = keys
            .map(|(key, of)| (row.value(f, &key.expr), of, key))
            .collect();
        let words = sort_key::words(f, &keys);
        let Some(bar) = bar.0 else {
            return self.keep(f, &words, row);
        };
        let below: Local<I32> = f.let_(1);
        f.if_(bar, |f| f.set(below, below_item(&words, &self.ties, bar)));
        f.if_(below, |f| self.keep(f, &words, row));
    }

    fn keep(&self, f: &mut Function, words: &[Local<I64>], row: &Row<'_>) {
        let number: Local<I32> = f.let_(self.rows.rows());
        let slot = self.slot(f, number);
        for (index, word) in (0..).zip(words) {
            f.store(slot, 8 * index, *word);
        }
        let values = (0..self.columns.len()).map(|column| {
            let value = row.value(f, &Expr::Column(column));
            self.texts.keep_datum(f, &value)
        });
        let values: Vec<_> = values.collect();
        self.layout.store(f, slot, &values);
        self.rows.set_rows(f, number.get() + 1);
    }

    /// Memory for a row: lent by one that was cut off, or new.
    fn slot(&self, f: &mut Function, number: Local<I32>) -> Local<I32> {
        let slot = f.local::<I32>();
        if self.fetch.is_none() {
            f.set(slot, self.rows.row(number));
            return slot;
        }
        f.if_else(
            field(self.cut),
            |f| f.set(slot, self.merge.row(self.merge.item(number))),
            |f| f.set(slot, self.rows.row(number)),
        );
        slot
    }

    /// Room for the items of all rows, or leaves the call with NEED_MEMORY.
    fn start(&self, f: &mut Function) {
        let rows = match self.fetch {
            // Those that are free have items too.
            Some(_) => self.rows.allocated(),
            None => self.rows.rows(),
        };
        let rows: Local<I32> = f.let_(rows);
        f.if_(field(self.capacity).lt_u(rows), |f| {
            let bytes: Local<I32> = f.let_(rows.get() * self.merge.item_bytes);
            let address = memory::reserve_or_return(f, bytes.get() << 1);
            self.merge.place(f, address, bytes);
            set_field(f, self.capacity, rows);
        });
        set_field(f, self.phase, Phase::Filling as i32);
    }

    /// A piece of sorting: goes on behind it when all rows are sorted, else leaves the call with MORE.
    fn sort_piece(&self, f: &mut Function) {
        f.if_(field(self.phase).eq(Phase::Filling as i32), |f| {
            let end: Local<I32> = f.let_(match self.fetch {
                Some(_) => select(field(self.cut), self.rows.rows(), self.rows.allocated()),
                None => self.rows.rows(),
            });
            let number: Local<I32> = f.let_(field(self.filled));
            let left: Local<I32> = f.let_(end.get() - number);
            let length = select::<I32>(left.get().lt_u(FILL_ITEMS), left, FILL_ITEMS);
            let piece_end: Local<I32> = f.let_(number.get() + length);
            f.count_up(number, piece_end, |f| {
                let slot = self.slot(f, number);
                let item: Local<I32> = f.let_(self.merge.item(number));
                self.merge.set_item(f, item, slot);
            });
            set_field(f, self.filled, piece_end);
            f.if_(piece_end.get().lt_u(end), |f| {
                f.return_(Status::More as i32);
            });
            if self.fetch.is_some() {
                self.merge
                    .copy_behind(f, self.rows.rows(), self.rows.allocated());
            }
            self.merge.start(f);
            set_field(f, self.phase, Phase::Merging as i32);
        });
        self.merge.run(f, self.rows.rows());
    }

    /// Behind a sort: the rows wanted stay, and the others are free.
    fn cut(&self, f: &mut Function) {
        let fetch = self.fetch().expect("only a sort with a fetch is cut");
        let fetch: Local<I32> = f.let_(fetch);
        let kept: Local<I32> = f.let_(fetch);
        f.if_(self.rows.rows().lt_u(fetch), |f| {
            f.set(kept, self.rows.rows());
        });
        self.rows.set_rows(f, kept);
        set_field(f, self.filled, kept);
        set_field(f, self.phase, Phase::Collecting as i32);
        // Of no rows wanted none is the bar: all are sorted and cut off again and again.
        set_field(f, self.cut, fetch.get().ne(0));
        f.if_(fetch.get().eqz(), |f| set_field(f, self.filled, 0));
    }

    /// When the input has ended: sorts, leaving the call with MORE until everything is in order.
    pub(crate) fn finish(&self, f: &mut Function) {
        f.if_(field(self.finished).eqz(), |f| {
            f.if_(field(self.phase).eqz(), |f| self.start(f));
            self.sort_piece(f);
            if self.fetch.is_some() {
                self.cut(f);
            }
            set_field(f, self.finished, 1);
        });
    }

    /// Rows behind the cursor, once everything is sorted.
    pub(crate) fn left(&self) -> Value<I32> {
        let left = self.rows.rows() - field(self.cursor);
        select(field(self.finished), left, 0)
    }

    /// Runs the body for up to `rows_max` rows behind the cursor.
    pub(crate) fn for_each(
        &self,
        f: &mut Function,
        rows_max: Local<I32>,
        body: impl FnOnce(&mut Function, Vec<Binding>, Local<I32>),
    ) {
        let left: Local<I32> = f.let_(self.left());
        let length = select::<I32>(left.get().lt_u(rows_max), left, rows_max);
        let cursor: Local<I32> = f.let_(field(self.cursor));
        let end: Local<I32> = f.let_(cursor.get() + length);
        f.count_up(cursor, end, |f| {
            let row: Local<I32> = f.let_(self.merge.row(self.merge.item(cursor)));
            body(f, self.layout.bind(row, None, None), cursor);
        });
        set_field(f, self.cursor, end);
    }
}

/// 1 where words are below those of an item, or may be: texts that go on behind the same words are not compared here.
fn below_item(words: &[Local<I64>], ties: &[Tie], item: Local<I32>) -> Value<I32> {
    let mut below = Value::from(0);
    for (index, word) in (0..words.len() as u32).zip(words).rev() {
        let other: Value<I64> = item.get().load(8 * index);
        let same = word.get().eq(other.clone());
        if let Some(tie) = ties.iter().find(|tie| tie.word == index) {
            below = below | tie.is_long(word.get());
        }
        below = word.get().lt_u(other) | (same & below);
    }
    below
}
