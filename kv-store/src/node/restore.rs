//! A new member from a backup.
//!
//! The backup's members are of a group that is gone; the new member is a group of its own, which others may join. So the
//! last entry about members is replaced by one that names it alone, and the log begins behind the backup's last entry.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader},
    path::Path,
    sync::Arc,
};

use super::open::{GROUP, SEGMENT_BYTES_MAX, check_id};
use crate::{
    applier::record_membership,
    disk::RealDisk,
    engine::{Batch, Engine, EngineError, LsmEngine, folders},
    node::OpenError,
    raft::alone,
    snapshot::{SnapshotError, SnapshotReader},
    wal::{Entry, LogOptions, Wal, WalError},
};

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("cannot use the folder or the backup")]
    Io(#[from] io::Error),
    #[error("cannot read the backup")]
    Snapshot(#[from] SnapshotError),
    #[error("cannot fill the engine")]
    Engine(#[from] EngineError),
    #[error("cannot begin the log")]
    Wal(#[from] WalError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Makes `folder`, which must not exist, the folder of member `id`. Returns the index of the last entry in the backup.
/// Until it returns without an error the folder is worth nothing.
pub fn restore(backup: &Path, folder: &Path, id: u64, address: &str) -> Result<u64, RestoreError> {
    let mut pairs = SnapshotReader::open(BufReader::new(File::open(backup)?))?;
    let last = pairs.last_entry();
    fs::create_dir(folder)?;
    let (engine, _) = LsmEngine::open(&folders::current(&folder.join("state"))?)?;
    engine.ingest(&mut pairs)?;
    let members = BTreeMap::from([(id, address.to_owned())]);
    let mut batch = Batch::default();
    let entry = Entry {
        id: last,
        payload: alone(members),
    };
    record_membership(&mut batch, &entry);
    engine.write(&batch)?;
    engine.persist()?;
    let options = LogOptions {
        segment_bytes_max: SEGMENT_BYTES_MAX,
        salt: fastrand::u64(..),
    };
    let wal = Wal::open(Arc::new(RealDisk), &folder.join("wal"), options)?;
    wal.save_committed(GROUP, last)?;
    wal.purge(GROUP, last)?;
    // Of the term before the restored one's first election; waits until all of it is on disk.
    wal.save_vote(GROUP, &crate::raft::vote_of(last.term, id))?;
    check_id(folder, id)?;
    Ok(last.index)
}
