//! What changed between two versions, read from the versions themselves.
//!
//! Complete above the watermark only: below it, versions that no read can see are gone.

use std::ops::Range;

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

/// Changes to keys of `range` at versions above `after` and up to `upto`, in order of version and key.
pub fn changes(
    reader: &dyn Reader,
    range: Range<&[u8]>,
    after: Version,
    upto: Version,
) -> Result<Vec<Change>, EngineError> {
    let (start, end) = (key::prefix(range.start), key::prefix(range.end));
    let mut changes = Vec::new();
    if start >= end {
        return Ok(changes);
    }
    for pair in reader.scan(Space::Data, &start..&end, Direction::Forward) {
        let (stored, value) = pair?;
        let (prefix, version) = key::split(&stored)?;
        if version > after && version <= upto {
            changes.push(Change {
                version,
                key: key::user_key(prefix)?,
                value: key::decode_value(value)?,
            });
        }
    }
    changes.sort_unstable();
    Ok(changes)
}
