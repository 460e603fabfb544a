//! What may go of the versions that no read can see: reads are at or above the watermark.
//!
//! A delete marker may not go when a compaction sees it. The versions of a key are separate keys of the engine, so an older
//! put may stand in another file, and would be the newest again without the marker. Hence two steps:
//!
//! 1. [`Filter`], in compactions: an older put goes when a newer version at or below the watermark came before it in the same
//!    stream. A marker stays, whatever the level, and its key is noted.
//! 2. [`collect`], in the applier, which sees all files: of a noted key the older versions go, then the marker, in one batch.

use super::key;
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Reader, Space},
    mutant::Mutant,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    Drop,
}

/// Looks at stored keys in their order. One for each compaction.
#[derive(Debug)]
pub struct Filter {
    watermark: Version,
    /// Of the key last seen, and whether a version at or below the watermark was among it.
    prefix: Vec<u8>,
    is_shadowed: bool,
    /// Prefixes of keys with a delete marker at or below the watermark; see [`collect`].
    collectable: Vec<Vec<u8>>,
}

impl Filter {
    pub fn new(watermark: Version) -> Self {
        Self {
            watermark,
            prefix: Vec::new(),
            is_shadowed: false,
            collectable: Vec::new(),
        }
    }

    /// The next stored key and its value. What is malformed stays, for a read to complain about.
    pub fn look_at(&mut self, stored: &[u8], value: &[u8]) -> Verdict {
        let Ok((prefix, version)) = key::split(stored) else {
            return Verdict::Keep;
        };
        if prefix != self.prefix {
            self.prefix.clear();
            self.prefix.extend_from_slice(prefix);
            self.is_shadowed = false;
        }
        if version > self.watermark {
            return Verdict::Keep;
        }
        let was_shadowed = std::mem::replace(&mut self.is_shadowed, true);
        if key::is_delete_marker(value) {
            if Mutant::DropMarkerInCompaction.is_active() {
                return Verdict::Drop;
            }
            if self.collectable.last().is_none_or(|last| last != prefix) {
                self.collectable.push(prefix.to_vec());
            }
            return Verdict::Keep;
        }
        if was_shadowed {
            Verdict::Drop
        } else {
            Verdict::Keep
        }
    }

    /// Keys to hand to [`collect`].
    pub fn into_collectable(self) -> Vec<Vec<u8>> {
        self.collectable
    }
}

/// Adds to `batch` the deletion of every version of a key that no read at or above the watermark can see, markers included.
pub fn collect(
    reader: &dyn Reader,
    batch: &mut Batch,
    prefix: &[u8],
    watermark: Version,
) -> Result<(), EngineError> {
    let (start, end) = (key::versioned(prefix, watermark), key::prefix_end(prefix));
    let mut newest = true;
    for pair in reader.scan(Space::Data, &start..&end, Direction::Forward) {
        let (stored, value) = pair?;
        // The newest one answers reads at the watermark, unless its answer is that nothing is there.
        let is_visible = std::mem::replace(&mut newest, false) && !key::is_delete_marker(&value);
        if !is_visible {
            batch.delete(Space::Data, stored);
        }
    }
    Ok(())
}
