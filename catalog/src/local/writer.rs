//! Rows into Parquet files of one managed table, visible whole at commit or not at all.

use std::{io::Write, path::PathBuf, sync::Arc};

use arrow::{
    array::{Array, RecordBatch},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::properties::{EnabledStatistics, WriterProperties},
};
use tokio::sync::OwnedMutexGuard;
use tracing::warn;

use super::LocalTableStore;
use crate::{
    CatalogError, DataFile, FileWriter, ManagedTable, TableId, TableName, TableWriter,
    WriteSummary,
    disk::{Disk, DiskFile},
};

/// Rows a row group holds at most: the unit in which a scan is shared out and pruned.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// How the written files become visible.
#[derive(Debug, Clone)]
pub(super) enum Commit {
    Create {
        or_replace: bool,
    },
    Append,
    /// The rows go into a folder of their own; the table with id `replaces` gives way to it.
    Overwrite {
        replaces: TableId,
    },
}

#[derive(Debug)]
pub(super) struct LocalWriter {
    store: LocalTableStore,
    name: TableName,
    table: ManagedTable,
    folder: PathBuf,
    commit: Commit,
    files: Arc<Mutex<Files>>,
    /// Keeps other writers of this table out.
    _guard: OwnedMutexGuard<()>,
}

/// The files of one write, and who decides over them. The writer can be dropped while its commit runs on another
/// thread; under the lock around this, either the commit takes the files first or the drop gives them up first.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Durable on disk, waiting for the commit.
    closed: Vec<DataFile>,
    /// Every file ever opened, for cleaning up.
    opened: Vec<PathBuf>,
    owner: Owner,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Owner {
    #[default]
    Writer,
    /// The log names them, or is about to.
    Log,
    /// The writer is gone and removes them.
    Nobody,
}

impl Files {
    /// Called by the commit just before the log line is written: from here on the files stay.
    pub(super) fn hand_to_log(&mut self) -> Result<(), CatalogError> {
        if self.owner == Owner::Nobody {
            return Err(CatalogError::Abandoned);
        }
        self.owner = Owner::Log;
        Ok(())
    }
}

impl LocalWriter {
    pub(super) fn boxed(
        store: &LocalTableStore,
        name: TableName,
        table: ManagedTable,
        commit: Commit,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Box<dyn TableWriter>, CatalogError> {
        let folder = store.0.root.join(&table.id.0);
        let disk = &store.0.disk;
        if !matches!(commit, Commit::Append) {
            disk.create_dir(&folder)
                .and_then(|()| disk.sync_dir(&store.0.root))
                .map_err(|e| CatalogError::io("create folder", &folder, e))?;
        }
        let store = store.clone();
        Ok(Box::new(Self {
            store,
            name,
            table,
            folder,
            commit,
            files: Arc::default(),
            _guard: guard,
        }))
    }
}

#[async_trait]
impl TableWriter for LocalWriter {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn open_file(&self) -> Result<Box<dyn FileWriter>, CatalogError> {
        let file = format!("{}.parquet", uuid::Uuid::now_v7().simple());
        let path = self.folder.join(&file);
        self.files.lock().opened.push(path.clone());
        let sink = self
            .store
            .0
            .disk
            .create(&path)
            .map_err(|e| CatalogError::io("create", &path, e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by(concat!("murre ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let encoder =
            ArrowWriter::try_new(Counted { sink, bytes: 0 }, self.schema(), Some(properties))
                .map_err(|source| CatalogError::WriteData {
                    path: path.clone(),
                    source,
                })?;
        Ok(Box::new(LocalFile {
            disk: Arc::clone(&self.store.0.disk),
            name: self.name.clone(),
            file,
            path,
            schema: self.schema(),
            encoder,
            rows: 0,
            files: Arc::clone(&self.files),
        }))
    }

    async fn commit(&self) -> Result<WriteSummary, CatalogError> {
        let closed = std::mem::take(&mut self.files.lock().closed);
        if !closed.is_empty() {
            // The names of the new files must be durable before the log line that relies on them.
            let (disk, folder) = (Arc::clone(&self.store.0.disk), self.folder.clone());
            tokio::task::spawn_blocking(move || {
                disk.sync_dir(&folder)
                    .map_err(|e| CatalogError::io("sync", folder, e))
            })
            .await
            .map_err(CatalogError::Task)??;
        }
        let files = Arc::clone(&self.files);
        let summary = self
            .store
            .commit_rows(
                self.name.clone(),
                self.table.clone(),
                closed,
                self.commit.clone(),
                files,
            )
            .await;
        // The outcome is unknown when the log is poisoned or the committing task stopped: the line that names the files
        // may be on disk. The next start finds out.
        let unknown =
            matches!(summary, Err(CatalogError::Task(_))) || self.store.0.log.lock().is_poisoned();
        if summary.is_err() && !unknown {
            self.files.lock().owner = Owner::Writer;
        }
        summary
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        let mut files = self.files.lock();
        if files.owner == Owner::Log {
            return;
        }
        files.owner = Owner::Nobody;
        let disk = &self.store.0.disk;
        let removed = match self.commit {
            Commit::Append => {
                files
                    .opened
                    .iter()
                    .try_for_each(|path| match disk.remove_file(path) {
                        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                        result => result,
                    })
            }
            Commit::Create { .. } | Commit::Overwrite { .. } => disk.remove_dir_all(&self.folder),
        };
        if let Err(error) = removed {
            // The next start sweeps what no table owns.
            warn!(table = %self.name, %error, "files of an unfinished write not removed");
        }
    }
}

/// Counts the bytes of the file on their way to disk.
#[derive(Debug)]
struct Counted {
    sink: Box<dyn DiskFile>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.sink.flush()
    }
}

struct LocalFile {
    disk: Arc<dyn Disk>,
    name: TableName,
    file: String,
    path: PathBuf,
    schema: SchemaRef,
    encoder: ArrowWriter<Counted>,
    rows: u64,
    files: Arc<Mutex<Files>>,
}

impl std::fmt::Debug for LocalFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalFile")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl FileWriter for LocalFile {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), CatalogError> {
        let schema = Arc::clone(&self.schema);
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if !field.is_nullable() && column.logical_null_count() > 0 {
                return Err(CatalogError::NullInColumn {
                    name: self.name.clone(),
                    column: field.name().clone(),
                });
            }
        }
        let failed = |source| CatalogError::WriteData {
            path: self.path.clone(),
            source,
        };
        let batch =
            RecordBatch::try_new(schema, batch.columns().to_vec()).map_err(|e| failed(e.into()))?;
        self.rows += batch.num_rows() as u64;
        self.encoder.write(&batch).map_err(failed)
    }

    fn memory_bytes(&self) -> usize {
        self.encoder.memory_size()
    }

    fn close(self: Box<Self>) -> Result<(), CatalogError> {
        let Self {
            disk,
            file,
            path,
            encoder,
            rows,
            files,
            ..
        } = *self;
        if rows == 0 {
            drop(encoder);
            return disk
                .remove_file(&path)
                .map_err(|e| CatalogError::io("remove", path, e));
        }
        let mut counted = encoder
            .into_inner()
            .map_err(|source| CatalogError::WriteData {
                path: path.clone(),
                source,
            })?;
        counted
            .sink
            .sync()
            .map_err(|e| CatalogError::io("sync", path, e))?;
        files.lock().closed.push(DataFile {
            file,
            rows,
            bytes: counted.bytes,
        });
        Ok(())
    }
}
