//! When something was committed.

use std::fmt;

/// Bytes of an encoded version.
pub const VERSION_LEN: usize = 12;

/// Total order of commits, and a point to read at: a read at `v` sees the commits at or below `v`.
///
/// With one group, `index` is the Raft index of the commit's entry and `position` its place in it.
/// `epoch` is 0 then; it lets versions jump past all of them when something else than an index hands them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    pub epoch: u16,
    pub index: u64,
    pub position: u16,
}

impl Version {
    /// Before every commit.
    pub const MIN: Self = Self {
        epoch: 0,
        index: 0,
        position: 0,
    };
    /// At or after every commit.
    pub const MAX: Self = Self {
        epoch: u16::MAX,
        index: u64::MAX,
        position: u16::MAX,
    };

    /// Everything up to and with this entry of the one group.
    pub fn end_of_entry(index: u64) -> Self {
        Self {
            epoch: 0,
            index,
            position: u16::MAX,
        }
    }

    /// Big-endian, so that bytes sort as versions do. Also what a versionstamp is replaced with.
    pub fn to_bytes(self) -> [u8; VERSION_LEN] {
        let mut bytes = [0; VERSION_LEN];
        bytes[..2].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[2..10].copy_from_slice(&self.index.to_be_bytes());
        bytes[10..].copy_from_slice(&self.position.to_be_bytes());
        bytes
    }

    pub fn from_bytes(bytes: [u8; VERSION_LEN]) -> Self {
        let [e0, e1, index @ .., p0, p1] = bytes;
        Self {
            epoch: u16::from_be_bytes([e0, e1]),
            index: u64::from_be_bytes(index),
            position: u16::from_be_bytes([p0, p1]),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.epoch, self.index, self.position)
    }
}
