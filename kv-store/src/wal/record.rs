//! One record of the log, as bytes.
//!
//! ```text
//! offset  bytes  field, integers little-endian
//!      0      4  crc32 over: the segment's salt, the record's offset in its file, bytes 4.. of the record, padding included
//!      4      4  length of the body
//!      8      1  kind
//!      9      3  zero
//!     12      4  group
//!     16      8  index
//!     24      8  term
//!     32      8  synced: every byte of this file below it was covered by a finished fsync when the record was written
//!     40      ?  body, then zeros up to a multiple of 8
//! ```
//!
//! The salt and the offset make a record valid in one place only: neither bytes of an older file nor a user's value that
//! looks like a record can be taken for one.
//! `synced` is what tells damage from a torn tail: a good record that vouches for a bad place behind it makes that damage.

use super::{EntryId, GroupId};

/// Bytes before the body.
pub(super) const HEADER_LEN: usize = 40;
/// Every record begins at a multiple of this.
pub(super) const ALIGNMENT: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One Raft entry: `id`, and its payload as body.
    Entry,
    /// Entries from `id.index` on are gone.
    Truncate,
    /// Entries up to `id` are gone.
    Purge,
    /// The body is the group's vote.
    Vote,
    /// `id` is known to be committed.
    Committed,
    /// Says nothing but `synced`.
    Mark,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Entry,
            2 => Self::Truncate,
            3 => Self::Purge,
            4 => Self::Vote,
            5 => Self::Committed,
            6 => Self::Mark,
            _ => return None,
        })
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Entry => 1,
            Self::Truncate => 2,
            Self::Purge => 3,
            Self::Vote => 4,
            Self::Committed => 5,
            Self::Mark => 6,
        }
    }
}

/// What a record says, apart from where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    pub(super) group: GroupId,
    pub(super) id: EntryId,
    pub(super) body: &'a [u8],
}

/// Bytes that a record with this body takes.
pub(super) fn encoded_len(body_len: usize) -> usize {
    (HEADER_LEN + body_len).next_multiple_of(ALIGNMENT)
}

/// Adds the record, which is to stand at `offset` of a segment with this salt.
pub(super) fn encode(
    bytes: &mut Vec<u8>,
    record: &Record<'_>,
    salt: u64,
    offset: u64,
    synced: u64,
) {
    let start = bytes.len();
    let body_len = u32::try_from(record.body.len()).expect("a body is far below 4 GiB");
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&body_len.to_le_bytes());
    bytes.extend_from_slice(&[record.kind.to_byte(), 0, 0, 0]);
    bytes.extend_from_slice(&record.group.0.to_le_bytes());
    bytes.extend_from_slice(&record.id.index.to_le_bytes());
    bytes.extend_from_slice(&record.id.term.to_le_bytes());
    bytes.extend_from_slice(&synced.to_le_bytes());
    bytes.extend_from_slice(record.body);
    bytes.resize(start + encoded_len(record.body.len()), 0);
    let crc = checksum(salt, offset, &bytes[start + 4..]);
    bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The record that `rest` begins with and that stands at `offset` of its file, its `synced`, and its length with padding;
/// `None` where there is no good one.
pub(super) fn decode(rest: &[u8], salt: u64, offset: u64) -> Option<(Record<'_>, u64, usize)> {
    let header = rest.first_chunk::<HEADER_LEN>()?;
    let u32_at = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
    let u64_at =
        |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    // What is cheap comes first: a search for good records tries every eighth byte.
    let kind = Kind::from_byte(header[8])?;
    let synced = u64_at(32);
    if header[9..12] != [0; 3] || synced > offset {
        return None;
    }
    let body_len = usize::try_from(u32_at(4)).ok()?;
    let len = encoded_len(body_len);
    let record = rest.get(..len)?;
    if checksum(salt, offset, &record[4..]) != u32_at(0) {
        return None;
    }
    let record = Record {
        kind,
        group: GroupId(u32_at(12)),
        id: EntryId {
            term: u64_at(24),
            index: u64_at(16),
        },
        body: &record[HEADER_LEN..HEADER_LEN + body_len],
    };
    Some((record, synced, len))
}

fn checksum(salt: u64, offset: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: &[u8]) -> Record<'_> {
        Record {
            kind: Kind::Entry,
            group: GroupId(3),
            id: EntryId { term: 7, index: 9 },
            body,
        }
    }

    #[test]
    fn a_record_reads_back_and_any_changed_bit_is_noticed() {
        let mut bytes = Vec::new();
        encode(&mut bytes, &entry(b"hello"), 11, 64, 24);
        assert_eq!(bytes.len(), 48);
        assert_eq!(decode(&bytes, 11, 64), Some((entry(b"hello"), 24, 48)));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&changed, 11, 64), None, "bit {bit}");
        }
    }

    #[test]
    fn a_record_is_good_in_its_own_place_only() {
        let mut bytes = Vec::new();
        encode(&mut bytes, &entry(b""), 11, 64, 0);
        assert_eq!(decode(&bytes, 12, 64), None);
        assert_eq!(decode(&bytes, 11, 72), None);
    }

    #[test]
    fn version_1_is_these_bytes() {
        let mut bytes = Vec::new();
        encode(&mut bytes, &entry(b"hello"), 11, 64, 24);
        let hex = bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        assert_eq!(
            hex[8..],
            *"05000000010000000300000009000000000000000700000000000000180000000000000068656c6c6f000000"
        );
    }
}
