//! A new member from an archive, as of any entry in it.

use std::{fs::File, io, path::Path};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::{
    Archive, ArchiveError, Stretch,
    segment::{self, SegmentError},
};
use crate::{
    files::{self, Unfinished},
    node::{Rebuilding, RestoreError},
    snapshot::SnapshotReader,
    wal::Entry,
};

/// What was found in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Index of the last entry.
    pub last: u64,
    /// The object behind it, if that is damaged: its upload was cut off, or entries were lost.
    pub damaged: Option<String>,
}

impl Archive {
    /// Those of one object.
    pub(super) async fn entries(&self, stretch: Stretch) -> Result<Vec<Entry>, ArchiveError> {
        let path = self.log_path(stretch);
        let bytes = self.store.get(&path).await?.bytes().await?;
        let failed = |source| ArchiveError::Segment {
            name: path.to_string(),
            source,
        };
        let entries = segment::decode(&bytes).map_err(failed)?;
        let indexes = entries.iter().map(|entry| entry.id.index);
        if !indexes.eq(stretch.first..=stretch.last) {
            let detail = "it holds other entries than its name says";
            return Err(failed(SegmentError::Damaged { detail }));
        }
        Ok(entries)
    }

    /// `to` is the name of `file`.
    async fn download(&self, last: u64, mut file: File, to: &Path) -> Result<(), ArchiveError> {
        use io::Write;
        let failed = |source| ArchiveError::File {
            path: to.into(),
            source,
        };
        let object = self.store.get(&self.snapshot_path(last)).await?;
        let mut chunks = object.into_stream();
        while let Some(chunk) = chunks.try_next().await? {
            file.write_all(&chunk).map_err(failed)?;
        }
        Ok(())
    }

    /// Applies what comes behind a state. What is said of the object at the end, if that is damaged.
    async fn replay(
        &self,
        state: &mut Rebuilding,
        upto: Option<u64>,
    ) -> Result<Option<ArchiveError>, ArchiveError> {
        let from = state.last_index();
        if upto == Some(from) {
            return Ok(None);
        }
        let behind = self.stretches(from).await?;
        let is_listed = !behind.is_empty();
        match self.apply(behind, state, upto).await {
            Ok(None) if is_listed || from == 0 => Ok(None),
            // An object that begins before may hold more. To look for it all of the log is listed, which after weeks is long.
            Ok(_) | Err(ArchiveError::Gap { .. } | ArchiveError::Segment { .. }) if from > 0 => {
                let all = self.stretches(0).await?;
                self.apply(all, state, upto).await
            }
            applied => applied,
        }
    }

    async fn apply(
        &self,
        stretches: Vec<Stretch>,
        state: &mut Rebuilding,
        upto: Option<u64>,
    ) -> Result<Option<ArchiveError>, ArchiveError> {
        let mut damaged = None;
        for stretch in stretches {
            let next = state.last_index() + 1;
            if stretch.last < next {
                continue;
            }
            if upto.is_some_and(|upto| upto < next) {
                break;
            }
            if stretch.first > next {
                // What comes behind a hole is of no use, and the hole may be damage.
                return Err(damaged.unwrap_or(ArchiveError::Gap { index: next }));
            }
            let mut entries = match self.entries(stretch).await {
                Ok(entries) => entries,
                // Another object may hold the same.
                Err(error @ ArchiveError::Segment { .. }) => {
                    damaged = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            entries.retain(|entry| {
                entry.id.index >= next && upto.is_none_or(|upto| entry.id.index <= upto)
            });
            tokio::task::block_in_place(|| state.apply(&entries))?;
            damaged = None;
        }
        Ok(damaged)
    }

    /// The state of a snapshot, in `folder`.
    async fn rebuild(&self, last: u64, folder: &Path) -> Result<Rebuilding, ArchiveError> {
        let path = files::beside(folder, ".snapshot");
        let failed = |source: io::Error| {
            let path = path.clone();
            match source.kind() {
                io::ErrorKind::AlreadyExists => ArchiveError::Unfinished { path },
                _ => ArchiveError::File { path, source },
            }
        };
        // Removed in any case when this returns.
        let (downloaded, file) = Unfinished::create(path.clone()).map_err(failed)?;
        self.download(last, file, downloaded.path()).await?;
        let file = File::open(downloaded.path()).map_err(failed)?;
        tokio::task::block_in_place(|| {
            let pairs = SnapshotReader::open(io::BufReader::new(file))?;
            Ok(Rebuilding::from_snapshot(folder, pairs)?)
        })
    }
}

/// Makes `folder`, which must not exist, the folder of member `id`: with all that was committed up to entry `upto`, or as far
/// as the archive reaches. Until it returns without an error the folder is worth nothing.
/// Inside of a tokio runtime with several threads.
pub async fn restore(
    archive: &Archive,
    upto: Option<u64>,
    folder: &Path,
    id: u64,
    address: &str,
) -> Result<Restored, ArchiveError> {
    if folder.exists() {
        // Said before anything is downloaded.
        let folder = folder.into();
        return Err(RestoreError::Exists { folder }.into());
    }
    let snapshots = archive.snapshots().await?;
    let is_before = |last: &u64| upto.is_none_or(|upto| *last <= upto);
    let mut rebuilding = match snapshots.into_iter().rfind(is_before) {
        None => tokio::task::block_in_place(|| Rebuilding::empty(folder))?,
        Some(last) => archive.rebuild(last, folder).await?,
    };
    let damaged = archive.replay(&mut rebuilding, upto).await?;
    let last = rebuilding.last_index();
    if upto.is_some_and(|upto| upto != last) {
        return Err(damaged.unwrap_or(ArchiveError::Ends { last }));
    }
    tokio::task::block_in_place(|| rebuilding.finish(id, address))?;
    let damaged = damaged.map(|error| error.to_string());
    Ok(Restored { last, damaged })
}
