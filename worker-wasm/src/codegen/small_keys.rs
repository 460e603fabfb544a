//! A short cut to groups whose keys are small numbers, flags or single letters: their entries, indexed by the keys.
//!
//! Rows with such keys are neither hashed nor compared. All others, and the first row of each group, go through the hash
//! table, whose entries never move. Which values are small is a matter of their type alone, so every variant of a shape
//! shares the index.
//!
//! ```text
//! code of a key  number or letter below 254 | 254 empty text | 255 null        1 bit, or 2 with null, for booleans
//! index          codes side by side -> address of the entry, 0 = not seen yet
//! ```

use super::{
    builder::{Function, I32, Local, Value, select},
    expr::{Datum, Scalar},
    memory::{self, StateArea, field, set_field},
};
use crate::fragment::{Type, ValueType};

const EMPTY: i32 = 254;
const NULL: i32 = 255;
/// At most 1 MiB of index.
const BITS_MAX: u32 = 18;

#[derive(Debug, Clone)]
pub(crate) struct SmallKeys {
    /// Bits of each key's code.
    bits: Vec<u32>,
    /// `u32`: address of the index, 0 before the first batch.
    index: u32,
}

impl SmallKeys {
    /// `None` where the keys' types have no small values, or there are too many keys.
    pub(crate) fn new(keys: &[ValueType], state: &mut StateArea) -> Option<Self> {
        let bits = keys.iter().map(|key| match &key.ty {
            Type::Boolean => Some(1 + u32::from(key.nullable)),
            ty if ty.is_integer() || *ty == Type::Utf8 => Some(8),
            _ => None,
        });
        let bits: Vec<_> = bits.collect::<Option<_>>()?;
        (bits.iter().sum::<u32>() <= BITS_MAX).then(|| Self {
            bits,
            index: state.place(4),
        })
    }

    /// The index in a local; made with the first batch, which may leave the call with NEED_MEMORY.
    pub(crate) fn begin(&self, f: &mut Function) -> Local<I32> {
        f.if_(field(self.index).eqz(), |f| {
            let bytes = 4 << self.bits.iter().sum::<u32>();
            let index = memory::reserve_or_return(f, bytes);
            f.fill(index, 0, bytes);
            set_field(f, self.index, index);
        });
        f.let_(field(self.index))
    }

    /// The entry of a row's keys: out of the index, or else by `find`.
    pub(crate) fn find(
        &self,
        f: &mut Function,
        index: Local<I32>,
        keys: &[Datum],
        find: impl FnOnce(&mut Function) -> Local<I32>,
    ) -> Local<I32> {
        let (place, large): (Local<I32>, Local<I32>) = (f.let_(0), f.let_(0));
        for (key, bits) in keys.iter().zip(&self.bits) {
            let (code, is_large) = code(f, key, *bits);
            f.set(large, large.get() | is_large);
            f.set(place, (place.get() << *bits) | code);
        }
        // Codes of large keys are arbitrary: the place of one is not looked at.
        f.set(place, index.get() + (place.get() << 2));
        let entry: Local<I32> = f.let_(0);
        f.if_(large.get().eqz(), |f| {
            f.set(entry, place.get().load::<I32>(0))
        });
        f.if_(entry.get().eqz(), |f| {
            let found = find(f);
            f.set(entry, found);
            f.if_(large.get().eqz(), |f| f.store::<I32>(place, 0, entry));
        });
        entry
    }
}

/// A key's code, and 1 where the key has none.
fn code(f: &mut Function, key: &Datum, bits: u32) -> (Value<I32>, Local<I32>) {
    let (code, large): (Local<I32>, Local<I32>) = (f.local(), f.let_(0));
    match (key.value, &key.ty) {
        (Scalar::I32(v), Type::Boolean) => f.set(code, v),
        (Scalar::I32(v), _) => {
            f.set(code, v);
            f.set(large, v.get().gt_u(EMPTY - 1));
        }
        (Scalar::I64(v), _) => {
            f.set(code, v.get().to_i32());
            f.set(large, v.get().gt_u(i64::from(EMPTY - 1)));
        }
        (Scalar::Text(text), _) => {
            let letter = text.address.get().load8_u(0);
            f.set(code, select::<I32>(text.length, letter, EMPTY));
            // Letters of one byte are below 128; nothing else may come near the codes behind them.
            let no_letter = code.get().gt_u(127) & text.length.get();
            f.set(large, text.length.get().gt_u(1) | no_letter);
        }
        (other, ty) => unreachable!("{other:?} of {ty} has no code"),
    }
    let Some(null) = key.null else {
        return (code.get(), large);
    };
    f.set(large, large.get() & null.get().eqz());
    let null_code = NULL & ((1 << bits) - 1);
    (select::<I32>(null, null_code, code), large)
}
