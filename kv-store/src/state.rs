//! The replicated state of this node: the engine, who writes to it, and who reads from it.
//!
//! Entries are applied one batch after another under a lock; reads go to the engine without it.
//!
//! Invariant: `applied` says `v` only when a snapshot of the engine, taken afterwards, has everything up to `v`.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::{
    EngineError, Version,
    applier::{AppliedEntry, Applier, ApplyError, membership},
    engine::{Engine, LsmEngine, Pair, Reader, Repair, Space, folders},
    mvcc::changes::Change,
    snapshot::{SnapshotData, SnapshotError, SnapshotReader, all_pairs},
    txn::{Command, FeedError, KeyRange, last_applied, older_changes},
    wal::{Entry, EntryId},
};

/// Changes kept in memory for watches, in bytes: some seconds under full load. A watcher that is farther behind reads them
/// from the engine.
const FEED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Changes that a watcher is told at once, in bytes; those of one version may be more.
const CHANGES_BYTES_MAX: usize = 8 * 1024 * 1024;

#[derive(Debug, Clone, thiserror::Error)]
pub enum StateError {
    #[error("cannot open the state in \"{}\"", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("cannot use the storage engine")]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("cannot install a snapshot")]
    Snapshot(#[source] Arc<SnapshotError>),
}

/// What a state is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The last entry in it.
    pub last: Option<EntryId>,
    /// The last entry about members, and its bytes.
    pub membership: Option<(EntryId, Vec<u8>)>,
}

impl Applied {
    fn of(reader: &dyn Reader) -> Result<Self, EngineError> {
        Ok(Self {
            last: last_applied(reader)?,
            membership: membership(reader)?,
        })
    }

    /// Everything up to the last entry.
    pub fn version(&self) -> Version {
        Version::end_of_entry(self.last.map_or(0, |id| id.index))
    }
}

fn failed(error: SnapshotError) -> StateError {
    StateError::Snapshot(Arc::new(error))
}

fn install_failed(source: io::Error) -> StateError {
    failed(SnapshotError::Io {
        action: "install",
        source,
    })
}

#[derive(Debug)]
pub struct State {
    /// Holds the engine's folders; see [`folders`].
    folder: PathBuf,
    applier: Mutex<Applier<LsmEngine>>,
    /// The applier's engine. Replaced when a snapshot is installed; reads that began before go on in the old one, whose
    /// folder goes behind the last of them.
    engine: RwLock<LsmEngine>,
    /// Engines that were replaced.
    left: Mutex<folders::Left>,
    applied: watch::Sender<Version>,
    /// The applier's. Raised before a compaction may go by it: who takes a view of the engine and then looks here misses
    /// nothing at or above it.
    watermark: RwLock<Version>,
    /// Index of the last entry with a commit; of an older state's last entry, when there was none since it was opened.
    written: AtomicU64,
}

impl State {
    /// Opens the state in `folder`, which the log is purged up to `purged` for. A torn journal is repaired, and said so.
    pub fn open(
        folder: PathBuf,
        purged: Option<EntryId>,
    ) -> Result<(Self, Option<Repair>), StateError> {
        let current = folders::current(&folder).map_err(|source| StateError::Folder {
            folder: folder.clone(),
            source: Arc::new(source),
        })?;
        let (engine, repair) = LsmEngine::open(&current)?;
        let applier = Applier::open(engine.clone(), purged, FEED_BYTES_MAX)?;
        let applied = Version::end_of_entry(applier.last_applied().map_or(0, |id| id.index));
        let state = Self {
            folder,
            watermark: RwLock::new(applier.watermark()),
            applier: Mutex::new(applier),
            engine: RwLock::new(engine),
            left: Mutex::default(),
            applied: watch::Sender::new(applied),
            written: AtomicU64::new(applied.index),
        };
        Ok((state, repair))
    }

    pub fn applied_state(&self) -> Result<Applied, StateError> {
        Ok(Applied::of(&*self.reader())?)
    }

