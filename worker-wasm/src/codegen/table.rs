//! The table of a hash join: rows grouped by slot, found through a directory with Bloom bits, or through a bitmap of keys.
//!
//! ```text
//! header     rows, where the parts are, what the bitmap is about
//! bitmap     of a ranked table, see [`super::ranks`]
//! directory  per slot a u64: end of its rows (32 bits) | Bloom bits of their hashes (16 bits); one slot before the first
//! rows       hash u32 | columns, see [`super::rows`]; rows of one slot lie together, and slots in their order
//! ```
//!
//! The rows of a slot lie between the end of the slot before and its own end, so a lookup reads one cache line of the
//! directory, and only where the Bloom bits allow a match it reads rows. Addresses count from the start of the table, which
//! is mapped wherever there is room. Source: Birler, Schmidt, Fent, Neumann, "Simple, efficient, and robust hash tables for
//! join processing" (DaMoN 2024); here a slot has two Bloom bits of 16, and 64 bits hold both them and the address.
//!
//! In a ranked table each key has a slot of its own, and where no key has a second row there is no directory.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::Datum,
    hash::hash,
    memory::field,
    ranks::{self, Ranks},
    rows::RowLayout,
};
use crate::{abi::table, fragment::ValueType};

/// Bytes of a row's hash, in front of its columns.
pub(crate) const HASH_BYTES: u32 = 4;

/// How rows lie in the table.
pub(crate) fn layout(columns: &[ValueType]) -> RowLayout {
    RowLayout::new(columns, HASH_BYTES)
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
    first_row: Local<I32>,
    row_bytes: u32,
    shift: Local<I32>,
    /// Address of the slot before the first, and how many there are.
    directory: Local<I32>,
    slots: Local<I32>,
    /// `None` where keys of their types have no ranks.
    ranks: Option<Ranks>,
}

impl View {
    /// Of the table at an address that a field holds, with `keys` among its columns.
    pub(crate) fn load(
        f: &mut Function,
        address: u32,
        columns: &[ValueType],
        keys: &[usize],
    ) -> Self {
        let address: Local<I32> = f.let_(field(address));
        let part = |at: u32| address.get() + address.get().load::<I32>(at);
        Self {
            address,
            first_row: f.let_(part(table::FIRST_ROW)),
            row_bytes: layout(columns).row_bytes,
            shift: f.let_(address.get().load::<I32>(table::SHIFT)),
            directory: f.let_(part(table::DIRECTORY)),
            slots: f.let_(address.get().load::<I32>(table::SLOTS)),
            ranks: ranks::has_ranks(columns, keys).then(|| Ranks::load(f, address)),
        }
    }

    pub(crate) fn rows(self) -> Value<I32> {
        self.address.get().load(table::ROWS)
    }

    pub(crate) fn first_row(self) -> Local<I32> {
        self.first_row
    }

    pub(crate) fn slots(self) -> Local<I32> {
        self.slots
    }

    /// Address of the slot before one; its own is [`SLOT_BYTES`] behind it.
    pub(crate) fn slot_before(self, slot: Value<I32>) -> Value<I32> {
        self.directory.get() + (slot << 3)
    }

    /// Start and end of the rows that may have these keys; no rows where the table excludes them.
    pub(crate) fn find(self, f: &mut Function, keys: &[Datum]) -> (Local<I32>, Local<I32>) {
        let (start, end) = (f.local(), f.local());
        let hashed = |f: &mut Function| {
            let hash = hash(f, keys);
            let before = self.slot_before(hash.get().shr_u(self.shift));
            let before: Local<I32> = f.let_(before);
            let slot: Local<I64> = f.let_(before.get().load::<I64>(SLOT_BYTES));
            let wanted: Local<I64> = f.let_(bloom(hash));
            let possible = (slot.get() & wanted).eq(wanted);
            self.between(f, before, possible, start, end);
        };
        match (self.ranks, keys) {
            (Some(ranks), [key]) => f.if_else(
                ranks.are_there(),
                |f| {
                    let (rank, present) = ranks.find(f, self.address, key);
                    f.if_else(
                        self.slots,
                        |f| {
                            let before = f.let_(self.slot_before(rank.get()));
                            self.between(f, before, present.get(), start, end);
                        },
                        |f| {
                            f.set(start, self.only_row(rank));
                            let behind = start.get() + self.row_bytes;
                            f.set(end, select::<I32>(present, behind, start));
                        },
                    );
                },
                hashed,
            ),
            _ => hashed(f),
        }
        (start, end)
    }

