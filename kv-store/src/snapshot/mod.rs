//! A whole state as one stream of bytes: what a member without the log's beginning gets, and what a backup is.
//!
//! ```text
//! header  "MURRESNP" 8, version 2, zero 2, length of the body 4, crc32 of the body 4
//!         body: term 8 and index 8 of the last entry in it
//! block   length 4, crc32 4, zstd of pairs;  pair: space 1, key length 4, key, value length 4, value
//! end     zero 4, crc32 of the number 4, number of pairs 8
//! ```
//!
//! Integers are little-endian. Pairs come in order of space and key, in blocks of about [`BLOCK_BYTES`] before compression.
//! Errors: a stream that was cut anywhere or changed in any bit is not accepted; what was read of it is worth nothing.
//! Downgrade rule: a release reads its own version and older ones.

mod read;
mod write;

use std::{io, path::PathBuf};

pub use read::SnapshotReader;
pub use write::{all_pairs, write_snapshot};

use crate::{
    EngineError,
    engine::{Reader, Space},
    state::Applied,
};

const MAGIC: &[u8; 8] = b"MURRESNP";
const VERSION: u16 = 1;
const BODY_LEN: usize = 16;
/// Of a block, before compression.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Of a block, at most: one pair may be larger than [`BLOCK_BYTES`], but not than what a transaction may write.
const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;
const SPACES: [Space; 2] = [Space::Data, Space::Meta];

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("cannot {action} a snapshot")]
    Io {
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot read the state for a snapshot")]
    Engine(#[from] EngineError),
    /// Cut off, or changed, or no snapshot at all.
    #[error("the snapshot is damaged: {detail}")]
    Damaged { detail: &'static str },
    #[error("the snapshot has version {found}, and {VERSION} is the newest known")]
    Version { found: u16 },
}

/// A state on its way into or out of an engine.
pub enum SnapshotData {
    /// As it was when this was made, to be read from the engine.
    Live {
        applied: Applied,
        reader: Box<dyn Reader + Send>,
    },
    /// As it came from another member.
    File(PathBuf),
}

impl std::fmt::Debug for SnapshotData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Live { applied, .. } => f.debug_tuple("Live").field(applied).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Batch, Direction, Engine, LsmEngine, Pair},
        wal::EntryId,
    };

    /// Pairs in both spaces, more than a block of them.
    fn filled(engine: &LsmEngine) {
        let mut batch = Batch::default();
        for number in 0..3_000_u32 {
            let value: Vec<u8> = (0..1_000).map(|at| (number % 251 + at % 7) as u8).collect();
            batch.put(Space::Data, number.to_be_bytes(), value);
        }
        batch.put(Space::Meta, b"x", b"y");
        engine.write(&batch).expect("the disk has room");
    }

    fn all(engine: &LsmEngine, space: Space) -> Vec<Pair> {
        let snapshot = engine.snapshot();
        let pairs = snapshot.scan(space, &[]..&[0xff; 8], Direction::Forward);
        pairs.map(|pair| pair.expect("it reads")).collect()
    }

    fn open(folder: &std::path::Path) -> LsmEngine {
        LsmEngine::open(folder).expect("an empty folder").0
    }

    #[test]
    fn a_state_goes_through_a_snapshot_unchanged() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (
            open(&folder.path().join("a")),
            open(&folder.path().join("b")),
        );
        filled(&from);
        let last = EntryId { term: 3, index: 9 };
        let mut bytes = Vec::new();
        let num = write_snapshot(&*from.snapshot(), last, &mut bytes).expect("it fits");
        assert_eq!(num, 3_002, "with the engine's format");
        assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());
        let mut reader = SnapshotReader::open(&bytes[..]).expect("it was just written");
        assert_eq!(reader.last_entry(), last);
        to.ingest(&mut reader).expect("it was just written");
        for space in SPACES {
            assert!(all(&from, space) == all(&to, space), "{space:?}");
        }
    }

    #[test]
    fn a_snapshot_that_is_cut_or_changed_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = open(folder.path());
        let mut batch = Batch::default();
        batch.put(Space::Data, b"k", b"v");
        engine.write(&batch).expect("the disk has room");
        let mut bytes = Vec::new();
        let last = EntryId { term: 1, index: 1 };
        write_snapshot(&*engine.snapshot(), last, &mut bytes).expect("it fits");
        let read = |bytes: &[u8]| -> Result<usize, SnapshotError> {
            let mut num = 0;
            for pair in SnapshotReader::open(bytes)? {
                pair?;
                num += 1;
            }
            Ok(num)
        };
        assert_eq!(read(&bytes).expect("it was just written"), 2);
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "cut at {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // The two reserved bytes of the header may hold anything, for later versions to use.
            let is_reserved = (10..12).contains(&(bit / 8));
            assert!(is_reserved || read(&changed).is_err(), "bit {bit}");
        }
    }
}
