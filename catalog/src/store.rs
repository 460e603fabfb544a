//! The contract between queries and whatever keeps table definitions.
//!
//! A reader takes one [`Snapshot`] for its whole statement: tables, views and file lists of one version.
//! A writer of rows gets a [`TableWriter`]: its files become visible whole, at `commit`, or not at all.
//! Writers of one table are serialised; writers of different tables are not.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;

use crate::{CatalogError, ManagedTable, Relation, TableFolder, TableName};

/// One version of everything in the catalog. Cheap to clone, never changes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Number of changes since the store was made.
    pub version: u64,
    pub schemas: BTreeMap<String, BTreeMap<String, Arc<Entry>>>,
}

/// A relation in a snapshot.
#[derive(Debug)]
pub struct Entry {
    pub relation: Relation,
    /// Set for managed tables: keeps the files on disk while someone may read them.
    pub folder: Option<Arc<TableFolder>>,
}

impl Snapshot {
    /// The relation of that name in this version.
    pub fn entry(&self, name: &TableName) -> Option<&Arc<Entry>> {
        self.schemas.get(&name.schema)?.get(&name.table)
    }

    /// The managed table of that name, or why there is none to write to.
    pub fn managed(&self, name: &TableName) -> Result<&ManagedTable, CatalogError> {
        let entry = self.entry(name).ok_or_else(|| CatalogError::NotFound {
            kind: "table",
            name: name.clone(),
        })?;
        match &entry.relation {
            Relation::Managed(table) => Ok(table),
            other => Err(CatalogError::WrongKind {
                name: name.clone(),
                is: other.kind(),
                wanted: "a table that can be written to",
            }),
        }
    }
}

/// What `CREATE TABLE` says of a managed table.
#[derive(Debug, Clone)]
pub struct NewTable {
    pub name: TableName,
    pub schema: SchemaRef,
    /// `(column, SQL expression)`.
    pub defaults: Vec<(String, String)>,
    /// Takes the place of an existing table of that name.
    pub or_replace: bool,
}

/// What a commit made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteSummary {
    pub rows: u64,
    /// Catalog version of the commit.
    pub version: u64,
}

/// Keeps definitions and the list of every managed table's files.
///
/// Every change is durable when its call returns `Ok`, and absent after a crash if it returned nothing.
#[async_trait]
pub trait TableStore: Debug + Send + Sync + 'static {
    fn snapshot(&self) -> Arc<Snapshot>;

    async fn create_schema(&self, schema: &str, if_not_exists: bool) -> Result<(), CatalogError>;
    /// With `cascade`, the schema's relations go with it, in the same change.
    async fn drop_schema(
        &self,
        schema: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), CatalogError>;
    /// Defines a view or an external table.
    async fn define(
        &self,
        name: &TableName,
        relation: Relation,
        or_replace: bool,
    ) -> Result<(), CatalogError>;
    /// Drops a relation of the wanted sort: `views` says whether a view or a table was named.
    async fn drop_relation(
        &self,
        name: &TableName,
        views: bool,
        if_exists: bool,
    ) -> Result<(), CatalogError>;

    /// Starts `CREATE TABLE`; nothing is visible before the writer commits.
    async fn create_table(&self, table: NewTable) -> Result<Box<dyn TableWriter>, CatalogError>;
    /// Starts an `INSERT`, after waiting for an earlier one into the same table to end.
    /// With `overwrite`, the new rows take the place of all old ones at commit.
    async fn insert(
        &self,
        name: &TableName,
        overwrite: bool,
    ) -> Result<Box<dyn TableWriter>, CatalogError>;
}

/// Rows on their way into one managed table. Dropped without `commit`, it leaves nothing behind.
#[async_trait]
pub trait TableWriter: Debug + Send + Sync {
    /// Schema that pushed batches must have.
    fn schema(&self) -> SchemaRef;
    /// A file of its own, so that the partitions of a plan can be written side by side.
    fn open_file(&self) -> Result<Box<dyn FileWriter>, CatalogError>;
    /// Makes all closed files visible. Called once, when no file is open any more.
    async fn commit(&self) -> Result<WriteSummary, CatalogError>;
}

/// One Parquet file being written. Blocking: it encodes and writes on the calling thread.
pub trait FileWriter: Debug + Send {
    /// Errors: [`CatalogError::NullInColumn`] where the batch breaks a `NOT NULL`; IO.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), CatalogError>;
    /// Bytes held in memory for the unfinished row group.
    fn memory_bytes(&self) -> usize;
    /// Finishes the file and makes its bytes durable. A file without rows is removed.
    fn close(self: Box<Self>) -> Result<(), CatalogError>;
}
