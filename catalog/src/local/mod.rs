//! The table store of a single server: a change log and Parquet files in the data folder.
//!
//! ```text
//! tables/changes.log            every definition and file list, see change_log.rs
//! tables/<table id>/<id>.parquet  rows
//! ```
//! A commit is one line in the log, written after the fsync of the files it names.
//! Files and folders that no line names are left over from a crash; opening the store removes them.

mod change_log;
mod writer;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use self::{
    change_log::{Change, ChangeLog},
    writer::{Commit, Files, LocalWriter},
};
use crate::{
    CatalogError, DEFAULT_SCHEMA, DataFile, Entry, ManagedTable, NewTable, Relation, Snapshot,
    TableFolder, TableId, TableName, TableStore, TableWriter, WriteSummary, disk::Disk,
};

/// Rewrite the log at start-up once it holds this many lines more than it needs.
const COMPACT_AFTER: usize = 1_000;

/// Definitions and file lists in a change log in one folder.
#[derive(Debug, Clone)]
pub struct LocalTableStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// The newest version; replaced whole by each commit.
    snapshot: RwLock<Arc<Snapshot>>,
    /// Held over a commit: checks, log line and new snapshot are one step.
    log: Mutex<ChangeLog>,
    /// One lock for each table name in use, held from the first row of an INSERT to its commit.
    insert_locks: Mutex<HashMap<TableName, Weak<tokio::sync::Mutex<()>>>>,
}

impl LocalTableStore {
    /// Opens the store in `root`, replaying its log and removing what a crash left behind.
    pub fn open(root: &Path, disk: Arc<dyn Disk>) -> Result<Self, CatalogError> {
        disk.create_dir(root)
            .map_err(|e| CatalogError::io("create folder", root, e))?;
        // The folder's own name must survive too, or everything in it is lost with it.
        if let Some(parent) = root.parent() {
            disk.sync_dir(parent)
                .map_err(|e| CatalogError::io("sync", parent, e))?;
        }
        let (mut log, changes) = ChangeLog::open(&disk, root)?;
        let mut snapshot = Snapshot::default();
        snapshot
            .schemas
            .insert(DEFAULT_SCHEMA.into(), BTreeMap::new());
        let mut folders = Folders {
            root,
            disk: &disk,
            removed: Vec::new(),
        };
        for change in &changes {
            folders.apply(&mut snapshot, change);
        }
        drop(folders);
        let needed = minimal_changes(&snapshot);
        if changes.len() > needed.len() + COMPACT_AFTER {
            log = log.compact(&disk, root, &needed)?;
        }
        sweep(root, &snapshot, &disk)?;
        info!(
            tables = snapshot.schemas.values().map(BTreeMap::len).sum::<usize>(),
            changes = changes.len(),
            "table store open"
        );
        Ok(Self(Arc::new(Inner {
            root: root.into(),
            disk,
            snapshot: RwLock::new(Arc::new(snapshot)),
            log: Mutex::new(log),
            insert_locks: Mutex::default(),
        })))
    }

    /// Runs `decide` on the newest version and commits the change it returns; `None` commits nothing.
    async fn commit(
        &self,
        decide: impl FnOnce(&Snapshot) -> Result<Option<Change>, CatalogError> + Send + 'static,
    ) -> Result<u64, CatalogError> {
        let inner = Arc::clone(&self.0);
        // fsync blocks; a commit that has begun also runs to its end when the caller goes away.
        spawn_blocking(move || inner.commit(decide))
            .await
            .map_err(CatalogError::Task)?
    }

    fn insert_lock(&self, name: &TableName) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.insert_locks.lock();
        if let Some(lock) = locks.get(name).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(name.clone(), Arc::downgrade(&lock));
        lock
    }
}

impl Inner {
    fn commit(
        &self,
        decide: impl FnOnce(&Snapshot) -> Result<Option<Change>, CatalogError>,
    ) -> Result<u64, CatalogError> {
        let mut log = self.log.lock();
        let mut next = Snapshot::clone(&self.snapshot.read());
        let Some(change) = decide(&next)? else {
            return Ok(next.version);
        };
        log.append(&change)?;
        let mut folders = Folders {
            root: &self.root,
            disk: &self.disk,
            removed: Vec::new(),
        };
        folders.apply(&mut next, &change);
        let version = next.version;
        let removed = folders.removed;
        *self.snapshot.write() = Arc::new(next);
        for folder in removed {
            folder.mark_dropped();
        }
        Ok(version)
    }
}

/// Applies changes to a snapshot, handing out the folder of each managed table.
struct Folders<'a> {
    root: &'a Path,
    disk: &'a Arc<dyn Disk>,
    /// Folders of tables that the changes dropped or replaced.
    removed: Vec<Arc<TableFolder>>,
}

