//! A new member from a backup, or from a snapshot and the log behind it.
//!
//! Their members are of a group that is gone; the new member is a group of its own, which others may join. So the
//! last entry about members is replaced by one that names it alone, and the log begins behind the last entry.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::open::{GROUP, SEGMENT_BYTES_MAX, check_id};
use crate::{
    Version,
    applier::{Applier, ApplyError, record_membership},
    archive::HISTORY_KEY,
    disk::RealDisk,
    engine::{Batch, Engine, EngineError, LsmEngine, folders},
    files,
    mvcc::read,
    node::OpenError,
    raft::alone,
    snapshot::{SnapshotError, SnapshotReader},
    transaction::new_id,
    txn::{Command, Mutation, encode_entry},
    wal::{Entry, EntryId, LogOptions, Wal, WalError},
};

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("cannot use \"{}\"", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It may be a member's already.
    #[error("\"{}\" exists already; restore into a folder that does not", folder.display())]
    Exists { folder: PathBuf },
    #[error("cannot read the backup")]
    Snapshot(#[from] SnapshotError),
    #[error("cannot fill the engine")]
    Engine(#[from] EngineError),
    #[error("cannot apply what came after the snapshot")]
    Apply(#[from] ApplyError),
    #[error("cannot begin the log")]
    Wal(#[from] WalError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("there is nothing to restore")]
    Nothing,
}

/// Makes `folder`, which must not exist, the folder of member `id`. Returns the index of the last entry in the backup.
/// Until it returns without an error the folder is worth nothing.
pub fn restore(backup: &Path, folder: &Path, id: u64, address: &str) -> Result<u64, RestoreError> {
    let file = File::open(backup).map_err(at(backup))?;
    let pairs = SnapshotReader::open(BufReader::new(file))?;
    let last = pairs.last_entry().index;
    Rebuilding::from_snapshot(folder, pairs)?.finish(id, address)?;
    Ok(last)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    move |source| RestoreError::Io {
        path: path.into(),
        source,
    }
}

/// A member's folder with an engine that holds nothing.
fn new_engine(folder: &Path) -> Result<LsmEngine, RestoreError> {
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => RestoreError::Exists {
            folder: folder.into(),
        },
        _ => at(folder)(error),
    })?;
    files::sync_name(folder).map_err(at(folder))?;
    let state = folder.join("state");
    let current = folders::current(&state).map_err(at(&state))?;
    Ok(LsmEngine::open(&current)?.0)
}

/// A state on its way to be a member's. Blocks in all it does.
#[derive(Debug)]
pub(crate) struct Rebuilding {
    folder: PathBuf,
    applier: Applier<LsmEngine>,
}

impl Rebuilding {
    /// From before the first entry.
    pub(crate) fn empty(folder: &Path) -> Result<Self, RestoreError> {
        Self::on(folder, new_engine(folder)?)
    }

    pub(crate) fn from_snapshot<R: Read>(
        folder: &Path,
        mut pairs: SnapshotReader<R>,
    ) -> Result<Self, RestoreError> {
        let engine = new_engine(folder)?;
        engine.ingest(&mut pairs)?;
        Self::on(folder, engine)
    }

    fn on(folder: &Path, engine: LsmEngine) -> Result<Self, RestoreError> {
        Ok(Self {
            folder: folder.into(),
            // Nobody watches.
            applier: Applier::open(engine, None, 0)?,
        })
    }

    /// The next entries.
    pub(crate) fn apply(&mut self, entries: &[Entry]) -> Result<(), RestoreError> {
        // Not all at once: what they change is held in memory until it is written.
        for some in entries.chunks(64) {
            self.applier.apply(some)?;
        }
        Ok(())
    }

    /// 0 before the first entry.
    pub(crate) fn last_index(&self) -> u64 {
        self.applier.last_applied().map_or(0, |id| id.index)
    }

    /// Makes it a member's.
    pub(crate) fn finish(mut self, id: u64, address: &str) -> Result<(), RestoreError> {
        let last = self.applier.last_applied().ok_or(RestoreError::Nothing)?;
        let last = self.leave_archive(last)?;
        let members = BTreeMap::from([(id, address.to_owned())]);
        let mut batch = Batch::default();
        let entry = Entry {
            id: last,
            payload: alone(members).into(),
        };
        record_membership(&mut batch, &entry);
        let engine = self.applier.engine();
        engine.write(&batch)?;
        engine.persist()?;
        let options = LogOptions {
            segment_bytes_max: SEGMENT_BYTES_MAX,
            salt: fastrand::u64(..),
        };
        let wal = Wal::open(Arc::new(RealDisk), &self.folder.join("wal"), options)?;
        wal.save_committed(GROUP, last)?;
        wal.purge(GROUP, last)?;
        // Of the term before the restored one's first election; waits until all of it is on disk.
        wal.save_vote(GROUP, &crate::raft::vote_of(last.term, id))?;
        Ok(check_id(&self.folder, id)?)
    }

    /// The history that goes on from here is another one than the archive's: an entry of its own says so. The last entry then.
    fn leave_archive(&mut self, last: EntryId) -> Result<EntryId, RestoreError> {
        let at = Version::end_of_entry(last.index);
        if read::get(&*self.applier.engine().snapshot(), HISTORY_KEY, at)?.is_none() {
            return Ok(last);
        }
        let id = EntryId {
            term: last.term,
            index: last.index + 1,
        };
        let clear = Command::Commit {
            term: id.term,
            id: new_id(),
            mutations: vec![Mutation::Clear {
                key: HISTORY_KEY.into(),
            }],
        };
        self.apply(&[Entry {
            id,
            payload: encode_entry(&[clear]).into(),
        }])?;
        Ok(id)
    }
}
