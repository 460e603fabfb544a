//! A managed table's folder, kept on disk for as long as a snapshot can lead a reader to it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::warn;

use crate::disk::Disk;

/// Shared by every snapshot that holds the table. Once the table is dropped, the last one to go removes the files.
#[derive(Debug)]
pub struct TableFolder {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    dropped: AtomicBool,
}

impl TableFolder {
    pub(crate) fn new(path: PathBuf, disk: Arc<dyn Disk>) -> Arc<Self> {
        Arc::new(Self {
            path,
            disk,
            dropped: AtomicBool::new(false),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The table is gone from the catalog, durably: its files may go once nobody reads them.
    pub(crate) fn mark_dropped(&self) {
        self.dropped.store(true, Ordering::Release);
    }
}

impl Drop for TableFolder {
    fn drop(&mut self) {
        if self.dropped.load(Ordering::Acquire)
            && let Err(error) = self.disk.remove_dir_all(&self.path)
        {
            // The next start sweeps folders that no table owns.
            warn!(path = %self.path.display(), %error, "files of a dropped table not removed");
        }
    }
}