impl Folders<'_> {
    fn apply(&mut self, snapshot: &mut Snapshot, change: &Change) {
        snapshot.version += 1;
        match change {
            Change::CreateSchema { schema } => {
                snapshot.schemas.entry(schema.clone()).or_default();
            }
            Change::DropSchema { schema } => {
                let relations = snapshot.schemas.remove(schema).unwrap_or_default();
                self.removed.extend(
                    relations
                        .into_values()
                        .filter_map(|entry| entry.folder.clone()),
                );
            }
            Change::Put { name, relation } => {
                let folder = match relation {
                    Relation::Managed(table) => Some(self.folder(&table.id)),
                    Relation::External(_) | Relation::View(_) => None,
                };
                let entry = Arc::new(Entry {
                    relation: relation.clone(),
                    folder,
                });
                let relations = snapshot.schemas.entry(name.schema.clone()).or_default();
                let replaced = relations.insert(name.table.clone(), entry);
                self.removed
                    .extend(replaced.and_then(|entry| entry.folder.clone()));
            }
            Change::Drop { name } => {
                let relations = snapshot.schemas.entry(name.schema.clone()).or_default();
                let dropped = relations.remove(&name.table);
                self.removed
                    .extend(dropped.and_then(|entry| entry.folder.clone()));
            }
            Change::Append { name, id, files } => {
                let relations = snapshot.schemas.entry(name.schema.clone()).or_default();
                let Some(entry) = relations.get_mut(&name.table) else {
                    return;
                };
                let Relation::Managed(table) = &entry.relation else {
                    return;
                };
                if table.id != *id {
                    return;
                }
                let mut table = table.clone();
                table.files.extend_from_slice(files);
                *entry = Arc::new(Entry {
                    relation: Relation::Managed(table),
                    folder: entry.folder.clone(),
                });
            }
        }
    }

    fn folder(&self, id: &TableId) -> Arc<TableFolder> {
        TableFolder::new(self.root.join(&id.0), Arc::clone(self.disk))
    }
}

/// The changes that make an empty store into this one.
fn minimal_changes(snapshot: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for (schema, relations) in &snapshot.schemas {
        changes.push(Change::CreateSchema {
            schema: schema.clone(),
        });
        changes.extend(relations.iter().map(|(table, entry)| Change::Put {
            name: TableName::new(schema, table),
            relation: entry.relation.clone(),
        }));
    }
    changes
}

/// Removes files and folders that no definition names.
fn sweep(root: &Path, snapshot: &Snapshot, disk: &Arc<dyn Disk>) -> Result<(), CatalogError> {
    let tables: HashMap<&str, &ManagedTable> = snapshot
        .schemas
        .values()
        .flat_map(BTreeMap::values)
        .filter_map(|entry| match &entry.relation {
            Relation::Managed(table) => Some((table.id.0.as_str(), table)),
            Relation::External(_) | Relation::View(_) => None,
        })
        .collect();
    for (name, path) in list(root)? {
        if !path.is_dir() {
            continue;
        }
        let Some(table) = tables.get(name.as_str()) else {
            warn!(path = %path.display(), "removing a table folder that no table owns");
            disk.remove_dir_all(&path)
                .map_err(|e| CatalogError::io("remove", path, e))?;
            continue;
        };
        let owned: HashSet<&str> = table.files.iter().map(|file| file.file.as_str()).collect();
        for (file, path) in list(&path)? {
            if !owned.contains(file.as_str()) {
                warn!(path = %path.display(), "removing a data file that no table owns");
                disk.remove_file(&path)
                    .map_err(|e| CatalogError::io("remove", path, e))?;
            }
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>, CatalogError> {
    let failed = |e| CatalogError::io("list", folder, e);
    let mut names = Vec::new();
    for item in fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        names.push((item.file_name().to_string_lossy().into_owned(), item.path()));
    }
    Ok(names)
}

#[async_trait]
impl TableStore for LocalTableStore {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.snapshot.read())
    }

    async fn create_schema(&self, schema: &str, if_not_exists: bool) -> Result<(), CatalogError> {
        let schema = schema.to_owned();
        self.commit(move |now| match now.schemas.contains_key(&schema) {
            true if if_not_exists => Ok(None),
            true => Err(CatalogError::SchemaExists { schema }),
            false => Ok(Some(Change::CreateSchema { schema })),
        })
        .await
        .map(drop)
    }

    async fn drop_schema(
        &self,
        schema: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), CatalogError> {
        let schema = schema.to_owned();
        self.commit(move |now| match now.schemas.get(&schema) {
            None if if_exists => Ok(None),
            None => Err(CatalogError::SchemaNotFound { schema }),
            Some(_) if schema == DEFAULT_SCHEMA => Err(CatalogError::SchemaPinned { schema }),
            Some(relations) if !relations.is_empty() && !cascade => {
                Err(CatalogError::SchemaNotEmpty {
                    relations: relations.len(),
                    schema,
                })
            }
            Some(_) => Ok(Some(Change::DropSchema { schema })),
        })
        .await
        .map(drop)
    }

    async fn define(
        &self,
        name: &TableName,
        relation: Relation,
        or_replace: bool,
    ) -> Result<(), CatalogError> {
        let name = name.clone();
        self.commit(move |now| {
            check_free(now, &name, &relation, or_replace)?;
            Ok(Some(Change::Put { name, relation }))
        })
        .await
        .map(drop)
    }

    async fn drop_relation(
        &self,
        name: &TableName,
        views: bool,
        if_exists: bool,
    ) -> Result<(), CatalogError> {
        let name = name.clone();
        let kind = if views { "view" } else { "table" };
        self.commit(move |now| match now.entry(&name) {
            None if if_exists => Ok(None),
            None => Err(CatalogError::NotFound { kind, name }),
            Some(entry) if matches!(entry.relation, Relation::View(_)) != views => {
                Err(CatalogError::WrongKind {
                    is: entry.relation.kind(),
                    wanted: if views { "a view" } else { "a table" },
                    name,
                })
            }
            Some(_) => Ok(Some(Change::Drop { name })),
        })
        .await
        .map(drop)
    }

    async fn create_table(&self, table: NewTable) -> Result<Box<dyn TableWriter>, CatalogError> {
        let NewTable {
            name,
            schema,
            defaults,
            or_replace,
        } = table;
        let guard = self.insert_lock(&name).lock_owned().await;
        let table = ManagedTable {
            id: TableId::random(),
            schema,
            defaults,
            files: Vec::new(),
        };
        check_free(
            &self.snapshot(),
            &name,
            &Relation::Managed(table.clone()),
            or_replace,
        )?;
        LocalWriter::boxed(self, name, table, Commit::Create { or_replace }, guard)
    }

    async fn insert(
        &self,
        name: &TableName,
        overwrite: bool,
    ) -> Result<Box<dyn TableWriter>, CatalogError> {
        let guard = self.insert_lock(name).lock_owned().await;
        let table = self.snapshot().managed(name)?.clone();
        let (table, commit) = if overwrite {
            let replaces = table.id.clone();
            (
                ManagedTable {
                    id: TableId::random(),
                    files: Vec::new(),
                    ..table
                },
                Commit::Overwrite { replaces },
            )
        } else {
            (table, Commit::Append)
        };
        LocalWriter::boxed(self, name.clone(), table, commit, guard)
    }
}

