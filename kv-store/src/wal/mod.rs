//! The write-ahead log of a node: one log for all its Raft groups.
//!
//! ```text
//! append ──> bytes written, entry readable ──┐              ┌──> callbacks of all of them
//! append ──> bytes written, entry readable ──┼── one fsync ─┤
//! vote   ──> bytes written ──────────────────┘              └──> vote returns
//! ```
//!
//! Start at [`Wal`]: a log with a thread of its own for the fsyncs. [`Log`] is the same without threads.
//!
//! Shapes: records stand in segments, files of about [`LogOptions::segment_bytes_max`]; each record belongs to one group.
//! Errors: [`WalError`]; a log whose fsync failed refuses everything until it is opened again.
//! Invariants, with `w` the bytes written and `s` the bytes a finished fsync covered:
//! - `s <= w`, and nothing is acknowledged, voted or deleted that stands behind `s`;
//! - a segment begins only when all before it is durable, so only the last one can be torn;
//! - a segment is deleted only when a durable record says that the last of its entries is truncated or purged.
//!
//! What the log cannot see: damage to the last fsync's bytes when nothing was written after it looks like a power loss
//! before that fsync. Every later record, and closing the log, vouches for them.

mod error;
mod groups;
mod log;
mod record;
mod recovery;
mod segment;
mod sync_thread;

use std::fmt;

use bytes::Bytes;
pub use error::WalError;
pub use log::{Log, LogOptions};
pub use sync_thread::Wal;

/// One Raft group of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names an entry of a group: two entries of a group with the same id are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    pub term: u64,
    pub index: u64,
}

/// One Raft entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    /// Shared with whoever sent it or sends it on.
    pub payload: Bytes,
}

/// What the log has of a group, apart from the entries themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupState {
    /// The last entry that was purged.
    pub purged: Option<EntryId>,
    /// The last entry, or the last purged one when there is none.
    pub last: Option<EntryId>,
    /// As last saved; it may be behind what Raft knows.
    pub committed: Option<EntryId>,
    /// As last saved, in the caller's own encoding.
    pub vote: Option<Vec<u8>>,
}
