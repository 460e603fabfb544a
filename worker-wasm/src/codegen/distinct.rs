//! Counting each value of a group once: a set of pairs of a group and a value.
//!
//! A group is known by the address of its entry, which never changes; the one group without keys is 0. Nulls do not come here.

use super::{
    builder::{Function, I32, Local},
    expr::{Datum, Scalar},
    hash_table::{Directory, HashTable},
    memory::StateArea,
    text_heap::TextHeap,
};
use crate::fragment::{Type, ValueType};

/// The values that one call has met.
#[derive(Debug, Clone)]
pub(crate) struct Distinct(HashTable);

impl Distinct {
    pub(crate) fn new(argument: &Type, state: &mut StateArea) -> Self {
        let pair = [Type::UInt32, argument.clone()].map(|ty| ValueType::new(ty, false));
        Self(HashTable::new(&pair, 0, state).0)
    }

    /// At the start of a call: goes on with a larger directory, or leaves with MORE.
    pub(crate) fn go_on_growing(&self, f: &mut Function) {
        self.0.go_on_growing(f);
    }

    /// At the start of a block: room for a value per row, or leaves with NEED_MEMORY or MORE.
    pub(crate) fn begin_block(&self, f: &mut Function) -> Directory {
        self.0.make_room(f);
        self.0.directory(f)
    }

    /// Runs `first` where the group has not had the value before.
    pub(crate) fn note(
        &self,
        f: &mut Function,
        directory: Directory,
        group: Local<I32>,
        value: &Datum,
        texts: &TextHeap,
        first: impl FnOnce(&mut Function),
    ) {
        let group = Datum::new(Type::UInt32, Scalar::I32(group), None);
        let value = Datum {
            null: None,
            ..value.clone()
        };
        self.0
            .find(f, directory, &[group, value], texts, |f, _| first(f));
    }
}
