//! The store as it is meant: one map, changed by one transaction after another. Written as plainly as can be, and without
//! any of the store's code, so that the two do not share a mistake.

use std::collections::BTreeMap;

use crate::{
    Version,
    engine::Direction,
    mvcc::{
        changes::Change,
        selector::{KeySelector, RangeQuery},
    },
    txn::{AtomicOp, KEYS_END, Mutation, VALUE_BYTES_MAX},
};

/// Keys and values at one point in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelMap(pub BTreeMap<Vec<u8>, Vec<u8>>);

impl ModelMap {
    /// One transaction, and what it changed, in order of keys.
    pub fn commit(&mut self, version: Version, mutations: &[Mutation]) -> Vec<Change> {
        let mut written = BTreeMap::new();
        for mutation in mutations {
            for (key, value) in self.effects(mutation, version) {
                match &value {
                    Some(value) => drop(self.0.insert(key.clone(), value.clone())),
                    None => drop(self.0.remove(&key)),
                }
                written.insert(key, value);
            }
        }
        let change = |(key, value)| Change {
            version,
            key,
            value,
        };
        written.into_iter().map(change).collect()
    }

    /// What a mutation leaves in the keys it writes; `None` where it clears one.
    fn effects(&self, mutation: &Mutation, version: Version) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let stamp = |bytes: &[u8], offset: usize| {
            [&bytes[..offset], &version.to_bytes(), &bytes[offset + 12..]].concat()
        };
        match mutation {
            Mutation::Set { key, value } => vec![(key.clone(), Some(value.clone()))],
            Mutation::Clear { key } => {
                let there = self.0.contains_key(key);
                there.then(|| (key.clone(), None)).into_iter().collect()
            }
            Mutation::ClearRange { range } => {
                let inside = self.0.keys().filter(|key| range.contains(key));
                inside.map(|key| (key.clone(), None)).collect()
            }
            Mutation::SetVersionstampedKey { key, offset, value } => {
                vec![(stamp(key, *offset), Some(value.clone()))]
            }
            Mutation::SetVersionstampedValue { key, value, offset } => {
                vec![(key.clone(), Some(stamp(value, *offset)))]
            }
            Mutation::Atomic { op, key, operand } => {
                let before = self.0.get(key);
                match atomic(*op, before, operand) {
                    None if before.is_none() => Vec::new(),
                    after => vec![(key.clone(), after)],
                }
            }
        }
    }

    /// The key a selector names.
    pub fn resolve(&self, selector: &KeySelector) -> Vec<u8> {
        let is_before = |key: &Vec<u8>| {
            if selector.or_equal {
                *key <= selector.key
            } else {
                *key < selector.key
            }
        };
        let num_before = self.0.keys().filter(|key| is_before(key)).count() as i64;
        match usize::try_from(num_before + i64::from(selector.offset) - 1) {
            Err(_) => Vec::new(),
            Ok(place) => {
                let key = self.0.keys().nth(place);
                key.cloned().unwrap_or_else(|| KEYS_END.to_vec())
            }
        }
    }

    /// What a query gives.
    pub fn rows(&self, query: &RangeQuery) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (begin, end) = (self.resolve(&query.begin), self.resolve(&query.end));
        let inside = self
            .0
            .iter()
            .filter(|(key, _)| begin <= **key && **key < end);
        let mut rows: Vec<_> = inside
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if query.direction == Direction::Reverse {
            rows.reverse();
        }
        rows.truncate(query.limit);
        rows
    }
}

/// Operands of numbers are at most eight bytes here.
fn atomic(op: AtomicOp, before: Option<&Vec<u8>>, operand: &[u8]) -> Option<Vec<u8>> {
    match op {
        AtomicOp::AppendIfFits => {
            let both = [before.map_or(&[][..], Vec::as_slice), operand].concat();
            return if both.len() <= VALUE_BYTES_MAX {
                Some(both)
            } else {
                before.cloned()
            };
        }
        AtomicOp::CompareAndClear => return before.filter(|value| *value != operand).cloned(),
        _ => {}
    }
    let number = |bytes: &[u8]| {
        let mut wide = [0; 8];
        let len = bytes.len().min(operand.len());
        wide[..len].copy_from_slice(&bytes[..len]);
        u64::from_le_bytes(wide)
    };
    let new = number(operand);
    let after = match (op, before.map(|bytes| number(bytes))) {
        (AtomicOp::BitAnd | AtomicOp::Min, None) => new,
        (AtomicOp::BitAnd, Some(old)) => old & new,
        (AtomicOp::Min, Some(old)) => old.min(new),
        (AtomicOp::BitOr, old) => old.unwrap_or(0) | new,
        (AtomicOp::BitXor, old) => old.unwrap_or(0) ^ new,
        (AtomicOp::Max, old) => old.unwrap_or(0).max(new),
        (_, old) => old.unwrap_or(0).wrapping_add(new),
    };
    Some(after.to_le_bytes()[..operand.len()].to_vec())
}
