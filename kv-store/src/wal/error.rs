//! What can go wrong with the write-ahead log.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::GroupId;

/// Cloneable, because one failed fsync answers every append that waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WalError {
    /// The disk refused. After a failed append nothing of it is in the log.
    #[error("cannot {action} \"{}\"", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    /// Bytes that a finished fsync covered are not what was written. The log does not open.
    #[error("log segment \"{}\" is damaged at byte {offset}: {detail}", path.display())]
    Damaged {
        path: PathBuf,
        /// Of the first byte that cannot be trusted.
        offset: u64,
        detail: String,
    },
    /// Written by a later release.
    #[error("log segment \"{}\" has format version {found}, and {supported} is the newest known", path.display())]
    Version {
        path: PathBuf,
        found: u16,
        supported: u16,
    },
    /// A file in the middle of the log is not there.
    #[error("log segment {segment} is missing from \"{}\"", folder.display())]
    MissingSegment { folder: PathBuf, segment: u64 },
    /// The caller skipped or repeated an index.
    #[error("group {group} expects entry {expected} next and got {found}")]
    NotContiguous {
        group: GroupId,
        expected: u64,
        found: u64,
    },
    /// Asked for an entry that is purged, truncated or was never there.
    #[error("group {group} has no entry {index}")]
    NoEntry { group: GroupId, index: u64 },
    /// An earlier fsync failed, or a failed write could not be taken back: what is on disk is unknown until the log is opened again.
    #[error("the log stopped after a failed write or fsync and must be opened again")]
    Poisoned,
}

impl WalError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source: Arc::new(source),
        }
    }
}
