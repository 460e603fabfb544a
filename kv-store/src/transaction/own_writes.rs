//! What a transaction's own writes make of what it reads.

use std::collections::BTreeMap;

use crate::{
    KvError,
    engine::Direction,
    mvcc::{
        read::Row,
        selector::{KeySelector, RangeQuery},
    },
    txn::{AtomicOp, KeyRange, Mutation, atomic},
};

/// Where the value of a key begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// In the store.
    Store,
    /// With a write of the transaction; `None` when that cleared it.
    Known(Option<Vec<u8>>),
}

/// The writes to one key: the last one that does not depend on the value before, and the operations after it.
#[derive(Debug)]
pub(super) struct OwnWrites {
    pub(super) base: Base,
    pub(super) ops: Vec<(AtomicOp, Vec<u8>)>,
}

pub(super) fn of_key(mutations: &[Mutation], key: &[u8]) -> Result<OwnWrites, KvError> {
    let mut own = OwnWrites {
        base: Base::Store,
        ops: Vec::new(),
    };
    for mutation in mutations {
        if !mutation.write_range().contains(key) {
            continue;
        }
        match mutation {
            Mutation::Set { value, .. } => own.begin(Some(value.clone())),
            Mutation::Clear { .. } | Mutation::ClearRange { .. } => own.begin(None),
            Mutation::Atomic { op, operand, .. } => own.ops.push((*op, operand.clone())),
            Mutation::SetVersionstampedKey { .. } | Mutation::SetVersionstampedValue { .. } => {
                return Err(KvError::Unreadable);
            }
        }
    }
    Ok(own)
}

impl OwnWrites {
    fn begin(&mut self, value: Option<Vec<u8>>) {
        self.base = Base::Known(value);
        self.ops.clear();
    }
}

pub(super) fn evaluate(
    before: Option<Vec<u8>>,
    (op, operand): (AtomicOp, Vec<u8>),
) -> Option<Vec<u8>> {
    atomic::evaluate(op, before, &operand)
}

/// The range of a query when own writes reach into it. `None` when the store's answer is right as it is.
pub(super) fn touched(
    mutations: &[Mutation],
    query: &RangeQuery,
) -> Result<Option<KeyRange>, KvError> {
    if mutations.is_empty() {
        return Ok(None);
    }
    let unsupported = || KvError::Malformed {
        detail: "after its own writes a transaction cannot read by selectors that step over keys"
            .into(),
    };
    let range = KeyRange {
        begin: boundary(&query.begin).ok_or_else(unsupported)?,
        end: boundary(&query.end).ok_or_else(unsupported)?,
    };
    let reaches = |write: KeyRange| write.begin < range.end && range.begin < write.end;
    let is_touched = mutations.iter().map(Mutation::write_range).any(reaches);
    Ok(is_touched.then_some(range))
}

/// `None` for a selector that names a key by its neighbours.
fn boundary(selector: &KeySelector) -> Option<Vec<u8>> {
    (selector.offset == 1).then(|| {
        if selector.or_equal {
            KeyRange::point(selector.key.clone()).end
        } else {
            selector.key.clone()
        }
    })
}

/// The rows of a range after the writes. `rows` are all of the range, as of before them.
pub(super) fn overlay(
    rows: Vec<Row>,
    mutations: &[Mutation],
    range: &KeyRange,
    query: &RangeQuery,
) -> Result<Vec<Row>, KvError> {
    let mut state: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key, row.value)).collect();
    for mutation in mutations {
        match mutation {
            Mutation::Set { key, value } => {
                state.insert(key.clone(), value.clone());
            }
            Mutation::Clear { key } => {
                state.remove(key);
            }
            Mutation::ClearRange { range } => state.retain(|key, _| !range.contains(key)),
            Mutation::Atomic { op, key, operand } if range.contains(key) => {
                if let Some(value) = atomic::evaluate(*op, state.remove(key), operand) {
                    state.insert(key.clone(), value);
                }
            }
            Mutation::Atomic { .. } => {}
            Mutation::SetVersionstampedKey { .. } | Mutation::SetVersionstampedValue { .. } => {
                let write = mutation.write_range();
                if write.begin < range.end && range.begin < write.end {
                    return Err(KvError::Unreadable);
                }
            }
        }
    }
    let inside = state.into_iter().filter(|(key, _)| range.contains(key));
    let mut rows: Vec<_> = inside.map(|(key, value)| Row { key, value }).collect();
    if query.direction == Direction::Reverse {
        rows.reverse();
    }
    rows.truncate(query.limit);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Version,
        txn::{CommitRequest, LimitError, TxnId, check},
    };

    #[test]
    fn a_versionstamp_that_does_not_fit_is_refused_by_the_commit_and_harms_no_read() {
        for offset in [1, 2, 10, usize::MAX] {
            let mutations = vec![Mutation::SetVersionstampedKey {
                key: b"ab".to_vec(),
                offset,
                value: Vec::new(),
            }];
            let own = of_key(&mutations, b"x").unwrap();
            assert!(own.base == Base::Store && own.ops.is_empty());
            let own = of_key(&mutations, b"ab");
            assert!(matches!(own, Err(KvError::Unreadable)), "{offset}: {own:?}");
            let request = CommitRequest {
                id: TxnId([0; 16]),
                read_version: Version::MIN,
                reads: Vec::new(),
                mutations,
            };
            let refused = LimitError::VersionstampOutside { offset, bytes: 2 };
            assert_eq!(check(&request), Err(refused));
        }
    }
}
