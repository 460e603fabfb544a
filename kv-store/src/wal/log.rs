//! The log without threads: every method does its work and returns.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Entry, EntryId, GroupId, GroupState, WalError,
    groups::{Groups, Place},
    record::{self, Kind, Record},
    recovery::{self, Recovered},
    segment::{self, Header},
};
use crate::disk::{Disk, DiskFile};

/// Zeros are written this far ahead of the records, in bytes: an fsync of bytes that replace zeros writes no file system's
/// metadata, which takes most of the time of one that makes a file longer.
const ROOM_BYTES: u64 = 1024 * 1024;

/// Of memory that is kept for the next records, in bytes.
const BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// How a log lays out its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment that would grow over this is followed by a new one, in bytes. A single larger append gets a segment of its own.
    pub segment_bytes_max: u64,
    /// Makes records of this opening differ from all others; random, but for simulations.
    pub salt: u64,
}

/// A file of the log that is open.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) salt: u64,
    /// An fsync of the file failed. Held by whoever syncs it.
    has_failed: Arc<Mutex<bool>>,
}

impl Segment {
    pub(super) fn new(number: u64, path: PathBuf, file: Arc<dyn DiskFile>, salt: u64) -> Self {
        Self {
            number,
            path,
            file,
            salt,
            has_failed: Arc::default(),
        }
    }

    /// One after another, and none succeeds after one that failed: the operating system tells of pages that it could not
    /// write once, to whoever syncs first, and answers all others that everything is well.
    fn sync(&self) -> io::Result<()> {
        let mut has_failed = self.has_failed.lock();
        if *has_failed {
            return Err(io::Error::other("an fsync of it failed before"));
        }
        let synced = self.file.sync();
        *has_failed = synced.is_err();
        synced
    }
}

/// An entry that can be read without the log.
#[derive(Debug)]
pub(super) struct Located {
    group: GroupId,
    index: u64,
    place: Place,
    segment: Segment,
}

impl Located {
    pub(super) fn read(&self) -> Result<Entry, WalError> {
        let Self {
            group,
            index,
            place,
            segment,
        } = self;
        let mut bytes = vec![0; record::encoded_len(place.body_len)];
        segment
            .file
            .read_exact_at(&mut bytes, place.offset)
            .map_err(|e| WalError::io("read", &segment.path, e))?;
        match record::decode(&bytes, segment.salt, place.offset) {
            Some((record, _, _)) => Ok(Entry {
                id: record.id,
                payload: Bytes::copy_from_slice(record.body),
            }),
            None => Err(WalError::Damaged {
                path: segment.path.clone(),
                offset: place.offset,
                detail: format!("entry {index} of group {group} was good when it was written"),
            }),
        }
    }
}

/// An fsync that has begun: call [`PendingSync::run`] without holding the log, then [`Log::finish_sync`].
#[derive(Debug)]
pub(super) struct PendingSync {
    segment: Segment,
    /// Bytes of the segment that it covers.
    len: u64,
    /// Segments up to this number hold no live entry, and may go when the fsync is done; 0 for none.
    dead_upto: u64,
}

impl PendingSync {
    pub(super) fn run(&self) -> Result<(), WalError> {
        let synced = self.segment.sync();
        synced.map_err(|e| WalError::io("sync", &self.segment.path, e))
    }
}

