//! The groups of an aggregation: entries in chunks, found through an open-addressing directory.
//!
//! ```text
//! directory  capacity x u64: hash << 32 | address of the entry, 0 = free; linear probing
//! chunk list address of each chunk of 1,024 entries, in the order of the groups
//! entry      keys | null bytes | accumulators
//! ```
//!
//! Entries never move. A larger directory is filled from the one before, which stays where it is, so growing is a matter of
//! many short calls: clear a piece, move a piece, return MORE. No entry is read for it, and words of neighbouring slots become
//! neighbours in the lower or the upper half of the larger directory: three streams, where filling it from the entries
//! misses the caches for each of them.
//! Hash and layout are the same whatever facts chose the lanes.
//! Invariant: at the start of a block, entries for all its rows exist and half of the directory stays free.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{self, Datum},
    hash::hash,
    memory::{self, StateArea, field, set_field},
    text_heap::TextHeap,
};
use crate::{
    abi::{Status, Windows},
    fragment::{Storage, ValueType},
};

/// Rows between two looks at the room left; as many entries are in a chunk.
pub(crate) const BLOCK_ROWS: i32 = 1024;
const BLOCK_BITS: i32 = BLOCK_ROWS.trailing_zeros().cast_signed();

/// More chunks than fit a private window, where each group has two slots in the directory as well.
const CHUNKS_MAX: i32 = 65_536;
const ENTRY_BYTES_MIN: u64 = 8;
const SLOT_BYTES: u64 = 8;

// The list of chunks has no other end.
const _: () = assert!(
    CHUNKS_MAX as u64 * BLOCK_ROWS as u64 * (ENTRY_BYTES_MIN + 2 * SLOT_BYTES)
        >= Windows::FULL.private_end
);
const FIRST_CAPACITY: i32 = 4096;

/// Slots of a directory that stays in a processor's own caches.
const CACHED_CAPACITY: i32 = 32_768;

/// Bytes cleared and slots moved in one call while growing: about a millisecond each. Clearing meets pages for the first time,
/// of which a huge one takes a virtual machine 6 ms where its host has to find it first: so less than one at a time.
const CLEAR_BYTES: i32 = 1 << 20;
const MOVE_SLOTS: i32 = 131_072;

#[derive(Debug, Clone)]
pub(crate) struct HashTable {
    keys: Vec<Key>,
    entry_bytes: u32,
    /// `u32` fields of the state area.
    directory: u32,
    /// Slots, a power of two; 0 before the first block.
    capacity: u32,
    groups: u32,
    chunks: u32,
    /// Entries there is memory for.
    allocated: u32,
    /// 1 while a new directory is being filled; then how far it is cleared, in bytes, and how far it is filled, in slots of
    /// the one before, which had half its capacity.
    growing: u32,
    cleared: u32,
    moved: u32,
    /// Address of the directory before; arbitrary before there was one.
    before: u32,
}

#[derive(Debug, Clone)]
struct Key {
    of: ValueType,
    storage: Storage,
    offset: u32,
    null_offset: Option<u32>,
}

/// Where a block's rows are looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directory {
    start: Local<I32>,
    mask: Local<I32>,
}

impl Directory {
    fn address(self, slot: Local<I32>) -> Value<I32> {
        self.start.get() + (slot.get() << 3)
    }

    fn next(self, f: &mut Function, slot: Local<I32>) {
        f.set(slot, (slot.get() + 1) & self.mask);
    }

    /// Puts the word of an entry that is not in it into the first free slot.
    fn insert(self, f: &mut Function, word: Local<I64>) {
        let hash = word.get().shr_u(32i64).to_i32();
        let slot: Local<I32> = f.let_(hash & self.mask);
        f.block(|f, free| {
            f.repeat(|f, again| {
                f.branch_if(free, self.address(slot).load::<I64>(0).eqz());
                self.next(f, slot);
                f.branch(again);
            });
        });
        f.store(self.address(slot), 0, word);
    }
}

fn slot_word(hash: Local<I32>, entry: Local<I32>) -> Value<I64> {
    (hash.get().to_i64_u() << 32i64) | entry.get().to_i64_u()
}

