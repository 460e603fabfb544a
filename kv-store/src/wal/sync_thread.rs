//! The log shared by all groups of a node, with one thread for its fsyncs.
//!
//! While an fsync runs, appends go on and gather; the next fsync answers all of them.

use std::{
    fmt,
    ops::Range,
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use parking_lot::{Condvar, Mutex};

use super::{Entry, EntryId, GroupId, GroupState, Log, LogOptions, WalError, log::Located};
use crate::disk::Disk;

type OnDurable = Box<dyn FnOnce(Result<(), WalError>) + Send>;

/// Handle of an open log; dropping it waits for the last fsync and closes the log.
#[derive(Debug)]
pub struct Wal {
    shared: Arc<Shared>,
    /// `None` only while dropping.
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    log: Log,
    /// Whoever waits for the next fsync to begin. Appends add, the thread takes all.
    waiting: Vec<OnDurable>,
    /// Set once, when the handle is dropped.
    stop: bool,
    /// Fsyncs begun since the log was opened.
    num_syncs: u64,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("log", &self.log)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl Wal {
    /// Like [`Log::open`], and starts the thread.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: LogOptions) -> Result<Self, WalError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                log: Log::open(disk, folder, options)?,
                waiting: Vec::new(),
                stop: false,
                num_syncs: 0,
            }),
            work: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("wal-sync".into())
            .spawn(move || sync_until_stopped(&for_thread))
            .map_err(|e| WalError::io("start a thread for", folder, e))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub fn state(&self, group: GroupId) -> GroupState {
        self.shared.state.lock().log.state(group)
    }

    /// Adds entries; they are readable at return. `on_durable` is called on the log's thread once an fsync covered them,
    /// or failed; never when this returns an error, and then none of them is added.
    pub fn append(
        &self,
        group: GroupId,
        entries: &[Entry],
        on_durable: impl FnOnce(Result<(), WalError>) + Send + 'static,
    ) -> Result<(), WalError> {
        let mut state = self.shared.state.lock();
        state.log.append(group, entries)?;
        self.wait_for_sync(&mut state, Box::new(on_durable));
        Ok(())
    }

    /// Returns when the vote is durable. Blocks.
    pub fn save_vote(&self, group: GroupId, vote: &[u8]) -> Result<(), WalError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        {
            let mut state = self.shared.state.lock();
            state.log.save_vote(group, vote)?;
            let send = move |result| drop(sender.send(result));
            self.wait_for_sync(&mut state, Box::new(send));
        }
        receiver.recv().unwrap_or(Err(WalError::Poisoned))
    }

    /// Durable with the next fsync; nobody waits for it.
    pub fn save_committed(&self, group: GroupId, upto: EntryId) -> Result<(), WalError> {
        self.shared.state.lock().log.save_committed(group, upto)
    }

    /// Forgets entries from index `from` on. Entries appended next become durable together with this.
    pub fn truncate(&self, group: GroupId, from: u64) -> Result<(), WalError> {
        self.shared.state.lock().log.truncate(group, from)
    }

    /// Forgets entries up to `upto`. Files go once an fsync covered this.
    pub fn purge(&self, group: GroupId, upto: EntryId) -> Result<(), WalError> {
        let mut state = self.shared.state.lock();
        state.log.purge(group, upto)?;
        self.wait_for_sync(&mut state, Box::new(drop));
        Ok(())
    }

    /// Indexes of the entries that are there; empty behind the last purged one when there are none.
    pub fn indexes(&self, group: GroupId) -> Range<u64> {
        self.shared.state.lock().log.indexes(group)
    }

    /// See [`Log::first_within`].
    pub fn first_within(&self, group: GroupId, bytes_max: u64) -> u64 {
        self.shared.state.lock().log.first_within(group, bytes_max)
    }

    /// Like [`Log::read`], and appends go on meanwhile.
    pub fn read(&self, group: GroupId, indexes: Range<u64>) -> Result<Vec<Entry>, WalError> {
        let located = self.shared.state.lock().log.locate(group, indexes)?;
        located.iter().map(Located::read).collect()
    }

    /// Fsyncs begun since the log was opened.
    pub fn num_syncs(&self) -> u64 {
        self.shared.state.lock().num_syncs
    }

    fn wait_for_sync(&self, state: &mut State, on_durable: OnDurable) {
        state.waiting.push(on_durable);
        self.shared.work.notify_one();
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.shared.state.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nobody to tell.
            drop(thread.join());
        }
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            // What was acknowledged is durable already; only its witness would be missing.
            drop(shared.state.get_mut().log.vouch());
        }
    }
}

