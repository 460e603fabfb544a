//! The table of a hash join: rows grouped by hash, found through a directory with Bloom bits.
//!
//! ```text
//! header     rows, address of the first row, shift
//! directory  per slot a u64: end of its rows (32 bits) | Bloom bits of their hashes (16 bits); one slot before the first
//! rows       hash u32 | columns, see [`super::rows`]; rows of one slot lie together, and slots in their order
//! ```
//!
//! The rows of a slot lie between the end of the slot before and its own end, so a lookup reads one cache line of the
//! directory, and only where the Bloom bits allow a match it reads rows. Addresses count from the start of the table, which
//! is mapped wherever there is room. Source: Birler, Schmidt, Fent, Neumann, "Simple, efficient, and robust hash tables for
//! join processing" (DaMoN 2024); here a slot has two Bloom bits of 16, and 64 bits hold both them and the address.

use super::{
    builder::{Function, I32, I64, Local, Value},
    expr::Datum,
    hash_table,
    memory::field,
    rows::RowLayout,
};
use crate::{abi::table, fragment::ValueType};

/// Bytes of a row's hash, in front of its columns.
pub(crate) const HASH_BYTES: u32 = 4;

/// How rows lie in the table.
pub(crate) fn layout(columns: &[ValueType]) -> RowLayout {
    RowLayout::new(columns, HASH_BYTES)
}

/// Hash of the keys of a row on either side.
pub(crate) fn hash(f: &mut Function, keys: &[Datum]) -> Local<I32> {
    hash_table::hash(f, keys)
}

/// Bloom bits of a hash, in the bits of a slot that are behind the address.
fn bloom(hash: Local<I32>) -> Value<I64> {
    let bit = |from: i32| Value::from(1i64) << (hash.get().shr_u(from) & 15).to_i64_u();
    (bit(0) | bit(4)) << 32i64
}

/// A table in locals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) address: Local<I32>,
    shift: Local<I32>,
}

impl View {
    /// Of the table at an address that a field holds.
    pub(crate) fn load(f: &mut Function, address: u32) -> Self {
        let address: Local<I32> = f.let_(field(address));
        Self {
            address,
            shift: f.let_(address.get().load::<I32>(table::SHIFT)),
        }
    }

    pub(crate) fn rows(self) -> Value<I32> {
        self.address.get().load(table::ROWS)
    }

    pub(crate) fn first_row(self) -> Value<I32> {
        self.address.get() + self.address.get().load::<I32>(table::FIRST_ROW)
    }

    /// Address of the slot before the one of a hash; its own is [`SLOT_BYTES`] behind it.
    fn slot_before(self, hash: Local<I32>) -> Value<I32> {
        self.address.get() + table::DIRECTORY + (hash.get().shr_u(self.shift) << 3)
    }

    /// Start and end of the rows that may have this hash; no rows where the Bloom bits exclude it.
    pub(crate) fn find(self, f: &mut Function, hash: Local<I32>) -> (Local<I32>, Local<I32>) {
        let before: Local<I32> = f.let_(self.slot_before(hash));
        let slot: Local<I64> = f.let_(before.get().load::<I64>(SLOT_BYTES));
        let wanted: Local<I64> = f.let_(bloom(hash));
        let start: Local<I32> = f.let_(before.get().load::<I32>(0));
        let possible = (slot.get() & wanted).eq(wanted);
        let end = super::builder::select::<I32>(possible, slot.get().to_i32(), start);
        let end: Local<I32> = f.let_(self.address.get() + end);
        f.set(start, self.address.get() + start);
        (start, end)
    }

    /// Counts the bytes of a row with this hash in its slot.
    pub(crate) fn count(self, f: &mut Function, hash: Local<I32>, row_bytes: u32) {
        let slot: Local<I32> = f.let_(self.slot_before(hash));
        let word: Value<I64> = slot.get().load(SLOT_BYTES);
        f.store(
            slot,
            SLOT_BYTES,
            (word + i64::from(row_bytes)) | bloom(hash),
        );
    }

    /// The place of the next row with this hash, when slots hold the start of what is free in them.
    pub(crate) fn take(self, f: &mut Function, hash: Local<I32>, row_bytes: u32) -> Local<I32> {
        let slot: Local<I32> = f.let_(self.slot_before(hash));
        let place: Local<I32> = f.let_(slot.get().load::<I32>(SLOT_BYTES));
        f.store::<I32>(slot, SLOT_BYTES, place.get() + row_bytes);
        f.let_(self.address.get() + place)
    }
}

pub(crate) const SLOT_BYTES: u32 = 8;

/// 1 where one of the keys is null.
pub(crate) fn any_null(f: &mut Function, keys: &[Datum]) -> Option<Local<I32>> {
    let nulls = keys.iter().filter_map(|key| key.null);
    nulls.reduce(|any, null| f.let_(any.get() | null))
}
