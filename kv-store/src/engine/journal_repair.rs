//! fjall's journal after a power loss.
//!
//! A batch that was not synced may have arrived in pages: some are there, some are zeros. fjall cuts a tail of zeros by
//! itself, but refuses to open when the hole is inside of a batch. What stands behind the last good batch was never
//! synced, and the log has it: so it is cut off.
//!
//! ```text
//! batch   start 1, number of items 4, sequence number 8; items; end 3, xxh3 of all items' bytes 8, "FJL" 3
//! item    put 2, value type 1, compression 1, keyspace 8, key length 2, value length 4, stored length 4, key, stored value
//!         clear 4, keyspace 8
//! ```
//!
//! Integers are little-endian. This is the format of fjall 3; a test opens what this cuts.
//! When the cut takes batches that had been synced, the state falls behind what the log still has, and the caller sees that.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

use super::EngineError;

const TRAILER: &[u8] = b"FJL\x03";

/// What was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    pub journal: PathBuf,
    /// Length it has now, in bytes: the end of its last good batch.
    pub good_len: u64,
    /// Length it had, in bytes, allocated space included.
    pub found_len: u64,
}

/// Cuts the youngest journal in an engine's folder behind its last good batch. The engine is not open.
pub fn repair_journal(folder: &Path) -> Result<Repair, EngineError> {
    let repair = || {
        let journal = youngest_journal(folder)?;
        let bytes = fs::read(&journal)?;
        let good_len = good_len(&bytes) as u64;
        let file = OpenOptions::new().write(true).open(&journal)?;
        file.set_len(good_len)?;
        file.sync_all()?;
        Ok(Repair {
            journal,
            good_len,
            found_len: bytes.len() as u64,
        })
    };
    repair().map_err(|e: io::Error| EngineError::storage("repair the journal of", e))
}

/// Brings to disk what an engine's youngest journal held when this was called. The engine may be open.
pub(super) fn sync_journal(folder: &Path) -> io::Result<()> {
    File::open(youngest_journal(folder)?)?.sync_data()
}

fn youngest_journal(folder: &Path) -> io::Result<PathBuf> {
    let youngest = journals(folder)?.pop();
    youngest.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Oldest first.
pub(super) fn journals(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        journals.extend(number.map(|number| (number, path)));
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// Where the last of the whole batches at the beginning ends.
fn good_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some(behind) = skip_batch(rest) {
        rest = behind;
    }
    bytes.len() - rest.len()
}

fn skip_batch(bytes: &[u8]) -> Option<&[u8]> {
    let (start, mut rest) = bytes.split_first_chunk::<13>()?;
    if start[0] != 1 {
        return None;
    }
    let num_items = u32::from_le_bytes([start[1], start[2], start[3], start[4]]);
    let items = rest;
    for _ in 0..num_items {
        rest = skip_item(rest)?;
    }
    let items = &items[..items.len() - rest.len()];
    let (end, rest) = rest.split_first_chunk::<9>()?;
    let rest = rest.strip_prefix(TRAILER)?;
    let mut hasher = Xxh3::new();
    hasher.update(items);
    (end[0] == 3 && end[1..] == hasher.digest().to_le_bytes()).then_some(rest)
}

fn skip_item(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.first()? {
        2 => {
            let (header, rest) = bytes.split_first_chunk::<21>()?;
            let key_len = u16::from_le_bytes([header[11], header[12]]);
            let stored_len = u32::from_le_bytes([header[17], header[18], header[19], header[20]]);
            rest.get(usize::from(key_len)..)?
                .get(usize::try_from(stored_len).ok()?..)
        }
        4 => bytes.get(9..),
        _ => None,
    }
}
