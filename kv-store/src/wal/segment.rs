//! One file of the log: its name, its header, and the records after it.
//!
//! ```text
//! offset  bytes  field, integers little-endian
//!      0      8  "MURREWAL"
//!      8      2  format version; these first four fields keep their place in every version
//!     10      2  zero
//!     12      4  length of the header, a multiple of 8
//!     16      4  crc32 over bytes 8..16 and 20.. of the header
//!     20      4  number of groups in the checkpoint
//!     24      8  number of the segment, counted from 1
//!     32      8  salt of its records
//!     40      8  length of the segment before, in bytes: what stands there behind it was never acknowledged
//!     48      ?  for each group: id 4, flags 4 (1 purged, 2 committed, 4 vote), then what the flags name:
//!                term 8 and index 8; term 8 and index 8; length 4 and the vote's bytes. Zeros up to a multiple of 8
//! ```
//!
//! The checkpoint is what every group had when the segment began, so that older segments are needed for their entries only.
//! Downgrade rule: a release reads its own version and older ones, and refuses newer ones before it writes anything.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{EntryId, GroupId, WalError, groups::Kept};

const MAGIC: &[u8; 8] = b"MURREWAL";
const VERSION: u16 = 1;
const FIXED_LEN: usize = 48;
const PURGED: u32 = 1;
const COMMITTED: u32 = 2;
const VOTE: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) segment: u64,
    pub(super) salt: u64,
    pub(super) previous_len: u64,
    pub(super) checkpoint: BTreeMap<GroupId, Kept>,
}

/// Names sort as numbers do.
pub(super) fn path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:016x}.wal"))
}

/// Where a segment is made, before it gets its name.
pub(super) fn unfinished_path(folder: &Path) -> PathBuf {
    folder.join("next.new")
}

/// The number in a segment's name; `None` for other files.
pub(super) fn number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".wal")?, 16).ok()
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 10]);
        let num_groups = u32::try_from(self.checkpoint.len()).expect("group ids have 32 bits");
        bytes.extend_from_slice(&num_groups.to_le_bytes());
        bytes.extend_from_slice(&self.segment.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.previous_len.to_le_bytes());
        for (group, kept) in &self.checkpoint {
            let flag = |is: bool, flag| if is { flag } else { 0 };
            let flags = flag(kept.purged.is_some(), PURGED)
                | flag(kept.committed.is_some(), COMMITTED)
                | flag(kept.vote.is_some(), VOTE);
            bytes.extend_from_slice(&group.0.to_le_bytes());
            bytes.extend_from_slice(&flags.to_le_bytes());
            for id in [kept.purged, kept.committed].into_iter().flatten() {
                bytes.extend_from_slice(&id.term.to_le_bytes());
                bytes.extend_from_slice(&id.index.to_le_bytes());
            }
            if let Some(vote) = &kept.vote {
                let len = u32::try_from(vote.len()).expect("a vote is a few bytes");
                bytes.extend_from_slice(&len.to_le_bytes());
                bytes.extend_from_slice(vote);
            }
        }
        bytes.resize(bytes.len().next_multiple_of(super::record::ALIGNMENT), 0);
        let len = u32::try_from(bytes.len()).expect("a checkpoint is small");
        bytes[12..16].copy_from_slice(&len.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header and its length.
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<(Self, u64), WalError> {
        let damaged = |detail: &str| WalError::Damaged {
            path: path.into(),
            offset: 0,
            detail: detail.into(),
        };
        let fixed = bytes
            .first_chunk::<FIXED_LEN>()
            .ok_or_else(|| damaged("the file is shorter than a header"))?;
        if fixed[..8] != *MAGIC {
            return Err(damaged("the file does not begin like a log segment"));
        }
        let u32_at =
            |at: usize| u32::from_le_bytes(fixed[at..at + 4].try_into().expect("four bytes"));
        let u64_at =
            |at: usize| u64::from_le_bytes(fixed[at..at + 8].try_into().expect("eight bytes"));
        let len = u32_at(12);
        let header = bytes
            .get(..len as usize)
            .filter(|header| header.len() >= FIXED_LEN)
            .ok_or_else(|| damaged("the header has an impossible length"))?;
        if checksum(header) != u32_at(16) {
            return Err(damaged("the header has a wrong checksum"));
        }
        let found = u16::from_le_bytes([fixed[8], fixed[9]]);
        if found != VERSION {
            return Err(WalError::Version {
                path: path.into(),
                found,
                supported: VERSION,
            });
        }
        let checkpoint = checkpoint(&header[FIXED_LEN..], u32_at(20))
            .ok_or_else(|| damaged("the checkpoint does not fit the header"))?;
        let header = Self {
            segment: u64_at(24),
            salt: u64_at(32),
            previous_len: u64_at(40),
            checkpoint,
        };
        Ok((header, u64::from(len)))
    }
}

fn checkpoint(mut bytes: &[u8], num_groups: u32) -> Option<BTreeMap<GroupId, Kept>> {
    let mut groups = BTreeMap::new();
    for _ in 0..num_groups {
        let group = GroupId(u32::from_le_bytes(*take(&mut bytes)?));
        let flags = u32::from_le_bytes(*take(&mut bytes)?);
        let mut id = |flag| {
            if flags & flag == 0 {
                return Some(None);
            }
            let term = u64::from_le_bytes(*take(&mut bytes)?);
            let index = u64::from_le_bytes(*take(&mut bytes)?);
            Some(Some(EntryId { term, index }))
        };
        let (purged, committed) = (id(PURGED)?, id(COMMITTED)?);
        let vote = if flags & VOTE == 0 {
            None
        } else {
            let len = u32::from_le_bytes(*take(&mut bytes)?) as usize;
            let (vote, rest) = bytes.split_at_checked(len)?;
            bytes = rest;
            Some(vote.to_vec())
        };
        groups.insert(
            group,
            Kept {
                purged,
                committed,
                vote,
            },
        );
    }
    Some(groups)
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

fn checksum(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..16]);
    hasher.update(&header[20..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let id = |term, index| Some(EntryId { term, index });
        let full = Kept {
            purged: id(1, 2),
            committed: id(3, 4),
            vote: Some(b"vote!".to_vec()),
        };
        Header {
            segment: 5,
            salt: 6,
            previous_len: 7,
            checkpoint: [(GroupId(1), Kept::default()), (GroupId(2), full)].into(),
        }
    }

    #[test]
    fn a_header_reads_back_and_any_changed_bit_is_noticed() {
        let bytes = header().encode();
        let path = Path::new("a.wal");
        assert_eq!(
            Header::decode(&bytes, path).unwrap(),
            (header(), bytes.len() as u64)
        );
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(
                    Header::decode(&changed, path),
                    Err(WalError::Damaged { offset: 0, .. })
                ),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_later_version_is_refused_by_number() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let crc = checksum(&bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(
            Header::decode(&bytes, Path::new("a.wal")),
            Err(WalError::Version {
                found: 2,
                supported: 1,
                ..
            })
        ));
    }
}
