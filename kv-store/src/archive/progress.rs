//! How far the archive is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// What the member that leads knows of its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Archived {
    /// Entries up to here are in it.
    pub index: u64,
    /// Whatever was acknowledged longer ago than this is in it.
    pub behind: Duration,
}

#[derive(Debug, Default)]
struct Inner {
    /// Index, and when nothing that is missing now was applied yet; `None` while this member does not upload.
    reached: Option<(u64, Instant)>,
    num_failures: u64,
}

/// Clones share it: the uploader writes, whoever asks reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<Inner>>);

impl Progress {
    /// All that was applied at `since` is there, and entries up to `index`.
    pub(super) fn reached(&self, index: u64, since: Instant) {
        self.0.lock().reached = Some((index, since));
    }

    /// More is there, but not all.
    pub(super) fn advanced(&self, index: u64) {
        if let Some((reached, _)) = &mut self.0.lock().reached {
            *reached = index;
        }
    }

    /// This member does not lead any more.
    pub(super) fn stopped(&self) {
        self.0.lock().reached = None;
    }

    pub(super) fn failed(&self) {
        self.0.lock().num_failures += 1;
    }

    pub(crate) fn archived(&self) -> Option<Archived> {
        let reached = self.0.lock().reached;
        reached.map(|(index, since)| Archived {
            index,
            behind: since.elapsed(),
        })
    }

    /// Uploads that failed, and will be tried again.
    pub(crate) fn num_failures(&self) -> u64 {
        self.0.lock().num_failures
    }
}
