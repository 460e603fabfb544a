//! Entries as an object.
//!
//! ```text
//! "MURREARC" 8, version 2, zero 2, crc32 of the body 4, body: zstd of entries
//! entry   term 8, index 8, length 4, payload; integers little-endian
//! ```
//!
//! Downgrade rule: a release reads its own version and older ones.

use std::io;

use bytes::Bytes;

use crate::wal::{Entry, EntryId};

const MAGIC: &[u8; 8] = b"MURREARC";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 16;
/// Of the entries of an object, at most: more than what is uploaded at once, with one entry as large as can be.
const ENTRIES_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("the object is damaged: {detail}")]
    Damaged { detail: &'static str },
    #[error("the object has version {found}, and {VERSION} is the newest known")]
    Version { found: u16 },
}

pub(super) fn encode(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    for entry in entries {
        plain.extend(entry.id.term.to_le_bytes());
        plain.extend(entry.id.index.to_le_bytes());
        let len = u32::try_from(entry.payload.len()).expect("limits are far below 4 GiB");
        plain.extend(len.to_le_bytes());
        plain.extend_from_slice(&entry.payload);
    }
    let body = zstd::bulk::compress(&plain, zstd::DEFAULT_COMPRESSION_LEVEL)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(crc32fast::hash(&body).to_le_bytes());
    bytes.extend(body);
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, SegmentError> {
    let damaged = |detail| SegmentError::Damaged { detail };
    let (header, body) = bytes
        .split_first_chunk::<HEADER_LEN>()
        .ok_or_else(|| damaged("it is shorter than a header"))?;
    if header[..8] != *MAGIC {
        return Err(damaged("it does not begin like one"));
    }
    let found = u16::from_le_bytes([header[8], header[9]]);
    if found != VERSION {
        return Err(SegmentError::Version { found });
    }
    if crc32fast::hash(body).to_le_bytes() != header[12..] {
        return Err(damaged("it has a wrong checksum"));
    }
    let plain = zstd::bulk::decompress(body, ENTRIES_BYTES_MAX)
        .map_err(|_| damaged("it cannot be decompressed"))?;
    split(&plain).ok_or_else(|| damaged("it holds something else than entries"))
}

/// `None` when the bytes are no entries.
fn split(mut plain: &[u8]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !plain.is_empty() {
        let term = u64::from_le_bytes(*take(&mut plain)?);
        let index = u64::from_le_bytes(*take(&mut plain)?);
        let len = u32::from_le_bytes(*take(&mut plain)?) as usize;
        let (payload, rest) = plain.split_at_checked(len)?;
        plain = rest;
        entries.push(Entry {
            id: EntryId { term, index },
            payload: Bytes::copy_from_slice(payload),
        });
    }
    Some(entries)
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_back_and_no_cut_or_changed_bit_is_accepted() {
        let entries: Vec<_> = (1..4)
            .map(|index| Entry {
                id: EntryId { term: 7, index },
                payload: vec![b'p'; index as usize * 10].into(),
            })
            .collect();
        let bytes = encode(&entries).expect("it fits into memory");
        assert_eq!(decode(&bytes).expect("it was just encoded"), entries);
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "cut at {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // The two reserved bytes may hold anything, for later versions to use.
            let is_reserved = (10..12).contains(&(bit / 8));
            assert!(is_reserved || decode(&changed).is_err(), "bit {bit}");
        }
    }
}
