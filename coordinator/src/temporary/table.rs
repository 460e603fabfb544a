//! One version of a temporary table, and how it is scanned.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DFSchema, Result},
    datasource::{source::DataSourceExec, source_as_provider},
    execution::memory_pool::MemoryReservation,
    logical_expr::{Expr, TableProviderFilterPushDown, TableSource, TableType, utils::conjunction},
    physical_plan::ExecutionPlan,
};

use super::{
    scan::Scan,
    zones::{Zone, Zones},
};

/// One version of a temporary table. An `INSERT` makes a new version; running queries keep the old one.
#[derive(Debug)]
pub(crate) struct TemporaryTable {
    pub(crate) schema: SchemaRef,
    zones: Arc<[Arc<Zone>]>,
}

impl TemporaryTable {
    pub(super) fn new(
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        memory: MemoryReservation,
    ) -> Self {
        Self {
            schema,
            zones: Zone::all(batches, memory).collect(),
        }
    }

    /// The next version, with more rows.
    pub(super) fn with_rows(&self, batches: Vec<RecordBatch>, memory: MemoryReservation) -> Self {
        let added = Zone::all(batches, memory);
        Self {
            schema: Arc::clone(&self.schema),
            zones: self.zones.iter().cloned().chain(added).collect(),
        }
    }

    /// The batches that may hold rows that pass all `filters`, in their order.
    fn surviving(&self, session: &dyn Session, filters: &[Expr]) -> Arc<[Arc<Zone>]> {
        // A filter that says nothing about bounds leaves all batches: whoever asks applies it to the rows anyway.
        let Some(keeps) = self.keeps(session, filters).ok().flatten() else {
            return Arc::clone(&self.zones);
        };
        let kept = self.zones.iter().zip(keeps).filter(|(_, keeps)| *keeps);
        kept.map(|(zone, _)| Arc::clone(zone)).collect()
    }

    /// For each batch whether it may hold such rows; `None` where all may.
    fn keeps(&self, session: &dyn Session, filters: &[Expr]) -> Result<Option<Vec<bool>>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(None);
        };
        let columns = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filter = session.create_physical_expr(filter, &columns)?;
        let all: Vec<_> = (0..self.schema.fields().len()).collect();
        let zones = Zones {
            schema: &self.schema,
            columns: &all,
            zones: &self.zones,
        };
        zones.keeps(filter)
    }
}

/// Whether a plan that names the table reads one version of a temporary table.
pub(crate) fn is_table(source: &Arc<dyn TableSource>) -> bool {
    source_as_provider(source).is_ok_and(|table| table.is::<TemporaryTable>())
}

#[async_trait]
impl TableProvider for TemporaryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    /// Filters say which batches need not be read; those that are read hold other rows, too.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    /// A scan in as many parts as the session wants, each with neighbouring rows.
    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let zones = self.surviving(session, filters);
        let partitions = session.config().target_partitions().max(1);
        let parts = match partitions == 1 || zones.len() <= 1 {
            true => vec![zones],
            false => {
                let per_partition = zones.len().div_ceil(partitions);
                zones.chunks(per_partition).map(Arc::from).collect()
            }
        };
        let shows_sizes = session.config_options().explain.show_sizes;
        let source = Scan::new(parts, &self.schema, projection, shows_sizes)?;
        Ok(DataSourceExec::from_data_source(source))
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, Int64Array},
        datatypes::{DataType, Field, Schema},
    };
    use datafusion::{
        execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool},
        prelude::{SessionContext, col, lit},
    };

    use super::*;

    #[tokio::test]
    async fn a_key_is_looked_for_in_the_batches_it_can_be_in() {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let batch = |from: i64| {
            let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 10));
            RecordBatch::try_new(Arc::clone(&schema), vec![keys]).unwrap()
        };
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let reserve = || MemoryConsumer::new("t").register(&pool);
        let table = TemporaryTable::new(Arc::clone(&schema), vec![batch(0), batch(10)], reserve());
        let table = table.with_rows(vec![batch(20)], reserve());
        let state = SessionContext::new().state();
        for (filter, first_keys) in [
            (col("k").eq(lit(15_i64)), &[10][..]),
            (
                col("k").gt(lit(8_i64)).and(col("k").lt(lit(12_i64))),
                &[0, 10],
            ),
            (col("k").eq(lit(70_i64)), &[]),
            (col("k").is_null(), &[]),
            ((col("k") % lit(2_i64)).eq(lit(0_i64)), &[0, 10, 20]),
        ] {
            let kept = table.surviving(&state, std::slice::from_ref(&filter));
            let first = |zone: &Arc<Zone>| {
                let keys = zone.batch.column(0).as_any().downcast_ref::<Int64Array>();
                keys.unwrap().value(0)
            };
            let kept: Vec<_> = kept.iter().map(first).collect();
            assert_eq!(kept, first_keys, "{filter}");
        }
    }
}
