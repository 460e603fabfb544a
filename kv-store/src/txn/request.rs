//! What a client asks to be committed.

use std::fmt;

use crate::{Version, version::VERSION_LEN};

/// All keys sort before this one; it is also the end of ranges that have no other.
pub const KEYS_END: &[u8] = &[0xff];

/// Chosen by the client, one for each attempt to commit, so that nobody else has it; see [`crate::transaction::new_id`].
/// Names the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxnId(pub [u8; 16]);

impl fmt::Debug for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TxnId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Keys with `begin <= key < end`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRange {
    pub begin: Vec<u8>,
    pub end: Vec<u8>,
}

impl KeyRange {
    /// One key.
    pub fn point(key: impl Into<Vec<u8>>) -> Self {
        let begin = key.into();
        let mut end = begin.clone();
        end.push(0);
        Self { begin, end }
    }

    /// The key, when there is only one that it can contain.
    pub fn as_point(&self) -> Option<&[u8]> {
        let begin = self.end.strip_suffix(&[0])?;
        (begin == self.begin).then_some(begin)
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.begin.as_slice() <= key && key < self.end.as_slice()
    }
}

/// A change that depends on the value before it. Numbers are little-endian and unsigned, of the operand's length:
/// the value before is cut or filled up with zeros to it, and counts as zeros where there is none, unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtomicOp {
    /// Wraps around.
    Add,
    /// Without a value before, the operand.
    BitAnd,
    BitOr,
    BitXor,
    /// Without a value before, the operand.
    Min,
    Max,
    /// The value before and then the operand; the value before when that would be longer than a value may be.
    AppendIfFits,
    /// Clears the key when its value is the operand.
    CompareAndClear,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    Set {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Clear {
        key: Vec<u8>,
    },
    ClearRange {
        range: KeyRange,
    },
    Atomic {
        op: AtomicOp,
        key: Vec<u8>,
        operand: Vec<u8>,
    },
    /// Twelve bytes of the key, from `offset` on, become the commit's version.
    SetVersionstampedKey {
        key: Vec<u8>,
        offset: usize,
        value: Vec<u8>,
    },
    /// Twelve bytes of the value, from `offset` on, become the commit's version.
    SetVersionstampedValue {
        key: Vec<u8>,
        value: Vec<u8>,
        offset: usize,
    },
}

impl Mutation {
    /// Of keys and values.
    pub(super) fn num_bytes(&self) -> usize {
        match self {
            Self::Set { key, value }
            | Self::SetVersionstampedKey { key, value, .. }
            | Self::SetVersionstampedValue { key, value, .. } => key.len() + value.len(),
            Self::Clear { key } => key.len(),
            Self::ClearRange { range } => range.begin.len() + range.end.len(),
            Self::Atomic { key, operand, .. } => key.len() + operand.len(),
        }
    }

    /// The key it changes, where that is known before the commit and no other is changed.
    pub fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Set { key, .. }
            | Self::Clear { key }
            | Self::Atomic { key, .. }
            | Self::SetVersionstampedValue { key, .. } => Some(key),
            Self::ClearRange { .. } | Self::SetVersionstampedKey { .. } => None,
        }
    }

    /// The keys it may change. Of a versionstamp that does not fit into its key, which no commit takes, the part that fits.
    pub fn write_range(&self) -> KeyRange {
        match self {
            Self::Set { key, .. }
            | Self::Clear { key }
            | Self::Atomic { key, .. }
            | Self::SetVersionstampedValue { key, .. } => KeyRange::point(key.clone()),
            Self::ClearRange { range } => range.clone(),
            Self::SetVersionstampedKey { key, offset, .. } => {
                let filled = |byte| {
                    let mut filled = key.clone();
                    let stamp = filled.iter_mut().skip(*offset).take(VERSION_LEN);
                    stamp.for_each(|place| *place = byte);
                    filled
                };
                KeyRange {
                    begin: filled(0),
                    end: KeyRange::point(filled(0xff)).end,
                }
            }
        }
    }
}

/// A transaction that wants to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRequest {
    pub id: TxnId,
    /// Everything was read as of this version.
    pub read_version: Version,
    /// Every range whose contents, absent keys included, the transaction depends on.
    pub reads: Vec<KeyRange>,
    /// In the order they happen.
    pub mutations: Vec<Mutation>,
}

impl CommitRequest {
    /// Of the mutations, about what they take in the log.
    pub fn num_bytes(&self) -> usize {
        self.mutations.iter().map(Mutation::num_bytes).sum()
    }
}