    /// Applies committed entries, the next ones in order.
    pub fn apply(&self, entries: &[Entry]) -> Result<Vec<AppliedEntry>, StateError> {
        let mut applier = self.applier.lock();
        let done = applier.apply(entries)?;
        *self.watermark.write() = applier.watermark();
        let is_commit = |command: &Command| matches!(command, Command::Commit { .. });
        let wrote = done
            .iter()
            .rfind(|entry| entry.commands.iter().any(is_commit));
        if let Some(entry) = wrote {
            self.written.store(entry.id.index, Ordering::Relaxed);
        }
        if let Some(last) = done.last() {
            self.applied
                .send_replace(Version::end_of_entry(last.id.index));
        }
        Ok(done)
    }

    /// Everything that was applied before the call survives a power loss once this returns. Blocks for an fsync.
    pub fn persist(&self) -> Result<(), StateError> {
        let (engine, point) = {
            let applier = self.applier.lock();
            (applier.engine().clone(), applier.persist_point())
        };
        engine.persist()?;
        let mut applier = self.applier.lock();
        applier.persisted(point);
        applier.collect()?;
        drop(applier);
        // Here as well, because who read from it may have been slower than the installation.
        self.left.lock().remove_unused();
        Ok(())
    }

    /// See [`LsmEngine::write_back`]. Blocks.
    pub fn write_back(&self) -> Result<(), StateError> {
        let engine = self.engine.read().clone();
        Ok(engine.write_back()?)
    }

    /// See [`LsmEngine::let_go`]. Blocks.
    pub fn let_go(&self) {
        let engine = self.engine.read().clone();
        engine.let_go();
    }

    /// Makes the next opening quick. Nothing is applied any more. Blocks.
    pub fn settle(&self) -> Result<(), StateError> {
        // Whoever applies comes before or is refused.
        let applier = self.applier.lock();
        Ok(applier.engine().settle()?)
    }

    /// As of now, and not changing any more.
    pub fn frozen(&self) -> Result<(Applied, Box<dyn Reader + Send>), StateError> {
        let reader = self.reader();
        Ok((Applied::of(&*reader)?, reader))
    }

    /// Replaces the state. A crash on the way leaves the old one or the new one. Blocks.
    pub fn install(&self, snapshot: SnapshotData) -> Result<(), StateError> {
        match snapshot {
            SnapshotData::Live { applied, reader } => match applied.last {
                Some(last) => self.replace(last, all_pairs(&*reader)),
                None => Ok(()),
            },
            SnapshotData::File(path) => {
                let file = File::open(&path).map_err(install_failed)?;
                let pairs = SnapshotReader::open(io::BufReader::new(file)).map_err(failed)?;
                self.replace(pairs.last_entry(), pairs)?;
                std::fs::remove_file(&path).map_err(install_failed)
            }
        }
    }

    fn replace(
        &self,
        last: EntryId,
        pairs: impl Iterator<Item = Result<(Space, Pair), SnapshotError>>,
    ) -> Result<(), StateError> {
        let mut applier = self.applier.lock();
        let fresh = folders::fresh(&self.folder).map_err(install_failed)?;
        let (engine, _) = LsmEngine::open(&fresh)?;
        engine.ingest(pairs).map_err(failed)?;
        engine.persist()?;
        let installed = Applier::open(engine.clone(), Some(last), FEED_BYTES_MAX)?;
        folders::switch(&self.folder, &fresh).map_err(install_failed)?;
        *self.watermark.write() = installed.watermark();
        let before = std::mem::replace(&mut *applier, installed);
        *self.engine.write() = engine;
        {
            let mut left = self.left.lock();
            left.add(before.engine());
            // Closes it, when nobody reads from it.
            drop(before);
            left.remove_unused();
        }
        self.applied.send_replace(Version::end_of_entry(last.index));
        self.written.store(last.index, Ordering::Relaxed);
        Ok(())
    }

