//! How a temporary table is scanned: batch by batch, each column as it lies in memory.
//!
//! DataFusion's own source of batches copies its list of them with all their columns whenever a plan is made or changed,
//! and counts their bytes whenever somebody asks for statistics. Here a scan shares the table's list, and each batch knows
//! its sizes.

use std::{fmt, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::SchemaRef,
};
use datafusion::{
    common::{
        ColumnStatistics, Result, Statistics, internal_datafusion_err, project_schema,
        stats::Precision,
    },
    datasource::source::{DataSource, DataSourceExec},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr, projection::ProjectionExprs},
    physical_plan::{
        DisplayFormatType, ExecutionPlan, Partitioning,
        coop::cooperative,
        execution_plan::SchedulingType,
        projection::{all_alias_free_columns, new_projections_for_columns},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::stream;

use super::zones::{Zone, Zones};

/// Some columns of some batches.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// By partition.
    partitions: Vec<Arc<[Arc<Zone>]>>,
    /// Positions in the table's schema.
    columns: Vec<usize>,
    /// Theirs.
    schema: SchemaRef,
    /// Rows of each partition at most.
    fetch: Option<usize>,
    /// Whether EXPLAIN says how many batches there are.
    shows_sizes: bool,
}

impl Scan {
    /// Of a table of `schema`, of all its columns where there is no projection.
    pub(super) fn new(
        partitions: Vec<Arc<[Arc<Zone>]>>,
        schema: &SchemaRef,
        projection: Option<&Vec<usize>>,
        shows_sizes: bool,
    ) -> Result<Self> {
        let all = || (0..schema.fields().len()).collect();
        Ok(Self {
            partitions,
            schema: project_schema(schema, projection)?,
            columns: projection.cloned().unwrap_or_else(all),
            fetch: None,
            shows_sizes,
        })
    }

    fn batch(&self, zone: &Zone, rows: usize) -> Result<RecordBatch> {
        let columns = self.columns.iter();
        let columns = columns.map(|column| Arc::clone(zone.batch.column(*column)));
        let all = zone.batch.num_rows();
        let options = RecordBatchOptions::new().with_row_count(Some(all));
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, columns.collect(), &options)?;
        Ok(if rows < all {
            batch.slice(0, rows)
        } else {
            batch
        })
    }
}

/// Whether the plan scans a temporary table, and nothing else.
pub(crate) fn is_scan(plan: &Arc<dyn ExecutionPlan>) -> bool {
    scan_of(plan).is_some()
}

/// The scan of the one batch that may hold rows that pass a filter of its columns, if there is one; `None` where there
/// are more.
pub(crate) fn narrowed(
    plan: &Arc<dyn ExecutionPlan>,
    filter: &Arc<dyn PhysicalExpr>,
) -> Option<Arc<dyn ExecutionPlan>> {
    let scan = scan_of(plan).filter(|scan| scan.fetch.is_none())?;
    let zones: Vec<_> = scan
        .partitions
        .iter()
        .flat_map(|zones| zones.iter())
        .cloned()
        .collect();
    let statistics = Zones {
        schema: &scan.schema,
        columns: &scan.columns,
        zones: &zones,
    };
    // A filter that says nothing about bounds leaves all.
    let keeps = statistics.keeps(Arc::clone(filter)).ok().flatten();
    let kept: Arc<[Arc<Zone>]> = match keeps {
        None => zones.into(),
        Some(keeps) => {
            let kept = zones.into_iter().zip(keeps).filter(|(_, keeps)| *keeps);
            kept.map(|(zone, _)| zone).collect()
        }
    };
    let narrowed = Scan {
        partitions: vec![kept],
        ..scan.clone()
    };
    let has_one = narrowed.partitions[0].len() <= 1;
    has_one.then(|| DataSourceExec::from_data_source(narrowed) as _)
}

fn scan_of(plan: &Arc<dyn ExecutionPlan>) -> Option<&Scan> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    source.data_source().downcast_ref::<Scan>()
}

