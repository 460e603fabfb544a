//! The bitmap of a ranked join table: which numbers occur as keys, and how many distinct keys are before each.
//!
//! ```text
//! per 64 numbers, from the smallest key on:   u64 which of them are keys | u32 how many keys are before these
//! ```
//!
//! Keys are numbers without gaps often: a table's own key column, and what refers to it. Where at most
//! [`NUMBERS_PER_ROW`] numbers lie between the smallest and the largest for each row, the bitmap is no larger than a
//! directory would be, says exactly which keys there are, and is read in order where the keys that are looked up come in
//! order. How many keys are below a key is the number of its slot.
//!
//! A table has it where its only key is an integer, date or time, none of which is null.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{Datum, Scalar},
};
use crate::{
    abi::table,
    fragment::{Storage, ValueType},
};

/// Numbers for each row of the table, and for every table.
const NUMBERS_PER_ROW: i64 = 64;
const NUMBERS_FREE: i64 = 1 << 19;
/// More would be more memory than a window has.
const NUMBERS_MAX: i64 = 1 << 33;

/// Bytes of a word of the bitmap with what goes before it.
const WORD_BYTES: u32 = 16;
/// Where that is.
const BEFORE: u32 = 8;

/// Whether tables with such keys can be ranked.
pub(crate) fn has_ranks(columns: &[ValueType], keys: &[usize]) -> bool {
    let [key] = keys else {
        return false;
    };
    match columns[*key].ty.storage() {
        Storage::I8 | Storage::I16 | Storage::I32 | Storage::I64 => true,
        Storage::U8 | Storage::U16 | Storage::U32 | Storage::U64 => true,
        Storage::Bit | Storage::F32 | Storage::F64 | Storage::I128 | Storage::View => false,
    }
}

/// A key as a number. Which order numbers have matters to how large a bitmap is alone.
pub(crate) fn number(f: &mut Function, key: &Datum) -> Local<I64> {
    match key.value {
        Scalar::I32(value) => f.let_(value.get().to_i64_s()),
        Scalar::I64(value) => f.let_(value),
        other => unreachable!("{other:?} has no rank"),
    }
}

/// How many numbers the bitmap of so many rows is about; 0 where it would be too large.
pub(crate) fn span(
    f: &mut Function,
    rows: Local<I32>,
    low: Local<I64>,
    high: Local<I64>,
) -> Local<I64> {
    // 0 as well where there are 2^64 of them.
    let span: Local<I64> = f.let_((high.get() - low) + 1i64);
    let largest = rows.get().to_i64_u() * NUMBERS_PER_ROW + NUMBERS_FREE;
    let is_small = span.get().le_u(largest) & span.get().le_u(NUMBERS_MAX);
    let is_small = is_small & rows.get().gt_u(0);
    f.let_(select::<I64>(is_small, span, 0i64))
}

/// Words of a bitmap: there is a bit behind the last number, which is no key, for whatever lies outside.
pub(crate) fn words(span: Value<I64>) -> Value<I32> {
    span.clone().shr_u(6i64).to_i32() + span.ne(0i64)
}

/// Bytes of so many words.
pub(crate) fn word_bytes(words: Value<I32>) -> Value<I32> {
    words * WORD_BYTES
}

/// Notes in the table at an address that a number is a key.
pub(crate) fn mark(f: &mut Function, at: Local<I32>, low: Local<I64>, number: Local<I64>) {
    let place: Local<I64> = f.let_(number.get() - low);
    let word: Local<I32> = f.let_(word_of(at, place));
    let bits: Value<I64> = word.get().load(table::BITMAP);
    f.store(word, table::BITMAP, bits | (Value::from(1i64) << place));
}

/// Notes how many keys are before the word of a number, and counts its own.
pub(crate) fn add(f: &mut Function, at: Local<I32>, word: Local<I32>, counted: Local<I32>) {
    let word: Local<I32> = f.let_(at.get() + word.get() * WORD_BYTES);
    let bits: Value<I64> = word.get().load(table::BITMAP);
    f.store::<I32>(word, table::BITMAP + BEFORE, counted);
    f.set(counted, counted.get() + bits.popcnt().to_i32());
}

/// Address of the word of the number at a place, less where the bitmap starts.
fn word_of(at: Local<I32>, place: Local<I64>) -> Value<I32> {
    at.get() + word_bytes(place.get().shr_u(6i64).to_i32())
}

/// The bitmap of a table in locals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranks {
    low: Local<I64>,
    span: Local<I64>,
}

impl Ranks {
    /// Of the table at an address.
    pub(crate) fn load(f: &mut Function, at: Local<I32>) -> Self {
        Self {
            low: f.let_(at.get().load::<I64>(table::LOW)),
            span: f.let_(at.get().load::<I64>(table::SPAN)),
        }
    }

    /// 1 where the table has a bitmap.
    pub(crate) fn are_there(self) -> Value<I32> {
        self.span.get().ne(0i64)
    }

    /// The word with a number's bit, and where in the bitmap that is; of a number outside, those of the bit behind the last.
    fn word(self, f: &mut Function, at: Local<I32>, key: &Datum) -> Word {
        let number = number(f, key);
        let place: Local<I64> = f.let_(number.get() - self.low);
        let inside = place.get().lt_u(self.span);
        f.set(place, select::<I64>(inside, place, self.span));
        Word {
            address: f.let_(word_of(at, place)),
            place,
        }
    }

    /// 1 where a number is a key.
    pub(crate) fn has(self, f: &mut Function, at: Local<I32>, key: &Datum) -> Value<I32> {
        let word = self.word(f, at, key);
        word.bits().shr_u(word.place).to_i32() & 1
    }

    /// How many keys are below a key, and 1 where it is one itself; if it is none, the first is one less, and -1 where no key
    /// is below.
    pub(crate) fn find(
        self,
        f: &mut Function,
        at: Local<I32>,
        key: &Datum,
    ) -> (Local<I32>, Local<I32>) {
        let word = self.word(f, at, key);
        // The number's own bit is the highest then, with those below it.
        let upto: Local<I64> = f.let_(word.bits() << (word.place.get() ^ -1i64));
        let before: Value<I32> = word.address.get().load(table::BITMAP + BEFORE);
        let rank = before + upto.get().popcnt().to_i32() - 1;
        (f.let_(rank), f.let_(upto.get().lt_s(0i64)))
    }
}

/// Where a number's bit is.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// Of the word, less where the bitmap starts.
    address: Local<I32>,
    /// How far the number is behind the smallest key.
    place: Local<I64>,
}

impl Word {
    fn bits(self) -> Value<I64> {
        self.address.get().load(table::BITMAP)
    }
}