    /// 1 where the table has a bitmap; `None` where tables with such keys have none.
    pub(crate) fn is_ranked(self) -> Option<Value<I32>> {
        self.ranks.map(Ranks::are_there)
    }

    /// 1 where a table that has a bitmap has a row with the key.
    pub(crate) fn has(self, f: &mut Function, keys: &[Datum]) -> Value<I32> {
        match (self.ranks, keys) {
            (Some(ranks), [key]) => ranks.has(f, self.address, key),
            _ => unreachable!("only tables with one key have bitmaps"),
        }
    }

    /// The rows of a slot where they are `possible`, or none.
    fn between(
        self,
        f: &mut Function,
        before: Local<I32>,
        possible: Value<I32>,
        start: Local<I32>,
        end: Local<I32>,
    ) {
        f.set(start, before.get().load::<I32>(0));
        let own: Local<I32> = f.let_(before.get().load::<I32>(SLOT_BYTES));
        f.set(
            end,
            self.address.get() + select::<I32>(possible, own, start),
        );
        f.set(start, self.address.get() + start);
    }

    /// The row of a key where every key has one.
    fn only_row(self, rank: Local<I32>) -> Value<I32> {
        self.first_row.get() + rank.get() * self.row_bytes
    }

    /// Counts the bytes of a row in its slot.
    pub(crate) fn count(self, f: &mut Function, hash: Local<I32>, key: Option<&Datum>) {
        let slot = self.slot_of(f, hash, key);
        let word: Value<I64> = slot.get().load(SLOT_BYTES);
        let counted = (word + i64::from(self.row_bytes)) | bloom(hash);
        f.store(slot, SLOT_BYTES, counted);
    }

    /// The place of the next row with this key, when slots hold the start of what is free in them.
    pub(crate) fn take(
        self,
        f: &mut Function,
        hash: Local<I32>,
        key: Option<&Datum>,
    ) -> Local<I32> {
        let place = f.local::<I32>();
        let from_slot = |f: &mut Function| {
            let slot = self.slot_of(f, hash, key);
            let free: Local<I32> = f.let_(slot.get().load::<I32>(SLOT_BYTES));
            f.store::<I32>(slot, SLOT_BYTES, free.get() + self.row_bytes);
            f.set(place, self.address.get() + free);
        };
        match (self.ranks, key) {
            (Some(ranks), Some(key)) => f.if_else(self.slots, from_slot, |f| {
                let (rank, _) = ranks.find(f, self.address, key);
                f.set(place, self.only_row(rank));
            }),
            _ => from_slot(f),
        }
        place
    }

    /// Address of the slot before the one of a row in the table.
    fn slot_of(self, f: &mut Function, hash: Local<I32>, key: Option<&Datum>) -> Local<I32> {
        let slot: Local<I32> = f.let_(hash.get().shr_u(self.shift));
        if let (Some(ranks), Some(key)) = (self.ranks, key) {
            f.if_(ranks.are_there(), |f| {
                let (rank, _) = ranks.find(f, self.address, key);
                f.set(slot, rank);
            });
        }
        f.let_(self.slot_before(slot.get()))
    }
}

pub(crate) const SLOT_BYTES: u32 = 8;

/// 1 where one of the keys is null.
pub(crate) fn any_null(f: &mut Function, keys: &[Datum]) -> Option<Local<I32>> {
    let nulls = keys.iter().filter_map(|key| key.null);
    nulls.reduce(|any, null| f.let_(any.get() | null))
}
