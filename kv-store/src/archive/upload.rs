//! What the member that leads uploads, and when.
//!
//! ```text
//! not leading ──leads──> look at the archive ──> entries behind what is there ──> again, each second
//!                              │                        │
//!                              └── they are purged ─────┴── much was uploaded since ──> snapshot
//! ```
//!
//! A failure is said and counted, and the archive looked at again: what was uploaded stays.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use object_store::{ObjectStoreExt, WriteMultipart};
use tokio::sync::{mpsc, watch};

use super::{Archive, ArchiveError, Progress, Stretch, history::Commit, segment};
use crate::{
    raft::Group,
    snapshot::{SnapshotError, write_snapshot},
    state::State,
    wal::{Entry, GroupId, Wal},
};

const INTERVAL: Duration = Duration::from_secs(1);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(5);
/// Of entries in one object, at most, in bytes; one entry may be more.
const OBJECT_BYTES: u64 = 8 * 1024 * 1024;
/// A snapshot is due when this much of the log, and more than the last snapshot, was uploaded since.
const SNAPSHOT_AFTER_BYTES: u64 = 64 * 1024 * 1024;
/// Of a snapshot on its way, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNKS_MAX: usize = 4;
/// Parts of a snapshot under way at once.
const PARTS_MAX: usize = 4;

/// What is uploaded.
pub(crate) struct Source {
    pub(crate) group: Group,
    /// This member leads, and has applied all that was committed before.
    pub(crate) serving: watch::Receiver<bool>,
    /// Of the group, in the log.
    pub(crate) id: GroupId,
    pub(crate) state: Arc<State>,
    pub(crate) wal: Arc<Wal>,
    pub(crate) commit: Commit,
}

