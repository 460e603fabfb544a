//! Temporary tables: Arrow batches that live in a session and are charged to the process's memory.

mod claims;
mod gathered;
mod numbers;
mod scan;
mod short;
mod table;
mod zones;

use std::{collections::BTreeMap, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use parking_lot::RwLock;

pub(crate) use self::{
    gathered::Gathered,
    scan::{is_scan, narrowed, shorts, unread},
    short::{FromBase, Shorts},
    table::{TemporaryTable, is_table},
};
use crate::{kept::KeptPlans, memory::ProcessPool};

/// Temporary tables by name, at one moment.
pub(crate) type Tables = Arc<BTreeMap<String, Arc<TemporaryTable>>>;

/// The temporary tables of one session.
#[derive(Debug)]
pub(crate) struct TemporaryTables {
    pool: Arc<dyn MemoryPool>,
    tables: RwLock<Tables>,
    /// Made from these tables and no others.
    plans: KeptPlans,
}

impl TemporaryTables {
    pub(crate) fn new(pool: Arc<ProcessPool>) -> Self {
        Self {
            pool,
            tables: RwLock::default(),
            plans: KeptPlans::default(),
        }
    }

    /// The session's plans that may be used again.
    pub(crate) fn plans(&self) -> &KeptPlans {
        &self.plans
    }

    /// The tables as of now.
    pub(crate) fn all(&self) -> Tables {
        Arc::clone(&self.tables.read())
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<TemporaryTable>> {
        self.tables.read().get(name).cloned()
    }

    /// A reservation to charge rows to while they are collected.
    pub(crate) fn reserve(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(format!("temporary table \"{name}\"")).register(&self.pool)
    }

    /// Makes the table, or takes the place of the one there.
    pub(crate) fn put(
        &self,
        name: &str,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        memory: MemoryReservation,
    ) {
        let table = TemporaryTable::new(schema, batches, memory);
        self.change(|tables| tables.insert(name.to_owned(), Arc::new(table)));
    }

    /// Adds rows; `false` where the table is no longer there.
    pub(crate) fn append(
        &self,
        name: &str,
        batches: Vec<RecordBatch>,
        memory: MemoryReservation,
    ) -> bool {
        self.change(|tables| {
            let Some(old) = tables.get(name) else {
                return false;
            };
            let table = old.with_rows(batches, memory);
            tables.insert(name.to_owned(), Arc::new(table));
            true
        })
    }

    pub(crate) fn remove(&self, name: &str) -> bool {
        self.change(|tables| tables.remove(name).is_some())
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<TemporaryTable>>) -> T) -> T {
        let mut tables = self.tables.write();
        let mut next = BTreeMap::clone(&tables);
        let result = change(&mut next);
        *tables = Arc::new(next);
        drop(tables);
        self.plans.clear();
        result
    }
}
