//! Raft's log in the node's write-ahead log.
//!
//! The newest entries are kept in memory as well: they are read again at once, to be sent and to be applied.

use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, Range, RangeBounds},
    sync::Arc,
    time::Instant,
};

use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use parking_lot::Mutex;

use super::types::{
    LogId, RaftEntry, TypeConfig, Vote, decode_vote, encode_vote, entry_id, from_log, log_id,
    to_log,
};
use crate::{
    metrics::{Step, Steps},
    wal::{GroupId, Wal, WalError},
};

/// Of the newest entries, in memory, in bytes.
const RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Entries handed to a follower at once, in bytes: a message then stays far below what a peer accepts.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One group's part of the log. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LogStore {
    wal: Arc<Wal>,
    group: GroupId,
    recent: Arc<Mutex<Recent>>,
    steps: Steps,
}

/// The last entries of the log without a gap; may be empty.
#[derive(Debug, Default)]
struct Recent {
    entries: VecDeque<RaftEntry>,
    bytes: usize,
}

impl Recent {
    fn push(&mut self, entry: RaftEntry) {
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.bytes > RECENT_BYTES_MAX
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= size(&oldest);
        }
    }

    /// Forgets entries that openraft numbers `from` and higher.
    fn truncate(&mut self, from: u64) {
        while let Some(last) = self.entries.pop_back_if(|last| last.log_id.index >= from) {
            self.bytes -= size(&last);
        }
    }

    /// Those of `range`, or `None` when it begins before the first.
    fn get(&self, range: &Range<u64>) -> Option<Vec<RaftEntry>> {
        let first = self.entries.front()?.log_id.index;
        let at = usize::try_from(range.start.checked_sub(first)?).ok()?;
        let num = usize::try_from(range.end - range.start).ok()?;
        let found: Vec<_> = self.entries.iter().skip(at).take(num).cloned().collect();
        (found.len() == num).then_some(found)
    }
}

/// In memory, in bytes: about.
fn size(entry: &RaftEntry) -> usize {
    let payload = match &entry.payload {
        EntryPayload::Normal(proposal) => proposal.0.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    };
    payload + size_of::<RaftEntry>()
}

impl LogStore {
    pub(crate) fn new(wal: Arc<Wal>, group: GroupId, steps: Steps) -> Self {
        Self {
            wal,
            group,
            recent: Arc::default(),
            steps,
        }
    }

    /// The part of a range that the log has, as openraft numbers entries.
    fn clamp(&self, range: &impl RangeBounds<u64>) -> Range<u64> {
        let there = self.wal.indexes(self.group);
        let (first, end) = (there.start.saturating_sub(1), there.end.saturating_sub(1));
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let stop = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(stop) => *stop,
            Bound::Unbounded => u64::MAX,
        };
        let start = start.max(first);
        start..stop.min(end).max(start)
    }

    fn read(&self, range: Range<u64>) -> io::Result<Vec<RaftEntry>> {
        if let Some(found) = self.recent.lock().get(&range) {
            return Ok(found);
        }
        let indexes = range.start + 1..range.end + 1;
        let entries = self.wal.read(self.group, indexes).map_err(to_io)?;
        entries
            .into_iter()
            .map(|entry| from_log(entry).map_err(io::Error::other))
            .collect()
    }
}

fn to_io(error: WalError) -> io::Error {
    io::Error::other(error)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        self.read(self.clamp(&range))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        let Some(bytes) = self.wal.state(self.group).vote else {
            return Ok(None);
        };
        let vote = decode_vote(&bytes);
        vote.map(Some)
            .ok_or_else(|| io::Error::other("the log holds a malformed vote"))
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        // Entries from memory cost nothing to look at; from the disk they are read a few at a time.
        const STEP: u64 = 64;
        let wanted = self.clamp(&(start..end));
        let mut found = Vec::new();
        let mut bytes = 0;
        for from in wanted.clone().step_by(STEP as usize) {
            for entry in self.read(from..wanted.end.min(from + STEP))? {
                bytes += size(&entry);
                if bytes > READ_BYTES_MAX && !found.is_empty() {
                    return Ok(found);
                }
                found.push(entry);
            }
        }
        Ok(found)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.wal.state(self.group);
        Ok(LogState {
            last_purged_log_id: state.purged.map(log_id),
            last_log_id: state.last.map(log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (wal, group, vote) = (Arc::clone(&self.wal), self.group, encode_vote(vote));
        let saved = tokio::task::spawn_blocking(move || wal.save_vote(group, &vote));
        saved.await.map_err(io::Error::other)?.map_err(to_io)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        match committed {
            Some(id) => self
                .wal
                .save_committed(self.group, entry_id(&id))
                .map_err(to_io),
            None => Ok(()),
        }
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.wal.state(self.group).committed.map(log_id))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let in_log: Vec<_> = entries.iter().map(to_log).collect();
        let (steps, begun) = (self.steps.clone(), Instant::now());
        let flushed = move |result: Result<(), WalError>| {
            steps.observe(Step::Log, begun.elapsed());
            callback.io_completed(result.map_err(to_io));
        };
        if in_log.is_empty() {
            flushed(Ok(()));
            return Ok(());
        }
        self.wal
            .append(self.group, &in_log, flushed)
            .map_err(to_io)?;
        let mut recent = self.recent.lock();
        entries.into_iter().for_each(|entry| recent.push(entry));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = last.map_or(0, |id| id.index + 1);
        self.recent.lock().truncate(from);
        self.wal.truncate(self.group, from + 1).map_err(to_io)
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        {
            let mut recent = self.recent.lock();
            while let Some(gone) = recent
                .entries
                .pop_front_if(|first| first.log_id.index <= upto.index)
            {
                recent.bytes -= size(&gone);
            }
        }
        self.wal.purge(self.group, entry_id(&upto)).map_err(to_io)
    }
}
