//! From a stream to pairs.

use std::{
    io::{self, Read},
    vec::IntoIter,
};

use super::{BLOCK_BYTES_MAX, BODY_LEN, MAGIC, SPACES, SnapshotError, VERSION};
use crate::{
    engine::{Pair, Space},
    wal::EntryId,
};

/// Pairs of a snapshot in order, each with its space. Complete only when the iterator ends without an error.
#[derive(Debug)]
pub struct SnapshotReader<R> {
    from: R,
    last: EntryId,
    /// Of the block being handed out.
    pairs: IntoIter<(Space, Pair)>,
    num_pairs: u64,
    is_done: bool,
}

fn damaged(detail: &'static str) -> SnapshotError {
    SnapshotError::Damaged { detail }
}

impl<R: Read> SnapshotReader<R> {
    /// Reads the header.
    pub fn open(mut from: R) -> Result<Self, SnapshotError> {
        let fixed: [u8; 20] = array(&mut from)?;
        if fixed[..8] != *MAGIC {
            return Err(damaged("it does not begin like one"));
        }
        let found = u16::from_le_bytes([fixed[8], fixed[9]]);
        if found != VERSION {
            return Err(SnapshotError::Version { found });
        }
        let body: [u8; BODY_LEN] = array(&mut from)?;
        if u32_at(&fixed, 12) as usize != BODY_LEN || crc32fast::hash(&body) != u32_at(&fixed, 16) {
            return Err(damaged("its header has a wrong checksum"));
        }
        let (term, index) = body.split_at(8);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        Ok(Self {
            from,
            last: EntryId {
                term: number(term),
                index: number(index),
            },
            pairs: Vec::new().into_iter(),
            num_pairs: 0,
            is_done: false,
        })
    }

    /// The last entry in the state.
    pub fn last_entry(&self) -> EntryId {
        self.last
    }

    /// The next block's pairs; `None` at the end, which vouches for all of them.
    fn next_block(&mut self) -> Result<Option<Vec<(Space, Pair)>>, SnapshotError> {
        let frame: [u8; 8] = array(&mut self.from)?;
        let (len, crc) = (u32_at(&frame, 0) as usize, u32_at(&frame, 4));
        if len == 0 {
            let number: [u8; 8] = array(&mut self.from)?;
            if crc32fast::hash(&number) != crc || u64::from_le_bytes(number) != self.num_pairs {
                return Err(damaged("it does not end as it should"));
            }
            return Ok(None);
        }
        if len > BLOCK_BYTES_MAX {
            return Err(damaged("a block is too long"));
        }
        let mut stored = vec![0; len];
        self.from.read_exact(&mut stored).map_err(cut)?;
        if crc32fast::hash(&stored) != crc {
            return Err(damaged("a block has a wrong checksum"));
        }
        let block = zstd::bulk::decompress(&stored, BLOCK_BYTES_MAX)
            .map_err(|_| damaged("a block cannot be decompressed"))?;
        let pairs =
            split(&block).ok_or_else(|| damaged("a block holds something else than pairs"))?;
        self.num_pairs += pairs.len() as u64;
        Ok(Some(pairs))
    }

    fn next_pair(&mut self) -> Result<Option<(Space, Pair)>, SnapshotError> {
        loop {
            if let Some(pair) = self.pairs.next() {
                return Ok(Some(pair));
            }
            match self.next_block()? {
                Some(pairs) => self.pairs = pairs.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

impl<R: Read> Iterator for SnapshotReader<R> {
    type Item = Result<(Space, Pair), SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let pair = self.next_pair().transpose();
        self.is_done = !matches!(pair, Some(Ok(_)));
        pair
    }
}

fn array<const N: usize>(from: &mut impl Read) -> Result<[u8; N], SnapshotError> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(cut)?;
    Ok(bytes)
}

fn cut(source: io::Error) -> SnapshotError {
    if source.kind() == io::ErrorKind::UnexpectedEof {
        return damaged("it is cut off");
    }
    SnapshotError::Io {
        action: "read",
        source,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// `None` when the bytes are no pairs.
fn split(mut block: &[u8]) -> Option<Vec<(Space, Pair)>> {
    let mut pairs = Vec::new();
    while let Some((space, rest)) = block.split_first() {
        let space = SPACES.into_iter().find(|known| *known as u8 == *space)?;
        block = rest;
        let key = take(&mut block)?;
        pairs.push((space, (key, take(&mut block)?)));
    }
    Some(pairs)
}

fn take(block: &mut &[u8]) -> Option<Vec<u8>> {
    let (len, rest) = block.split_first_chunk()?;
    let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *block = rest;
    Some(taken.to_vec())
}
