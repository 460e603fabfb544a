//! What changed between two versions, read from the versions themselves.
//!
//! Complete above the watermark only: below it, versions that no read can see are gone.

use std::{collections::BTreeMap, ops::Range};

use super::key;
use crate::{
    EngineError, Version,
    engine::{Direction, Reader, Space},
};

/// A key got a value, or lost it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub version: Version,
    pub key: Vec<u8>,
    /// `None` when the key was cleared.
    pub value: Option<Vec<u8>>,
}

/// What a change takes beside its key and its value, about, in memory and in a message, in bytes.
const CHANGE_BYTES: usize = 32;

impl Change {
    /// About what it takes, in bytes.
    pub fn num_bytes(&self) -> usize {
        CHANGE_BYTES + self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// The oldest changes that take enough together, by version. A version is there with all its changes or not at all.
struct Oldest {
    versions: BTreeMap<Version, (Vec<Change>, usize)>,
    /// Of all of them.
    num_bytes: usize,
    bytes_max: usize,
    /// Changes from this version on were left out.
    end: Option<Version>,
}

impl Oldest {
    fn takes(&self, version: Version) -> bool {
        self.end.is_none_or(|end| version < end)
    }

    fn take_in(&mut self, change: Change) {
        let num_bytes = change.num_bytes();
        let (changes, bytes) = self.versions.entry(change.version).or_default();
        changes.push(change);
        *bytes += num_bytes;
        self.num_bytes += num_bytes;
        while let Some(newest) = self.versions.last_entry()
            && self.num_bytes - newest.get().1 >= self.bytes_max
        {
            self.num_bytes -= newest.get().1;
            self.end = Some(newest.remove_entry().0);
        }
    }
}

/// Changes to keys of `range` at versions above `after` and up to `upto`, in order of version and key, and the version that
/// they reach up to: not `upto` when the oldest of them take `bytes_max` or more.
pub fn changes(
    reader: &dyn Reader,
    range: Range<&[u8]>,
    after: Version,
    upto: Version,
    bytes_max: usize,
) -> Result<(Vec<Change>, Version), EngineError> {
    let (start, end) = (key::prefix(range.start), key::prefix(range.end));
    if start >= end {
        return Ok((Vec::new(), upto));
    }
    let mut oldest = Oldest {
        versions: BTreeMap::new(),
        num_bytes: 0,
        // None at all would be no progress.
        bytes_max: bytes_max.max(1),
        end: None,
    };
    for pair in reader.scan(Space::Data, &start..&end, Direction::Forward) {
        let (stored, value) = pair?;
        let (prefix, version) = key::split(&stored)?;
        if version > after && version <= upto && oldest.takes(version) {
            oldest.take_in(Change {
                version,
                key: key::user_key(prefix)?,
                value: key::decode_value(value)?,
            });
        }
    }
    let reached = match (oldest.end, oldest.versions.last_key_value()) {
        (Some(_), Some((last, _))) => *last,
        _ => upto,
    };
    // A version's changes came in the order of their keys.
    let changes = oldest.versions.into_values();
    Ok((changes.flat_map(|(changes, _)| changes).collect(), reached))
}
