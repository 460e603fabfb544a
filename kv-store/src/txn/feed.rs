//! Changes in the order of their versions, for watches and change feeds.
//!
//! A watcher is a version: it asks for what changed after it, and goes on from the version it is told. So there is no gap
//! and no duplicate, over reconnects and leader changes too, and a slow watcher holds nobody up.
//! Recent changes come from memory, older ones from the versions of the data, down to the watermark.

use std::collections::VecDeque;

use super::{KeyRange, watermark};
use crate::{
    EngineError, Version,
    engine::Reader,
    mvcc::changes::{Change, changes},
};

#[derive(Debug, Clone, thiserror::Error)]
pub enum FeedError {
    /// What changed since is no longer known: read the keys, and watch from the version read at.
    #[error("changes after version {after} are compacted, they are kept from {watermark} on")]
    Compacted { after: Version, watermark: Version },
    #[error("cannot read changes")]
    Engine(#[source] EngineError),
}

#[derive(Debug)]
pub struct Feed {
    /// All changes above `complete_after` and up to `applied`, in order.
    recent: VecDeque<Change>,
    complete_after: Version,
    applied: Version,
    /// Of keys and values in `recent`.
    bytes: usize,
    bytes_max: usize,
}

impl Feed {
    /// Begins at `applied`, and keeps about `bytes_max` of changes in memory.
    pub fn new(applied: Version, bytes_max: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            complete_after: applied,
            applied,
            bytes: 0,
            bytes_max,
        }
    }

    /// Takes in what was applied up to `applied`.
    pub fn push(&mut self, applied: Version, changes: Vec<Change>) {
        self.bytes += changes.iter().map(size).sum::<usize>();
        self.recent.extend(changes);
        self.applied = applied;
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.recent.pop_front()
        {
            self.bytes -= size(&oldest);
            self.complete_after = oldest.version;
        }
        // A version is there with all its changes or not at all.
        while let Some(oldest) = self.recent.front()
            && oldest.version <= self.complete_after
        {
            self.bytes -= size(oldest);
            self.recent.pop_front();
        }
    }

    /// Changes to keys of `range` after version `after`, in order, and the version to ask from next time.
    ///
    /// `reader` has at least everything that was pushed.
    pub fn since(
        &self,
        reader: &dyn Reader,
        range: &KeyRange,
        after: Version,
    ) -> Result<(Vec<Change>, Version), FeedError> {
        let watermark = watermark(reader).map_err(FeedError::Engine)?;
        if after < watermark {
            return Err(FeedError::Compacted { after, watermark });
        }
        let found = if after >= self.complete_after {
            let first = self
                .recent
                .partition_point(|change| change.version <= after);
            self.recent
                .range(first..)
                .filter(|change| range.contains(&change.key))
                .cloned()
                .collect()
        } else {
            changes(reader, &range.begin..&range.end, after, self.applied)
                .map_err(FeedError::Engine)?
        };
        Ok((found, self.applied.max(after)))
    }
}

fn size(change: &Change) -> usize {
    change.key.len() + change.value.as_ref().map_or(0, Vec::len)
}