/// Until the group stops.
pub(crate) async fn run(archive: Archive, source: Source, progress: Progress) {
    let mut uploader = Uploader {
        archive,
        source,
        progress,
        next: None,
        bytes_since_snapshot: 0,
        snapshot_bytes: 0,
    };
    while !uploader.source.group.lead().is_stopped {
        tokio::time::sleep(INTERVAL).await;
        if !*uploader.source.serving.borrow() {
            uploader.next = None;
            uploader.progress.stopped();
            continue;
        }
        if let Err(error) = uploader.upload().await {
            say(&error);
            uploader.next = None;
            uploader.progress.failed();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn say(error: &ArchiveError) {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::error!(error, "nothing is uploaded to the archive");
}

struct Uploader {
    archive: Archive,
    source: Source,
    progress: Progress,
    /// The first entry that is not uploaded; `None` when the archive must be looked at.
    next: Option<u64>,
    bytes_since_snapshot: u64,
    /// Of the last one.
    snapshot_bytes: u64,
}

impl Uploader {
    /// All that is applied now.
    async fn upload(&mut self) -> Result<(), ArchiveError> {
        let mut next = match self.next {
            Some(next) => next,
            None => self.look().await?,
        };
        let now = Instant::now();
        let applied = self.source.state.applied().index;
        while next <= applied {
            let is_due = self.bytes_since_snapshot > self.snapshot_bytes.max(SNAPSHOT_AFTER_BYTES);
            if is_due || next < self.source.wal.indexes(self.source.id).start {
                next = next.max(self.upload_snapshot().await? + 1);
            } else {
                next = self.upload_entries(next, applied).await? + 1;
            }
            self.next = Some(next);
            self.progress.advanced(next - 1);
        }
        self.next = Some(next);
        self.progress.reached(next - 1, now);
        Ok(())
    }

    /// The entry behind what the archive has, which must be this store's.
    async fn look(&self) -> Result<u64, ArchiveError> {
        let Source {
            state,
            wal,
            id,
            commit,
            ..
        } = &self.source;
        self.archive.claim(state, commit).await?;
        let in_snapshots = self.archive.snapshots().await?.pop().unwrap_or(0);
        let mut stretches = self.archive.stretches(in_snapshots).await?;
        stretches.sort_unstable_by_key(|stretch| stretch.last);
        let mut last = in_snapshots;
        while let Some(newest) = stretches.pop_if(|newest| newest.last > in_snapshots) {
            match self.archive.entries(newest).await {
                Ok(_) => {
                    last = newest.last;
                    break;
                }
                // Its upload was cut off: the same entries come again.
                Err(error @ ArchiveError::Segment { .. }) => {
                    tracing::warn!(%error, "an object of the archive is written again");
                }
                Err(error) => return Err(error),
            }
        }
        let end = wal.indexes(*id).end;
        if last >= end {
            return Err(ArchiveError::OtherHistory {
                detail: format!("it ends with entry {last}, and this store before {end}"),
            });
        }
        Ok(last + 1)
    }

    async fn read(&self, first: u64, last: u64) -> Result<Vec<Entry>, ArchiveError> {
        let (wal, id) = (Arc::clone(&self.source.wal), self.source.id);
        let read = tokio::task::spawn_blocking(move || {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            for index in first..=last {
                entries.extend(wal.read(id, index..index + 1)?);
                bytes += entries.last().map_or(0, |entry| entry.payload.len() as u64);
                if bytes > OBJECT_BYTES {
                    break;
                }
            }
            Ok::<_, ArchiveError>(entries)
        });
        read.await.map_err(joined)?
    }

    /// Some entries from `next` on. The last one's index.
    async fn upload_entries(&mut self, next: u64, applied: u64) -> Result<u64, ArchiveError> {
        let entries = self.read(next, applied).await?;
        let stretch = Stretch {
            first: next,
            last: next + entries.len() as u64 - 1,
        };
        let encoded = tokio::task::spawn_blocking(move || segment::encode(&entries));
        let encoded = encoded.await.map_err(joined)?.map_err(compressing)?;
        self.bytes_since_snapshot += encoded.len() as u64;
        let path = self.archive.log_path(stretch);
        self.archive.put(&path, encoded).await?;
        Ok(stretch.last)
    }

    /// The state as it is now. Its last entry's index.
    async fn upload_snapshot(&mut self) -> Result<u64, ArchiveError> {
        let (applied, reader) = self.source.state.frozen().map_err(|error| {
            let source = io::Error::other(error);
            SnapshotError::Io {
                action: "take",
                source,
            }
        })?;
        let Some(last) = applied.last else {
            return Ok(0);
        };
        let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
        let writing = tokio::task::spawn_blocking(move || {
            let mut chunks = Chunks {
                sender,
                bytes: Vec::new(),
            };
            write_snapshot(&*reader, last, &mut chunks)
        });
        let path = self.archive.snapshot_path(last.index);
        let mut upload = WriteMultipart::new(self.archive.store.put_multipart(&path).await?);
        let mut num_bytes = 0;
        while let Some(chunk) = receiver.recv().await {
            num_bytes += chunk.len() as u64;
            upload.wait_for_capacity(PARTS_MAX).await?;
            upload.put(chunk);
        }
        match writing.await.map_err(joined)? {
            // Only now does the object get its name.
            Ok(_) => {
                upload.finish().await?;
                self.archive.make_durable(&path).await?;
            }
            Err(error) => {
                upload.abort().await?;
                return Err(error.into());
            }
        };
        (self.bytes_since_snapshot, self.snapshot_bytes) = (0, num_bytes);
        tracing::info!(log_index = last.index, num_bytes, "snapshot in the archive");
        Ok(last.index)
    }
}

fn joined(error: tokio::task::JoinError) -> ArchiveError {
    compressing(io::Error::other(error))
}

fn compressing(source: io::Error) -> ArchiveError {
    SnapshotError::Io {
        action: "compress",
        source,
    }
    .into()
}

/// Gathers what is written into pieces for an upload.
struct Chunks {
    sender: mpsc::Sender<Bytes>,
    bytes: Vec<u8>,
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.sender
            .blocking_send(bytes)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