    /// Everything up to [`State::applied`] at the time of the call, at least.
    pub fn reader(&self) -> Box<dyn Reader + Send> {
        self.engine.read().snapshot()
    }

    /// The last version that is applied.
    pub fn applied(&self) -> Version {
        *self.applied.borrow()
    }

    /// To wait for versions.
    pub fn watch_applied(&self) -> watch::Receiver<Version> {
        self.applied.subscribe()
    }

    /// Reads below it are refused.
    pub fn watermark(&self) -> Version {
        *self.watermark.read()
    }

    /// Whether a higher watermark would let anything go.
    pub fn is_written_after_watermark(&self) -> bool {
        self.written.load(Ordering::Relaxed) > self.watermark().index
    }

    /// See [`crate::txn::Feed::since`]. `None` when the answer takes a while: [`State::changes`] has it.
    pub fn recent_changes(
        &self,
        range: &KeyRange,
        after: Version,
    ) -> Option<Result<(Vec<Change>, Version), FeedError>> {
        // Whoever installs a snapshot holds it for long.
        recent(&*self.applier.try_lock()?, range, after).transpose()
    }

    /// See [`crate::txn::Feed::since`]. Blocks, and holds nobody else up: what is older than the feed is read without the
    /// lock.
    pub fn changes(
        &self,
        range: &KeyRange,
        after: Version,
    ) -> Result<(Vec<Change>, Version), FeedError> {
        let (reader, applied) = {
            let applier = self.applier.lock();
            if let Some(found) = recent(&applier, range, after)? {
                return Ok(found);
            }
            (applier.engine().snapshot(), applier.feed().applied())
        };
        older_changes(&*reader, range, after, applied, CHANGES_BYTES_MAX)
    }
}

fn recent(
    applier: &Applier<LsmEngine>,
    range: &KeyRange,
    after: Version,
) -> Result<Option<(Vec<Change>, Version)>, FeedError> {
    let feed = applier.feed();
    feed.recent(applier.watermark(), range, after, CHANGES_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Direction,
        transaction::new_id,
        txn::{Mutation, encode_entry},
    };

    fn open(folder: PathBuf) -> State {
        State::open(folder, None).unwrap().0
    }

    /// The next entry sets the one key to its index.
    fn set_next(state: &State) {
        let index = state.applied().index + 1;
        let commit = Command::Commit {
            term: 1,
            id: new_id(),
            mutations: vec![Mutation::Set {
                key: b"k".to_vec(),
                value: index.to_be_bytes().to_vec(),
            }],
        };
        let entry = Entry {
            id: EntryId { term: 1, index },
            payload: encode_entry(&[commit]).into(),
        };
        state.apply(&[entry]).unwrap();
    }

    #[test]
    fn a_state_that_was_replaced_is_there_until_its_last_reader_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (
            open(folder.path().join("from")),
            open(folder.path().join("to")),
        );
        let folders = || {
            let entries = std::fs::read_dir(folder.path().join("to")).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| name != "CURRENT").collect();
            names.sort_unstable();
            names
        };
        let install = || {
            set_next(&from);
            let (applied, reader) = from.frozen().unwrap();
            let snapshot = SnapshotData::Live { applied, reader };
            to.install(snapshot).unwrap();
        };
        set_next(&to);
        let old = to.reader();
        install();
        assert_eq!(folders(), ["1", "2"]);
        install();
        install();
        assert_eq!(folders(), ["1", "4"]);
        to.persist().unwrap();
        let pairs = old.scan(Space::Data, &[]..&[0xff], Direction::Forward);
        assert_eq!(pairs.map(Result::unwrap).count(), 1);
        drop(old);
        to.persist().unwrap();
        assert_eq!(folders(), ["4"]);
        let pairs = to.reader();
        let pairs = pairs.scan(Space::Data, &[]..&[0xff], Direction::Forward);
        assert_eq!(pairs.map(Result::unwrap).count(), 3);
    }
}
