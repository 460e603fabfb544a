//! The store's history in an object store: snapshots, and the log between and behind them.
//!
//! The member that leads uploads committed entries each second, and a snapshot when much was uploaded since the last one, or
//! when the log does not reach back to what is there. So a loss of all members costs the last second or two; [`Progress`]
//! says how much it would cost now.
//!
//! ```text
//! <prefix>/history                whose it is, see [`history`]
//! <prefix>/log/<first>-<last>     entries, indexes with 20 digits; two leaders may have uploaded the same ones
//! <prefix>/snapshots/<last>       a state, see [`crate::snapshot`]
//! ```
//!
//! Invariant: only committed entries are uploaded, so all objects that hold an entry hold the same.
//! Nothing is deleted here: how far back a store may be restored is for the rules of the bucket.

mod history;
mod progress;
mod restore;
mod segment;
mod upload;

use std::{fs::File, path::PathBuf, sync::Arc};

use futures::{TryStreamExt, stream::BoxStream};
pub(crate) use history::{Commit, HISTORY_KEY};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path,
};
pub use progress::Archived;
pub(crate) use progress::Progress;
pub use restore::{Restored, restore};
pub(crate) use upload::{Source, run};

use self::segment::SegmentError;
use crate::{EngineError, KvError, node::RestoreError, snapshot::SnapshotError, wal::WalError};

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("\"{location}\" is no place for an archive: {detail}")]
    Location { location: String, detail: String },
    #[error("the object store failed")]
    Store(#[from] object_store::Error),
    #[error("cannot use \"{}\"", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Not written over: it may be somebody's.
    #[error(
        "\"{}\" exists already: another restore writes it, or one that was killed has left it; then remove it",
        path.display()
    )]
    Unfinished { path: PathBuf },
    #[error("cannot read the log")]
    Wal(#[from] WalError),
    #[error("cannot read the state")]
    Engine(#[from] EngineError),
    #[error("cannot use a snapshot")]
    Snapshot(#[from] SnapshotError),
    #[error("cannot read \"{name}\"")]
    Segment {
        name: String,
        #[source]
        source: SegmentError,
    },
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the store does not say yet that the archive is its own")]
    Claim(#[source] KvError),
    /// Of another store, or of this one before it was restored.
    #[error("the archive is another store's: {detail}")]
    OtherHistory { detail: String },
    #[error("the archive lacks entry {index}")]
    Gap { index: u64 },
    #[error("the archive ends with entry {last}")]
    Ends { last: u64 },
}

/// A place for one history. Clones share it.
#[derive(Debug, Clone)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The store, where it is a folder.
    local: Option<Arc<LocalFileSystem>>,
}

/// Uploaded entries, by their first and last index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    first: u64,
    last: u64,
}

impl Archive {
    /// `s3://bucket/prefix`, with credentials from the environment, or `file:///folder`, which must exist.
    pub fn open(location: &str) -> Result<Self, ArchiveError> {
        let failed = |detail: String| ArchiveError::Location {
            location: location.into(),
            detail,
        };
        if let Some(folder) = location.strip_prefix("file://") {
            let store = LocalFileSystem::new_with_prefix(folder);
            let store = Arc::new(store.map_err(|e| failed(e.to_string()))?);
            return Ok(Self {
                store: Arc::<LocalFileSystem>::clone(&store),
                prefix: Path::default(),
                local: Some(store),
            });
        }
        let rest = location
            .strip_prefix("s3://")
            .ok_or_else(|| failed("it begins with neither s3:// nor file://".into()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .map_err(|e| failed(e.to_string()))?;
        Ok(Self {
            store: Arc::new(store),
            prefix: Path::from(prefix),
            local: None,
        })
    }

    /// The object survives a power loss when this returns.
    async fn put(&self, path: &Path, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        self.store.put(path, bytes.into()).await?;
        self.make_durable(path).await
    }

    /// Brings an object and its name to disk, where that is for us to do: object stores promise it themselves.
    async fn make_durable(&self, path: &Path) -> Result<(), ArchiveError> {
        let Some(local) = &self.local else {
            return Ok(());
        };
        let (file, num_folders) = (local.path_to_filesystem(path)?, path.parts().count());
        let sync = move || {
            // The folder that names it may be new as well.
            for path in file.ancestors().take(1 + num_folders) {
                let synced = File::open(path).and_then(|file| file.sync_all());
                synced.map_err(|source| ArchiveError::File {
                    path: path.into(),
                    source,
                })?;
            }
            Ok(())
        };
        let synced = tokio::task::spawn_blocking(sync).await;
        synced.map_err(|error| ArchiveError::File {
            path: path.to_string().into(),
            source: error.into(),
        })?
    }

    fn history_path(&self) -> Path {
        self.prefix.clone().join("history")
    }

    fn log_path(&self, stretch: Stretch) -> Path {
        let Stretch { first, last } = stretch;
        self.in_folder("log", format!("{first:020}-{last:020}"))
    }

    fn snapshot_path(&self, last: u64) -> Path {
        self.in_folder("snapshots", format!("{last:020}"))
    }

    fn in_folder(&self, folder: &str, name: String) -> Path {
        self.prefix.clone().join(folder).join(name)
    }

    async fn is_empty(&self) -> Result<bool, ArchiveError> {
        for folder in ["log", "snapshots"] {
            let folder = self.prefix.clone().join(folder);
            if self.store.list(Some(&folder)).try_next().await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is there of the log with a first index from `from` on, in order; objects with other names are nobody's business.
    async fn stretches(&self, from: u64) -> Result<Vec<Stretch>, ArchiveError> {
        let parse = |name: &String| {
            let (first, last) = name.split_once('-')?;
            Some(Stretch {
                first: first.parse().ok()?,
                last: last.parse().ok()?,
            })
        };
        let folder = self.prefix.clone().join("log");
        // Sorts behind all that begin before.
        let before = self.in_folder("log", format!("{from:020}"));
        let names = names(self.store.list_with_offset(Some(&folder), &before)).await?;
        let mut stretches: Vec<_> = names.iter().filter_map(parse).collect();
        stretches.sort_unstable();
        Ok(stretches)
    }

    /// Last entries of the snapshots, in order.
    async fn snapshots(&self) -> Result<Vec<u64>, ArchiveError> {
        let folder = self.prefix.clone().join("snapshots");
        let names = names(self.store.list(Some(&folder))).await?;
        let mut snapshots: Vec<_> = names.iter().filter_map(|name| name.parse().ok()).collect();
        snapshots.sort_unstable();
        Ok(snapshots)
    }
}

async fn names(
    objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
) -> Result<Vec<String>, ArchiveError> {
    let names = objects.map_ok(|object| object.location.filename().map(str::to_owned));
    let names: Vec<_> = names.try_collect().await?;
    Ok(names.into_iter().flatten().collect())
}
