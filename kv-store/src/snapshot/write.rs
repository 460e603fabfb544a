//! From a state to a stream.

use std::io::{self, Write};

use super::{BLOCK_BYTES, BODY_LEN, MAGIC, SPACES, SnapshotError, VERSION};
use crate::{
    engine::{Direction, Pair, Reader, Space},
    wal::EntryId,
};

/// Above all keys of an engine: they are at most a few times the longest user key long.
const BEHIND_ALL_KEYS: &[u8] = &[0xff; 64];

/// Writes all pairs of a state whose last entry is `last`. Returns how many there were.
pub fn write_snapshot(
    state: &dyn Reader,
    last: EntryId,
    out: &mut dyn Write,
) -> Result<u64, SnapshotError> {
    let failed = |source| SnapshotError::Io {
        action: "write",
        source,
    };
    write_header(last, out).map_err(failed)?;
    let (mut block, mut num_pairs) = (Vec::new(), 0);
    for pair in all_pairs(state) {
        let (space, (key, value)) = pair?;
        block.push(space as u8);
        for bytes in [&key, &value] {
            block.extend(len_of(bytes).to_le_bytes());
            block.extend_from_slice(bytes);
        }
        num_pairs += 1;
        if block.len() >= BLOCK_BYTES {
            write_block(&block, out).map_err(failed)?;
            block.clear();
        }
    }
    if !block.is_empty() {
        write_block(&block, out).map_err(failed)?;
    }
    write_end(num_pairs, out).map_err(failed)?;
    Ok(num_pairs)
}

/// All pairs of a state, in the order of a snapshot.
pub fn all_pairs(state: &dyn Reader) -> impl Iterator<Item = Result<(Space, Pair), SnapshotError>> {
    SPACES.into_iter().flat_map(move |space| {
        let pairs = state.scan(space, &[]..BEHIND_ALL_KEYS, Direction::Forward);
        pairs.map(move |pair| Ok((space, pair?)))
    })
}

fn len_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("limits are far below 4 GiB")
}

fn write_header(last: EntryId, out: &mut dyn Write) -> io::Result<()> {
    let mut body = [0; BODY_LEN];
    body[..8].copy_from_slice(&last.term.to_le_bytes());
    body[8..].copy_from_slice(&last.index.to_le_bytes());
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&[0; 2])?;
    out.write_all(&len_of(&body).to_le_bytes())?;
    out.write_all(&crc32fast::hash(&body).to_le_bytes())?;
    out.write_all(&body)
}

fn write_block(block: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let stored = zstd::bulk::compress(block, zstd::DEFAULT_COMPRESSION_LEVEL)?;
    out.write_all(&len_of(&stored).to_le_bytes())?;
    out.write_all(&crc32fast::hash(&stored).to_le_bytes())?;
    out.write_all(&stored)
}

fn write_end(num_pairs: u64, out: &mut dyn Write) -> io::Result<()> {
    let number = num_pairs.to_le_bytes();
    out.write_all(&[0; 4])?;
    out.write_all(&crc32fast::hash(&number).to_le_bytes())?;
    out.write_all(&number)?;
    out.flush()
}