impl HashTable {
    /// A table whose entries have `accumulator_bytes` behind their keys; their offset comes with it.
    pub(crate) fn new(
        keys: &[ValueType],
        accumulator_bytes: u32,
        state: &mut StateArea,
    ) -> (Self, u32) {
        let mut next = 0;
        let mut place = |bytes: u32| {
            next += bytes;
            next - bytes
        };
        let mut keys: Vec<_> = keys
            .iter()
            .map(|of| {
                let storage = of.ty.storage();
                Key {
                    of: of.clone(),
                    storage,
                    offset: place(storage.bytes().max(1).next_multiple_of(8)),
                    null_offset: None,
                }
            })
            .collect();
        for key in keys.iter_mut().filter(|key| key.of.nullable) {
            key.null_offset = Some(place(1));
        }
        let accumulators = next.next_multiple_of(8);
        let fields = state.place(36);
        let table = Self {
            keys,
            entry_bytes: (accumulators + accumulator_bytes).next_multiple_of(8),
            directory: fields,
            capacity: fields + 4,
            groups: fields + 8,
            chunks: fields + 12,
            allocated: fields + 16,
            growing: fields + 20,
            cleared: fields + 24,
            moved: fields + 28,
            before: fields + 32,
        };
        (table, accumulators)
    }

    pub(crate) fn groups(&self) -> Value<I32> {
        field(self.groups)
    }

    /// Room for a block of rows, or leaves the call: NEED_MEMORY, or MORE to fill a larger directory first.
    pub(crate) fn make_room(&self, f: &mut Function) {
        f.if_(field(self.chunks).eqz(), |f| {
            let chunks = memory::reserve_or_return(f, CHUNKS_MAX * 4);
            set_field(f, self.chunks, chunks);
        });
        let wanted: Local<I32> = f.let_(field(self.groups) + BLOCK_ROWS);
        f.if_(field(self.allocated).lt_u(wanted), |f| {
            let chunk = memory::reserve_or_return(f, self.entry_bytes * BLOCK_ROWS as u32);
            let number = field(self.allocated).shr_u(BLOCK_BITS);
            f.store::<I32>(field(self.chunks) + (number << 2), 0, chunk);
            set_field(f, self.allocated, field(self.allocated) + BLOCK_ROWS);
        });
        f.if_(field(self.capacity).lt_u(wanted.get() << 1), |f| {
            let doubled: Local<I32> = f.let_(field(self.capacity) << 1);
            let capacity = select::<I32>(doubled.get(), doubled, FIRST_CAPACITY);
            let capacity: Local<I32> = f.let_(capacity);
            let directory = memory::reserve_or_return(f, capacity.get() << 3);
            // There is nothing to move into the first one.
            let first = field(self.capacity).eqz();
            let moved = select::<I32>(first, capacity.get().shr_u(1), 0);
            set_field(f, self.moved, moved);
            set_field(f, self.before, field(self.directory));
            set_field(f, self.directory, directory);
            set_field(f, self.capacity, capacity);
            set_field(f, self.cleared, 0);
            set_field(f, self.growing, 1);
            f.return_(Status::More as i32);
        });
    }

    /// At the start of a call: a piece of the work on a new directory; leaves with MORE while some is left.
    pub(crate) fn go_on_growing(&self, f: &mut Function) {
        f.if_(field(self.growing), |f| {
            let bytes: Local<I32> = f.let_(field(self.capacity) << 3);
            let cleared: Local<I32> = f.let_(field(self.cleared));
            f.if_(cleared.get().lt_u(bytes), |f| {
                let left: Local<I32> = f.let_(bytes.get() - cleared);
                let length = select::<I32>(left.get().lt_u(CLEAR_BYTES), left, CLEAR_BYTES);
                let length: Local<I32> = f.let_(length);
                f.fill(field(self.directory) + cleared, 0, length);
                set_field(f, self.cleared, cleared.get() + length);
                f.return_(Status::More as i32);
            });
            let slots: Local<I32> = f.let_(field(self.capacity).shr_u(1));
            let slot: Local<I32> = f.let_(field(self.moved));
            let left: Local<I32> = f.let_(slots.get() - slot);
            let length = select::<I32>(left.get().lt_u(MOVE_SLOTS), left, MOVE_SLOTS);
            let end: Local<I32> = f.let_(slot.get() + length);
            let before: Local<I32> = f.let_(field(self.before));
            let directory = self.directory(f);
            let word = f.local::<I64>();
            f.count_up(slot, end, |f| {
                f.set(word, (before.get() + (slot.get() << 3)).load::<I64>(0));
                f.if_(word.get().ne(0i64), |f| directory.insert(f, word));
            });
            set_field(f, self.moved, end);
            f.if_(end.get().lt_u(slots), |f| {
                f.return_(Status::More as i32);
            });
            set_field(f, self.growing, 0);
        });
    }

