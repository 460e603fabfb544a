//! What is known of the keys of a table that is built, and the bitmap of them (see [`crate::codegen::ranks`]).

use super::{Building, PIECE_SLOTS, ask_for, more_if};
use crate::{
    abi::{control, kept, table as header},
    codegen::{
        builder::{Function, I32, I64, Local, Value, select},
        expr::Datum,
        memory::{StateArea, field, set_field},
        ranks,
    },
};

/// What is known of the keys; addresses of fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// `i64`: the smallest and the largest number, once there is a row.
    pub(super) low: u32,
    high: u32,
    /// `u64`: what the bitmap is about, see [`ranks::span`]; 0 while it is not known.
    pub(super) span: u32,
    /// 1 when one is null.
    null: u32,
    /// Distinct keys counted.
    pub(super) distinct: u32,
}

impl Keys {
    pub(super) fn new(state: &mut StateArea) -> Self {
        Self {
            low: control::KEPT + kept::LOW,
            high: control::KEPT + kept::HIGH,
            null: control::KEPT + kept::NULL_KEY,
            span: control::KEPT + kept::SPAN,
            distinct: state.place(4),
        }
    }

    fn load(self, f: &mut Function) -> (Local<I64>, Local<I64>) {
        (f.let_(wide_field(self.low)), f.let_(wide_field(self.high)))
    }

    /// 1 where there is a bitmap, once that is decided.
    pub(super) fn are_ranked(self) -> Value<I32> {
        wide_field(self.span).ne(0i64)
    }

    pub(super) fn words(self) -> Value<I32> {
        ranks::words(wide_field(self.span))
    }

    /// Takes note of the key of the row with a number.
    pub(super) fn note(self, f: &mut Function, key: &Datum, row: Local<I32>) {
        let number = ranks::number(f, key);
        let is_first: Local<I32> = f.let_(row.get().eqz());
        f.if_(
            is_first.get() | number.get().lt_s(wide_field(self.low)),
            |f| f.store::<I64>(0, self.low, number),
        );
        f.if_(is_first.get() | wide_field(self.high).lt_s(number), |f| {
            f.store::<I64>(0, self.high, number)
        });
        if let Some(null) = key.null {
            f.if_(null, |f| set_field(f, self.null, 1));
        }
    }
}

pub(super) fn wide_field(address: u32) -> Value<I64> {
    Value::from(0).load(address)
}

impl Building<'_> {
    /// Decides whether there is a bitmap, and asks for the memory of it.
    pub(super) fn measure(&self, f: &mut Function, keys: Keys) {
        let rows = self.all_rows(f);
        let (low, high) = keys.load(f);
        let span = ranks::span(f, rows, low, high);
        let span = select::<I64>(field(keys.null), 0i64, span);
        f.store::<I64>(0, keys.span, span);
        f.if_(keys.are_ranked(), |f| {
            let bytes = ranks::word_bytes(keys.words()) + header::BITMAP;
            let bytes: Local<I32> = f.let_(bytes);
            ask_for(f, bytes);
        });
    }

    pub(super) fn clear_bitmap(&self, f: &mut Function, keys: Keys) {
        let start: Local<I32> = f.let_(field(control::BUILD) + header::BITMAP);
        let bytes: Local<I32> = f.let_(ranks::word_bytes(keys.words()));
        self.clear(f, start, bytes);
    }

    pub(super) fn mark(&self, f: &mut Function, keys: Keys) {
        f.if_(keys.are_ranked(), |f| {
            let table: Local<I32> = f.let_(field(control::BUILD));
            let (low, _) = keys.load(f);
            self.each_row(f, |f, _, key| {
                let number = ranks::number(f, key.expect("ranked tables have one"));
                ranks::mark(f, table, low, number);
            });
        });
    }

    pub(super) fn rank(&self, f: &mut Function, keys: Keys) {
        let table: Local<I32> = f.let_(field(control::BUILD));
        let counted: Local<I32> = f.let_(field(keys.distinct));
        let left = self.piece(f, keys.words(), PIECE_SLOTS, |f, word| {
            ranks::add(f, table, word, counted);
        });
        set_field(f, keys.distinct, counted);
        more_if(f, left);
    }
}
