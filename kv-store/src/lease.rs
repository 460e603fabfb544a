//! Leases: readers who need a version for longer than versions are kept.
//!
//! A lease is a key, so it is replicated and survives the leader. Raising the watermark stops below every lease that stands
//! in the log before it; one that came too late is told so by its first read.
//! The member that leads removes a lease that was not renewed in its time, by its own clock and counted from when it saw the
//! last renewal: a new leader gives all of them their time anew.
//!
//! ```text
//! /internal/leases/<id>    format 1, version 12, milliseconds to live 8, renewals 8; integers little-endian
//! ```

use std::time::Duration;

use crate::{
    EngineError, KvError, Version,
    engine::{Direction, Reader},
    mvcc::read::{self, Row},
    transaction::{Store, new_id},
    txn::{CommitRequest, KeyRange, Mutation},
    version::VERSION_LEN,
};

const PREFIX: &[u8] = b"/internal/leases/";
/// The byte behind the slash.
const PREFIX_END: &[u8] = b"/internal/leases0";
const FORMAT: u8 = 1;

/// Holds a version, and all newer ones, until it is released or not renewed in time. Dropping it does nothing: it then ends
/// by itself.
#[derive(Debug)]
pub struct Lease<S> {
    store: S,
    key: Vec<u8>,
    held: Held,
}

/// What stands in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) at: Version,
    pub(crate) time_to_live: Duration,
    pub(crate) renewals: u64,
}

impl Held {
    fn encode(&self) -> Vec<u8> {
        let millis = u64::try_from(self.time_to_live.as_millis()).unwrap_or(u64::MAX);
        let mut bytes = vec![FORMAT];
        bytes.extend(self.at.to_bytes());
        bytes.extend(millis.to_le_bytes());
        bytes.extend(self.renewals.to_le_bytes());
        bytes
    }

    /// `None` for what is no lease: anybody with the right may write such a key.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[FORMAT])?;
        let (at, rest) = rest.split_first_chunk::<VERSION_LEN>()?;
        let (millis, renewals) = rest.split_first_chunk::<8>()?;
        Some(Self {
            at: Version::from_bytes(*at),
            time_to_live: Duration::from_millis(u64::from_le_bytes(*millis)),
            renewals: u64::from_le_bytes(renewals.try_into().ok()?),
        })
    }
}

impl<S: Store> Lease<S> {
    /// Holds the newest version. The caller must be allowed to write `/internal`.
    pub async fn take(store: &S, time_to_live: Duration) -> Result<Self, KvError> {
        let mut key = PREFIX.to_vec();
        key.extend(
            new_id()
                .0
                .iter()
                .flat_map(|byte| format!("{byte:02x}").into_bytes()),
        );
        let held = Held {
            at: store.begin().await?,
            time_to_live,
            renewals: 0,
        };
        let lease = Self {
            store: store.clone(),
            key,
            held,
        };
        lease.write(lease.held, held.at).await?;
        // The watermark may have passed it before it was written.
        lease.store.get(&lease.key, held.at).await?;
        Ok(lease)
    }

    /// Reads at this version are answered while the lease lasts.
    pub fn version(&self) -> Version {
        self.held.at
    }

    /// From now on it lasts its time again. [`KvError::Compacted`] when it had ended.
    pub async fn renew(&mut self) -> Result<(), KvError> {
        let now = self.store.begin().await?;
        let found = self.store.get(&self.key, now).await?;
        if found != Some(self.held.encode()) {
            return Err(KvError::Compacted {
                version: self.held.at,
                watermark: now,
            });
        }
        let renewed = Held {
            renewals: self.held.renewals + 1,
            ..self.held
        };
        self.write(renewed, now).await?;
        self.held = renewed;
        Ok(())
    }

    /// Lets go of the version at once.
    pub async fn release(self) -> Result<(), KvError> {
        let clear = Mutation::Clear { key: self.key };
        let request = CommitRequest {
            id: new_id(),
            read_version: Version::MAX,
            reads: Vec::new(),
            mutations: vec![clear],
        };
        self.store.commit(request).await.map(drop)
    }

    async fn write(&self, held: Held, read_version: Version) -> Result<(), KvError> {
        let request = CommitRequest {
            id: new_id(),
            read_version,
            reads: vec![KeyRange::point(self.key.clone())],
            mutations: vec![Mutation::Set {
                key: self.key.clone(),
                value: held.encode(),
            }],
        };
        self.store.commit(request).await.map(drop)
    }
}

/// All leases in a state, with their keys.
pub(crate) fn all(reader: &dyn Reader) -> Result<Vec<(Vec<u8>, Held)>, EngineError> {
    let rows = read::rows(reader, PREFIX..PREFIX_END, Version::MAX, Direction::Forward);
    let held = |row: Result<Row, EngineError>| match row {
        Ok(row) => Held::decode(&row.value).map(|held| Ok((row.key, held))),
        Err(error) => Some(Err(error)),
    };
    rows.filter_map(held).collect()
}

/// The oldest version that somebody holds; [`Version::MAX`] when nobody holds any.
pub(crate) fn oldest(reader: &dyn Reader) -> Result<Version, EngineError> {
    let held = all(reader)?.into_iter().map(|(_, held)| held.at);
    Ok(held.min().unwrap_or(Version::MAX))
}

/// Takes away a lease that is still as `held` says at `read_version`.
pub(crate) fn removal(key: Vec<u8>, read_version: Version) -> CommitRequest {
    CommitRequest {
        id: new_id(),
        read_version,
        reads: vec![KeyRange::point(key.clone())],
        mutations: vec![Mutation::Clear { key }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_reads_back_and_no_cut_is_one() {
        let held = Held {
            at: Version {
                epoch: 1,
                index: 2,
                position: 3,
            },
            time_to_live: Duration::from_secs(30),
            renewals: 4,
        };
        let bytes = held.encode();
        assert_eq!(Held::decode(&bytes), Some(held));
        assert!((0..bytes.len()).all(|len| Held::decode(&bytes[..len]).is_none()));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "010001000000000000000200033075000000000000\
             0400000000000000"
        );
    }
}