    /// Address of an entry by the number of its group.
    pub(crate) fn entry(&self, f: &mut Function, number: Local<I32>) -> Local<I32> {
        let chunk = number.get().shr_u(BLOCK_BITS) << 2;
        let start = (field(self.chunks) + chunk).load::<I32>(0);
        let within = (number.get() & (BLOCK_ROWS - 1)) * self.entry_bytes;
        f.let_(start + within)
    }

    /// The directory in locals, for as long as no call to [`Self::make_room`] comes between.
    pub(crate) fn directory(&self, f: &mut Function) -> Directory {
        Directory {
            start: f.let_(field(self.directory)),
            mask: f.let_(field(self.capacity) - 1),
        }
    }

    /// 1 where the directory is so large that looking up a row misses the caches.
    pub(crate) fn is_large(&self) -> Value<I32> {
        field(self.capacity).gt_u(CACHED_CAPACITY)
    }

    /// Reads what finding a row's keys will read first, into the caches; something that depends on it.
    pub(crate) fn touch(
        &self,
        f: &mut Function,
        directory: Directory,
        keys: &[Datum],
    ) -> Value<I32> {
        let hash = hash(f, keys);
        let slot: Local<I32> = f.let_(hash.get() & directory.mask);
        // A free slot leads to address 0, which can be read.
        let entry: Value<I32> = directory.address(slot).load(0);
        entry.load::<I32>(0)
    }

    /// The entry of a row's keys, a new one with accumulators cleared by `start` where there is none.
    pub(crate) fn find(
        &self,
        f: &mut Function,
        directory: Directory,
        keys: &[Datum],
        texts: &TextHeap,
        start: impl FnOnce(&mut Function, Local<I32>),
    ) -> Local<I32> {
        let hash = hash(f, keys);
        let entry = f.local::<I32>();
        let word = f.local::<I64>();
        let slot: Local<I32> = f.let_(hash.get() & directory.mask);
        f.block(|f, found| {
            f.repeat(|f, again| {
                f.set(word, directory.address(slot).load::<I64>(0));
                f.if_(word.get().eqz(), |f| {
                    let number: Local<I32> = f.let_(field(self.groups));
                    let new = self.entry(f, number);
                    f.set(entry, new);
                    let kept: Vec<_> = keys.iter().map(|key| texts.keep_datum(f, key)).collect();
                    self.store_keys(f, entry, &kept);
                    start(f, entry);
                    f.store(directory.address(slot), 0, slot_word(hash, entry));
                    set_field(f, self.groups, number.get() + 1);
                    f.branch(found);
                });
                f.if_(word.get().shr_u(32i64).to_i32().eq(hash), |f| {
                    f.set(entry, word.get().to_i32());
                    let same = self.same_keys(f, entry, keys);
                    f.branch_if(found, same);
                });
                directory.next(f, slot);
                f.branch(again);
            });
        });
        entry
    }

    fn store_keys(&self, f: &mut Function, entry: Local<I32>, keys: &[Datum]) {
        for (key, datum) in self.keys.iter().zip(keys) {
            expr::store(f, entry, key.offset, datum.value, key.storage);
            if let Some(offset) = key.null_offset {
                match datum.null {
                    Some(null) => f.store8(entry, offset, null),
                    None => f.store8(entry, offset, 0),
                }
            }
        }
    }

    /// 1 where an entry has these keys; nulls are the same as nulls.
    fn same_keys(&self, f: &mut Function, entry: Local<I32>, keys: &[Datum]) -> Local<I32> {
        let same: Local<I32> = f.let_(1);
        for (key, datum) in self.keys.iter().zip(keys) {
            let stored = self.load_key(f, entry, key);
            let equal = expr::equals(f, &stored, datum);
            let equal = match (stored.null, datum.null) {
                (None, _) => equal,
                (Some(stored), None) => equal & stored.get().eqz(),
                (Some(stored), Some(null)) => stored.get().eq(null) & (equal | null),
            };
            f.set(same, same.get() & equal);
        }
        same
    }

    fn load_key(&self, f: &mut Function, entry: Local<I32>, key: &Key) -> Datum {
        let value = expr::load(f, key.storage, &key.of.ty, &entry.get(), key.offset);
        let null = key
            .null_offset
            .map(|offset| f.let_(entry.get().load8_u(offset)));
        Datum::new(key.of.ty.clone(), value, null)
    }

    /// The keys of an entry.
    pub(crate) fn keys(&self, f: &mut Function, entry: Local<I32>) -> Vec<Datum> {
        let keys = self.keys.iter();
        keys.map(|key| self.load_key(f, entry, key)).collect()
    }
}
