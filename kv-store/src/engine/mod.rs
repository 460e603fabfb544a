//! The sorted store under the versions: what is needed of it, and nothing of how it works.
//!
//! Invariants an engine keeps:
//! - a batch happens whole or not at all, also through a crash;
//! - a crash loses no batch that a finished [`Engine::persist`] covered, and of the others only the youngest ones;
//! - a snapshot does not change.
//!
//! An engine is not what makes commits durable: the log is, and replays what the engine lost.

mod background;
mod batch;
mod error;
pub mod folders;
mod held;
mod journal_repair;
mod lsm;
mod settled;

use std::ops::Range;

pub use batch::{Batch, Overlay};
pub use error::EngineError;
pub use journal_repair::{Repair, repair_journal};
pub use lsm::LsmEngine;

/// Sorted key spaces of an engine; few, because each costs memory and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Versions of users' keys.
    Data,
    /// The store's own: applied index, watermark, outcomes.
    Meta,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);
/// Pairs in one direction; reading may fail on the way.
pub type Pairs<'a> = Box<dyn Iterator<Item = Result<Pair, EngineError>> + 'a>;

/// One unchanging state.
pub trait Reader {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;
    /// Pairs with `range.start <= key < range.end`.
    fn scan(&self, space: Space, range: Range<&[u8]>, direction: Direction) -> Pairs<'_>;
}

/// See the module's header for what implementations promise.
pub trait Engine {
    fn snapshot(&self) -> Box<dyn Reader + Send>;
    /// Visible to snapshots taken later; durable with the next [`Engine::persist`].
    fn write(&self, batch: &Batch) -> Result<(), EngineError>;
    /// All batches written before survive a power loss once this returns.
    fn persist(&self) -> Result<(), EngineError>;
    /// Compactions may from now on drop versions that no read at or above `watermark` can see.
    fn set_watermark(&self, watermark: crate::Version);
    /// Encoded user keys with a delete marker at or below the watermark, seen by compactions since the last call.
    fn take_collectable(&self) -> Vec<Vec<u8>>;
}