/// Owns the log's folder. See the module's header for what it promises.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    options: LogOptions,
    groups: Groups,
    /// Oldest first; the last one is written to.
    segments: Vec<Segment>,
    /// Length of the last segment, in bytes.
    len: u64,
    /// Length of the last segment's file, in bytes; `len <= room`, and there are zeros between.
    room: u64,
    /// Bytes of the last segment that its header takes.
    header_len: u64,
    /// Bytes of the last segment that a finished fsync covered; `header_len <= synced <= len`.
    synced: u64,
    /// Set when what is on disk became unknown.
    poisoned: bool,
    /// For the next records, so that their memory is not asked for each time.
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in `folder`, whose parent exists, and makes what it finds durable.
    ///
    /// A torn tail is left behind: nothing in it was acknowledged. Damage to acknowledged bytes is an error.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: LogOptions) -> Result<Self, WalError> {
        let Recovered {
            groups,
            segments,
            last_len,
        } = recovery::recover(&disk, folder)?;
        if let Some(last) = segments.last() {
            // A process that died may have left it in the page cache only.
            last.file
                .sync()
                .map_err(|e| WalError::io("sync", &last.path, e))?;
        }
        let mut log = Self {
            disk,
            folder: folder.into(),
            options,
            groups,
            segments,
            len: last_len,
            room: last_len,
            header_len: 0,
            synced: last_len,
            poisoned: false,
            buffer: Vec::new(),
        };
        log.begin_segment()?;
        Ok(log)
    }

    /// What there is of `group`; empty for one never heard of.
    pub fn state(&self, group: GroupId) -> GroupState {
        let Some(group) = self.groups.groups.get(&group) else {
            return GroupState::default();
        };
        GroupState {
            purged: group.kept.purged,
            last: group.last(),
            committed: group.kept.committed,
            vote: group.kept.vote.clone(),
        }
    }

    /// Adds entries, readable at once and durable after the next [`Log::sync`]. On an error none is added.
    pub fn append(&mut self, group: GroupId, entries: &[Entry]) -> Result<(), WalError> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        self.groups.check_next(group, first.id.index)?;
        for (expected, entry) in (first.id.index..).zip(entries) {
            if entry.id.index != expected {
                return Err(WalError::NotContiguous {
                    group,
                    expected,
                    found: entry.id.index,
                });
            }
        }
        let records = entries.iter().map(|entry| Record {
            kind: Kind::Entry,
            group,
            id: entry.id,
            body: &entry.payload,
        });
        self.write(&records.collect::<Vec<_>>())
    }

    /// Forgets entries from index `from` on.
    pub fn truncate(&mut self, group: GroupId, from: u64) -> Result<(), WalError> {
        let id = EntryId {
            term: 0,
            index: from,
        };
        self.write_one(Kind::Truncate, group, id, &[])
    }

    /// Forgets entries up to `upto`, which may be behind the last one: the next entry then comes after it.
    pub fn purge(&mut self, group: GroupId, upto: EntryId) -> Result<(), WalError> {
        self.write_one(Kind::Purge, group, upto, &[])
    }

    /// Keeps the group's vote, in the caller's encoding. Durable after the next [`Log::sync`].
    pub fn save_vote(&mut self, group: GroupId, vote: &[u8]) -> Result<(), WalError> {
        self.write_one(Kind::Vote, group, EntryId { term: 0, index: 0 }, vote)
    }

    /// Keeps what is known to be committed. Losing it is safe, so nobody needs to wait for it.
    pub fn save_committed(&mut self, group: GroupId, upto: EntryId) -> Result<(), WalError> {
        self.write_one(Kind::Committed, group, upto, &[])
    }

    /// Indexes of the entries that are there; empty behind the last purged one when there are none.
    pub fn indexes(&self, group: GroupId) -> Range<u64> {
        let Some(group) = self.groups.groups.get(&group) else {
            return 1..1;
        };
        let end = group.last().map_or(1, |last| last.index + 1);
        end - group.entries.len() as u64..end
    }

    /// Index of the oldest of the youngest entries that take at most `bytes_max` in the log together; behind the last one
    /// when that alone takes more.
    pub fn first_within(&self, group: GroupId, bytes_max: u64) -> u64 {
        let end = self.indexes(group).end;
        let places = self.groups.groups.get(&group).map(|group| &group.entries);
        let mut bytes = 0;
        let num_within = places.into_iter().flatten().rev().take_while(|place| {
            bytes += record::encoded_len(place.body_len) as u64;
            bytes <= bytes_max
        });
        end - num_within.count() as u64
    }

    /// The entries with these indexes, all of them.
    pub fn read(&self, group: GroupId, indexes: Range<u64>) -> Result<Vec<Entry>, WalError> {
        let located = self.locate(group, indexes)?;
        located.iter().map(Located::read).collect()
    }

    /// Where these entries stand. They can be read from there also when they are purged or truncated meanwhile: a file
    /// lives as long as it is open, and is never written twice in one place but after a failed write.
    pub(super) fn locate(
        &self,
        group: GroupId,
        indexes: Range<u64>,
    ) -> Result<Vec<Located>, WalError> {
        let place = |index| {
            let known = self.groups.groups.get(&group);
            let place = known
                .and_then(|group| group.place(index))
                .ok_or(WalError::NoEntry { group, index })?;
            let at = self
                .segments
                .binary_search_by_key(&place.segment, |segment| segment.number)
                .expect("a segment with live entries is open");
            Ok(Located {
                group,
                index,
                place,
                segment: self.segments[at].clone(),
            })
        };
        indexes.map(place).collect()
    }

    /// Makes everything written so far durable, and deletes segments nobody needs.
    pub fn sync(&mut self) -> Result<(), WalError> {
        let pending = self.begin_sync()?;
        let result = pending.run();
        self.finish_sync(&pending, result)
    }

    pub(super) fn begin_sync(&self) -> Result<PendingSync, WalError> {
        if self.poisoned {
            return Err(WalError::Poisoned);
        }
        let (last, older) = self
            .segments
            .split_last()
            .expect("an open log has a segment");
        let dead_upto = older
            .iter()
            .take_while(|segment| !self.groups.has_live_entries(segment.number))
            .last()
            .map_or(0, |segment| segment.number);
        Ok(PendingSync {
            segment: last.clone(),
            len: self.len,
            dead_upto,
        })
    }

    pub(super) fn finish_sync(
        &mut self,
        pending: &PendingSync,
        result: Result<(), WalError>,
    ) -> Result<(), WalError> {
        if let Err(error) = result {
            self.poisoned = true;
            return Err(error);
        }
        if self.poisoned {
            // While it ran, something else failed.
            return Err(WalError::Poisoned);
        }
        if pending.segment.number == self.active().number {
            self.synced = self.synced.max(pending.len);
        }
        self.remove_segments(pending.dead_upto);
        Ok(())
    }

    /// Deletes segments up to `upto`, oldest first. What cannot be deleted now is tried again after the next fsync.
    fn remove_segments(&mut self, upto: u64) {
        while self.segments[0].number <= upto {
            let removed = match self.disk.remove_file(&self.segments[0].path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                result => result,
            };
            // One by one: names that vanish out of order would look like a lost file.
            if removed
                .and_then(|()| self.disk.sync_dir(&self.folder))
                .is_err()
            {
                return;
            }
            self.segments.remove(0);
        }
    }

    /// Makes everything durable and leaves a record that vouches for it. The log is then closed for good.
    pub fn close(mut self) -> Result<(), WalError> {
        self.vouch()
    }

    pub(super) fn vouch(&mut self) -> Result<(), WalError> {
        self.sync()?;
        self.write_one(Kind::Mark, GroupId(0), EntryId { term: 0, index: 0 }, &[])?;
        self.cut_room()?;
        self.sync()
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("an open log has a segment")
    }

    fn write_one(
        &mut self,
        kind: Kind,
        group: GroupId,
        id: EntryId,
        body: &[u8],
    ) -> Result<(), WalError> {
        self.write(&[Record {
            kind,
            group,
            id,
            body,
        }])
    }

    /// Writes all of the records or none.
    fn write(&mut self, records: &[Record<'_>]) -> Result<(), WalError> {
        if self.poisoned {
            return Err(WalError::Poisoned);
        }
        let bytes_len: usize = records
            .iter()
            .map(|record| record::encoded_len(record.body.len()))
            .sum();
        let is_full = self.len + bytes_len as u64 > self.options.segment_bytes_max;
        if is_full && self.len > self.header_len {
            self.cut_room()?;
            self.sync()?;
            self.begin_segment()?;
        }
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.clear();
        bytes.reserve(bytes_len);
        let mut offsets = Vec::with_capacity(records.len());
        let salt = self.active().salt;
        for record in records {
            let offset = self.len + bytes.len() as u64;
            offsets.push(offset);
            record::encode(&mut bytes, record, salt, offset, self.synced);
        }
        let active = self.active();
        if let Err(source) = active.file.write_all_at(&bytes, self.len) {
            let error = WalError::io("write to", &active.path, source);
            // Whole records of it may be there, and must not be found behind a later, shorter write.
            let undone = active.file.set_len(self.len).and_then(|()| active.sync());
            self.poisoned = undone.is_err();
            self.room = self.len;
            return Err(error);
        }
        let segment = active.number;
        self.len += bytes.len() as u64;
        for (record, offset) in records.iter().zip(offsets) {
            self.groups.apply(record, segment, offset);
        }
        if bytes.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = bytes;
        }
        if self.len > self.room {
            self.make_room();
        }
        Ok(())
    }

    /// Where it fails the next append tries again: room makes fsyncs fast and nothing else.
    fn make_room(&mut self) {
        let end = (self.len + ROOM_BYTES).min(self.options.segment_bytes_max);
        let zeros = vec![0; usize::try_from(end.saturating_sub(self.len)).expect("it is small")];
        let made = self.active().file.write_all_at(&zeros, self.len);
        self.room = made.map_or(self.len, |()| end.max(self.len));
    }

    /// A segment that is done ends with its last record.
    fn cut_room(&mut self) -> Result<(), WalError> {
        if self.room > self.len {
            let active = self.active();
            active
                .file
                .set_len(self.len)
                .map_err(|e| WalError::io("cut", &active.path, e))?;
            self.room = self.len;
        }
        Ok(())
    }

    /// Starts the next segment; all before it is durable.
    fn begin_segment(&mut self) -> Result<(), WalError> {
        debug_assert_eq!(self.len, self.synced, "the segment before is durable");
        let number = self.segments.last().map_or(0, |last| last.number) + 1;
        let header = Header {
            segment: number,
            salt: self.options.salt,
            previous_len: self.len,
            checkpoint: self.groups.kept(),
        };
        let bytes = header.encode();
        let unfinished = segment::unfinished_path(&self.folder);
        let path = segment::path(&self.folder, number);
        let write = || {
            let file = self.disk.create(&unfinished)?;
            file.write_all_at(&bytes, 0)?;
            file.sync()?;
            Ok(file)
        };
        let file = write().map_err(|e| WalError::io("begin", &path, e))?;
        if let Err(source) = self
            .disk
            .rename(&unfinished, &path)
            .and_then(|()| self.disk.sync_dir(&self.folder))
        {
            self.poisoned = true;
            return Err(WalError::io("begin", &path, source));
        }
        let segment = Segment::new(number, path, file, self.options.salt);
        self.segments.push(segment);
        self.header_len = bytes.len() as u64;
        self.len = self.header_len;
        self.room = self.len;
        self.synced = self.len;
        Ok(())
    }
}