/// Whether `name` may be given to `relation`. `OR REPLACE` replaces only a relation of the same sort.
fn check_free(
    now: &Snapshot,
    name: &TableName,
    relation: &Relation,
    or_replace: bool,
) -> Result<(), CatalogError> {
    if !now.schemas.contains_key(&name.schema) {
        return Err(CatalogError::SchemaNotFound {
            schema: name.schema.clone(),
        });
    }
    let is_view = |relation: &Relation| matches!(relation, Relation::View(_));
    let may_replace = |old: &Relation| match (old, relation) {
        (Relation::View(_), new) => is_view(new),
        // A definition that takes the place of rows would lose them.
        (Relation::Managed(_), Relation::External(_)) => false,
        (_, new) => !is_view(new),
    };
    match now.entry(name) {
        None => Ok(()),
        Some(old) if or_replace && may_replace(&old.relation) => Ok(()),
        Some(old) if or_replace => Err(CatalogError::WrongKind {
            name: name.clone(),
            is: old.relation.kind(),
            wanted: relation.kind(),
        }),
        Some(old) => Err(CatalogError::Exists {
            kind: if is_view(&old.relation) {
                "view"
            } else {
                "table"
            },
            name: name.clone(),
        }),
    }
}

/// Commits of written rows, from [`LocalWriter`].
impl LocalTableStore {
    async fn commit_rows(
        &self,
        name: TableName,
        table: ManagedTable,
        files: Vec<DataFile>,
        commit: Commit,
        owner: Arc<Mutex<Files>>,
    ) -> Result<WriteSummary, CatalogError> {
        let rows = files.iter().map(|file| file.rows).sum();
        let version = self
            .commit(move |now| {
                let change = match commit {
                    Commit::Create { or_replace } => {
                        let relation = Relation::Managed(ManagedTable { files, ..table });
                        check_free(now, &name, &relation, or_replace)?;
                        Some(Change::Put { name, relation })
                    }
                    Commit::Overwrite { replaces } => {
                        still_there(now, &name, &replaces)?;
                        Some(Change::Put {
                            name,
                            relation: Relation::Managed(ManagedTable { files, ..table }),
                        })
                    }
                    Commit::Append => {
                        still_there(now, &name, &table.id)?;
                        (!files.is_empty()).then_some(Change::Append {
                            name,
                            id: table.id,
                            files,
                        })
                    }
                };
                owner.lock().hand_to_log()?;
                Ok(change)
            })
            .await?;
        Ok(WriteSummary { rows, version })
    }
}

/// A table can be dropped, or dropped and made anew, while rows for it are on their way.
fn still_there(now: &Snapshot, name: &TableName, id: &TableId) -> Result<(), CatalogError> {
    match now.managed(name)? {
        table if table.id == *id => Ok(()),
        _ => Err(CatalogError::NotFound {
            kind: "table",
            name: name.clone(),
        }),
    }
}
