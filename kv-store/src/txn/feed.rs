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
    /// Of `recent`, about.
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
        self.bytes += changes.iter().map(Change::num_bytes).sum::<usize>();
        self.recent.extend(changes);
        self.applied = applied;
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.recent.pop_front()
        {
            self.bytes -= oldest.num_bytes();
            self.complete_after = oldest.version;
        }
        // A version is there with all its changes or not at all.
        while let Some(oldest) = self.recent.front()
            && oldest.version <= self.complete_after
        {
            self.bytes -= oldest.num_bytes();
            self.recent.pop_front();
        }
    }

    /// Everything up to here was pushed.
    pub fn applied(&self) -> Version {
        self.applied
    }

    /// Changes to keys of `range` after version `after`, in order, and the version to ask from next time. Not many more than
    /// `bytes_max`, and all of a version or none.
    ///
    /// `reader` has at least everything that was pushed.
    pub fn since(
        &self,
        reader: &dyn Reader,
        range: &KeyRange,
        after: Version,
        bytes_max: usize,
    ) -> Result<(Vec<Change>, Version), FeedError> {
        let watermark = watermark(reader).map_err(FeedError::Engine)?;
        match self.recent(watermark, range, after, bytes_max)? {
            Some(found) => Ok(found),
            None => older_changes(reader, range, after, self.applied, bytes_max),
        }
    }

    /// Like [`Feed::since`], from memory; `None` when [`older_changes`] has them.
    pub fn recent(
        &self,
        watermark: Version,
        range: &KeyRange,
        after: Version,
        bytes_max: usize,
    ) -> Result<Option<(Vec<Change>, Version)>, FeedError> {
        if after < watermark {
            return Err(FeedError::Compacted { after, watermark });
        }
        if after < self.complete_after {
            return Ok(None);
        }
        let first = self
            .recent
            .partition_point(|change| change.version <= after);
        let inside = self.recent.range(first..);
        let inside = inside.filter(|change| range.contains(&change.key));
        let (mut found, mut bytes) = (Vec::<Change>::new(), 0);
        for change in inside {
            if let Some(last) = found.last()
                && bytes >= bytes_max
                && last.version < change.version
            {
                let upto = last.version;
                return Ok(Some((found, upto)));
            }
            bytes += change.num_bytes();
            found.push(change.clone());
        }
        Ok(Some((found, self.applied.max(after))))
    }
}

/// Like [`Feed::since`], from the versions of the data up to `upto`, which `reader` has. Reads all versions of the range.
pub fn older_changes(
    reader: &dyn Reader,
    range: &KeyRange,
    after: Version,
    upto: Version,
    bytes_max: usize,
) -> Result<(Vec<Change>, Version), FeedError> {
    let range = &*range.begin..&*range.end;
    changes(reader, range, after, upto, bytes_max).map_err(FeedError::Engine)
}