impl DataSource for Scan {
    fn open(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let zones = self.partitions.get(partition).cloned();
        let zones = zones.ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?;
        let scan = self.clone();
        let mut left = self.fetch.unwrap_or(usize::MAX);
        let batches = (0..zones.len()).map_while(move |index| {
            let zone = &zones[index];
            let rows = zone.batch.num_rows().min(left);
            let is_wanted = left > 0;
            left -= rows;
            is_wanted.then(|| scan.batch(zone, rows))
        });
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::iter(batches));
        Ok(Box::pin(cooperative(rows)))
    }

    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partitions={}", self.partitions.len())?;
        if self.shows_sizes {
            let sizes = self.partitions.iter().map(|zones| zones.len());
            write!(f, ", partition_sizes={:?}", sizes.collect::<Vec<_>>())?;
        }
        match self.fetch {
            Some(fetch) => write!(f, ", fetch={fetch}"),
            None => Ok(()),
        }
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.partitions.len())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn scheduling_type(&self) -> SchedulingType {
        SchedulingType::Cooperative
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let partitions = self.partitions.iter().enumerate();
        let asked = partitions.filter(|(index, _)| partition.is_none_or(|asked| asked == *index));
        let zones: Vec<_> = asked.flat_map(|(_, zones)| zones.iter()).collect();
        let mut bytes = 0;
        let column_statistics = self.columns.iter().map(|column| {
            let mut nulls = 0;
            for zone in &zones {
                let size = zone.size(*column);
                bytes += size.bytes;
                nulls += size.nulls;
            }
            let mut statistics = ColumnStatistics::new_unknown();
            statistics.null_count = Precision::Exact(nulls);
            statistics
        });
        let column_statistics = column_statistics.collect();
        Ok(Arc::new(Statistics {
            num_rows: Precision::Exact(zones.iter().map(|zone| zone.batch.num_rows()).sum()),
            total_byte_size: Precision::Exact(bytes),
            column_statistics,
        }))
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn DataSource>> {
        Some(Arc::new(Self {
            fetch,
            ..self.clone()
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    /// Columns alone, under their own names.
    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let exprs: Vec<_> = projection.iter().cloned().collect();
        if !all_alias_free_columns(&exprs) {
            return Ok(None);
        }
        let places: Vec<_> = (0..self.columns.len()).collect();
        let places = new_projections_for_columns(&exprs, &places);
        Ok(Some(Arc::new(Self {
            schema: project_schema(&self.schema, Some(&places))?,
            columns: places.iter().map(|place| self.columns[*place]).collect(),
            ..self.clone()
        })))
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, AsArray, Int64Array, StringArray},
        datatypes::{DataType, Field, Int64Type, Schema},
    };
    use datafusion::{
        logical_expr::Operator,
        physical_expr::{
            expressions::{BinaryExpr, lit},
            projection::ProjectionExpr,
        },
    };
    use futures::TryStreamExt;

    use super::*;

    fn zone(schema: &SchemaRef, keys: Vec<Option<i64>>) -> Arc<Zone> {
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a"; keys.len()]));
        let keys: ArrayRef = Arc::new(Int64Array::from(keys));
        let batch = RecordBatch::try_new(Arc::clone(schema), vec![names, keys]);
        Zone::new(batch.unwrap())
    }

    fn scan() -> Scan {
        let fields = [("name", DataType::Utf8), ("key", DataType::Int64)];
        let fields = fields.map(|(name, ty)| Field::new(name, ty, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let first = [vec![Some(1), None], vec![Some(3)]];
        let first: Vec<_> = first.map(|keys| zone(&schema, keys)).into();
        let second = vec![zone(&schema, vec![Some(4), None, None])];
        let partitions = vec![first.into(), second.into()];
        Scan::new(partitions, &schema, Some(&vec![1, 0]), true).unwrap()
    }

    async fn keys(source: &dyn DataSource, partition: usize) -> Vec<Option<i64>> {
        let rows = source.open(partition, Arc::default()).unwrap();
        let batches: Vec<_> = rows.try_collect().await.unwrap();
        let keys = batches.iter().flat_map(|batch| {
            let keys = batch.column(0).as_primitive::<Int64Type>();
            keys.iter().collect::<Vec<_>>()
        });
        keys.collect()
    }

    #[tokio::test]
    async fn a_scan_gives_the_rows_and_columns_asked_for() {
        let scan = scan();
        assert_eq!(keys(&scan, 0).await, [Some(1), None, Some(3)]);
        assert_eq!(keys(&scan, 1).await, [Some(4), None, None]);
        assert!(scan.open(2, Arc::default()).is_err());
        for (fetch, rows) in [(0, 0), (1, 1), (2, 2), (9, 3)] {
            let few = scan.with_fetch(Some(fetch)).unwrap();
            assert_eq!(keys(few.as_ref(), 0).await.len(), rows);
        }
        let project = |name: &str, alias: &str| {
            let column = datafusion::physical_expr::expressions::col(name, &scan.schema);
            let exprs = vec![ProjectionExpr {
                expr: column.unwrap(),
                alias: alias.to_owned(),
            }];
            scan.try_swapping_with_projection(&exprs.into()).unwrap()
        };
        let one = project("key", "key").unwrap();
        assert_eq!(keys(one.as_ref(), 1).await, [Some(4), None, None]);
        assert_eq!(one.eq_properties().schema().fields().len(), 1);
        assert!(project("key", "other").is_none());
    }

    #[test]
    fn a_scan_knows_how_many_rows_and_nulls_there_are() {
        let scan = scan();
        for (partition, rows, nulls) in [(None, 6, 3), (Some(0), 3, 1), (Some(1), 3, 2)] {
            let statistics = scan.partition_statistics(partition).unwrap();
            assert_eq!(statistics.num_rows, Precision::Exact(rows));
            let known = statistics.column_statistics.iter();
            let known: Vec<_> = known.map(|column| column.null_count).collect();
            assert_eq!(known, [Precision::Exact(nulls), Precision::Exact(0)]);
            assert!(statistics.total_byte_size.get_value().unwrap() > &0);
        }
    }

    #[test]
    fn a_scan_is_narrowed_to_one_batch_or_not_at_all() {
        let scan = scan();
        let schema = Arc::clone(&scan.schema);
        let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(scan);
        assert!(is_scan(&plan));
        let narrowed = |op: Operator, key: i64| {
            let column = datafusion::physical_expr::expressions::col("key", &schema).unwrap();
            let filter = BinaryExpr::new(column, op, lit(key));
            let plan = narrowed(&plan, &(Arc::new(filter) as _))?;
            let zones = &scan_of(&plan).unwrap().partitions;
            assert_eq!(zones.len(), 1);
            Some(zones[0].len())
        };
        assert_eq!(narrowed(Operator::Eq, 3), Some(1));
        assert_eq!(narrowed(Operator::Gt, 3), Some(1));
        assert_eq!(narrowed(Operator::Eq, 5), Some(0));
        assert_eq!(narrowed(Operator::Lt, 4), None);
        assert_eq!(narrowed(Operator::NotEq, 9), None);
    }
}