fn sync_until_stopped(shared: &Shared) {
    let mut state = shared.state.lock();
    loop {
        if state.waiting.is_empty() {
            if state.stop {
                return;
            }
            shared.work.wait(&mut state);
            continue;
        }
        let waiting = std::mem::take(&mut state.waiting);
        let result = match state.log.begin_sync() {
            Ok(pending) => {
                state.num_syncs += 1;
                drop(state);
                let result = pending.run();
                state = shared.state.lock();
                state.log.finish_sync(&pending, result)
            }
            Err(error) => Err(error),
        };
        drop(state);
        for on_durable in waiting {
            on_durable(result.clone());
        }
        state = shared.state.lock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sim::{Fault, SimDisk},
        wal::log::PendingSync,
    };

    const GROUP: GroupId = GroupId(1);

    fn entry(index: u64, len: usize) -> Entry {
        Entry {
            id: EntryId { term: 1, index },
            payload: vec![0; len].into(),
        }
    }

    /// A log whose first entry is being synced.
    fn begun(disk: &SimDisk) -> (Log, PendingSync) {
        let options = LogOptions {
            segment_bytes_max: 64 * 1024,
            salt: 1,
        };
        let mut log = Log::open(Arc::new(disk.clone()), Path::new("/wal"), options).unwrap();
        log.append(GROUP, &[entry(1, 1000)]).unwrap();
        let begun = log.begin_sync().unwrap();
        (log, begun)
    }

    /// What a write does to the log while the thread's fsync is under way.
    fn check(write: impl FnOnce(&SimDisk, &mut Log)) {
        let disk = SimDisk::default();
        let (mut log, begun) = begun(&disk);
        write(&disk, &mut log);
        // The disk has told of its failure already, and says yes from now on.
        let synced = begun.run();
        assert!(log.finish_sync(&begun, synced).is_err());
        let later = log.append(GROUP, &[entry(2, 10)]);
        assert!(matches!(later, Err(WalError::Poisoned)), "{later:?}");
    }

    #[test]
    fn an_fsync_that_was_under_way_when_another_one_failed_acknowledges_nothing() {
        // The file is done, and must be durable before the next one begins.
        check(|disk, log| {
            disk.fail_next(Fault::Sync);
            log.append(GROUP, &[entry(2, 64 * 1024)]).unwrap_err();
        });
        // A write is taken back.
        check(|disk, log| {
            disk.fail_next(Fault::Write);
            disk.fail_next(Fault::Sync);
            log.append(GROUP, &[entry(2, 10)]).unwrap_err();
        });
        // Nothing of this file, but the log does not know any more what is on disk.
        check(|disk, log| {
            disk.fail_next(Fault::Write);
            disk.fail_next(Fault::SetLen);
            log.append(GROUP, &[entry(2, 10)]).unwrap_err();
        });
    }

    #[test]
    fn an_fsync_after_one_that_failed_fails_too() {
        let disk = SimDisk::default();
        let (mut log, begun) = begun(&disk);
        disk.fail_next(Fault::Sync);
        let failed = begun.run();
        // Before the thread could say so, the next segment would begin.
        log.append(GROUP, &[entry(2, 64 * 1024)]).unwrap_err();
        assert!(log.finish_sync(&begun, failed).is_err());
    }
}
