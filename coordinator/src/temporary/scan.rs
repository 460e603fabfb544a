//! How a temporary table is scanned: batch by batch, each column as it lies in memory.
//!
//! DataFusion's own source of batches copies its list of them with all their columns whenever a plan is made or changed,
//! and counts their bytes whenever somebody asks for statistics. Here a scan shares the table's list, and each batch knows
//! its sizes. A fragment asks for columns of numbers in fewer bits than the plan has; each batch keeps such copies, too, and others
//! for questions about a column ([`super::short`]).

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, task::Poll};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    common::{
        ColumnStatistics, Result, Statistics, internal_err, project_schema, stats::Precision,
    },
    datasource::source::{DataSource, DataSourceExec},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{
        EquivalenceProperties, PhysicalExpr, expressions::Column, projection::ProjectionExprs,
    },
    physical_plan::{
        DisplayFormatType, ExecutionPlan, Partitioning, coop::cooperative,
        execution_plan::SchedulingType, stream::RecordBatchStreamAdapter,
    },
};
use futures::stream;
use worker_wasm::scan::{Narrowed, narrow_type};

use super::{
    claims::Claims,
    numbers::schema_of,
    short::Shorts,
    zones::{Zone, Zones},
};

/// Some columns of some batches.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// By partition, what it reads as long as no other has time for it.
    partitions: Vec<Arc<[Arc<Zone>]>>,
    claims: Arc<Claims>,
    /// Positions in the table's schema.
    columns: Vec<usize>,
    /// Theirs. A column with fewer bits than in the table is handed out in as few as its values fit.
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
            claims: claims_of(&partitions),
            partitions,
            schema: project_schema(schema, projection)?,
            columns: projection.cloned().unwrap_or_else(all),
            fetch: None,
            shows_sizes,
        })
    }

    /// The first `rows` rows. `given` is the schema of the batch before.
    fn batch(&self, zone: &Zone, rows: usize, given: &mut SchemaRef) -> Result<RecordBatch> {
        let is_part = rows < zone.batch.num_rows();
        let columns = self.columns.iter().zip(self.schema.fields());
        let columns = columns.map(|(index, field)| {
            let column = zone.batch.column(*index);
            let column = match column.data_type() == field.data_type() {
                true => column,
                false => zone.narrow(*index),
            };
            match is_part {
                true => column.slice(0, rows),
                false => Arc::clone(column),
            }
        });
        let columns: Vec<_> = columns.collect();
        *given = schema_of(given, &columns);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(given);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

fn claims_of(partitions: &[Arc<[Arc<Zone>]>]) -> Arc<Claims> {
    Arc::new(Claims::of(partitions.iter().map(|zones| zones.len())))
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
    if kept.len() > 1 {
        return None;
    }
    let partitions = vec![kept];
    Some(DataSourceExec::from_data_source(Scan {
        claims: claims_of(&partitions),
        partitions,
        ..scan.clone()
    }))
}

/// The same scan for another run, if the plan is one of a temporary table: nobody has read any of it.
pub(crate) fn unread(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let scan = scan_of(plan)?;
    Some(DataSourceExec::from_data_source(Scan {
        claims: claims_of(&scan.partitions),
        ..scan.clone()
    }))
}

/// Copies of a column of the plan in few bits, if it scans a temporary table.
pub(crate) fn shorts(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<Shorts> {
    let scan = scan_of(plan)?;
    let zones = scan.partitions.iter().flat_map(|zones| zones.iter());
    Shorts::new(zones, *scan.columns.get(column)?)
}

fn scan_of(plan: &Arc<dyn ExecutionPlan>) -> Option<&Scan> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    source.data_source().downcast_ref::<Scan>()
}

impl DataSource for Scan {
    fn open(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition >= self.partitions.len() {
            return internal_err!("no partition {partition}");
        }
        let scan = self.clone();
        let mut left = self.fetch.unwrap_or(usize::MAX);
        let mut given = Arc::clone(&self.schema);
        let mut batches = (0..).map_while(move |nth| {
            let claim = match left {
                0 => None,
                _ => scan.claims.nth(partition, nth),
            }?;
            let zone = &scan.partitions[claim.partition][claim.index];
            let rows = zone.batch.num_rows().min(left);
            left -= rows;
            Some(scan.batch(zone, rows, &mut given))
        });
        // Lets another thread go on with this partition. Nothing here waits, and a task that has woken another one, as the
        // one that built a join's table does, keeps that one waiting until it gives up its thread: tokio runs it next on the
        // same thread, and no other thread may take it.
        let mut is_to_be_offered = self.partitions.len() > 1;
        let batches = stream::poll_fn(move |context| {
            if std::mem::take(&mut is_to_be_offered) {
                // Not `yield_now`, which waits until this thread has nothing else to do.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(batches.next())
        });
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches);
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
        if partition.is_some() && self.partitions.len() > 1 {
            // What one of them reads is known when it has read.
            return Ok(Arc::new(Statistics::new_unknown(&self.schema)));
        }
        let zones: Vec<_> = self
            .partitions
            .iter()
            .flat_map(|zones| zones.iter())
            .collect();
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

    /// Columns alone, under their own names, and narrowed ones.
    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let columns = projection.iter().map(|projected| {
            let narrowed = projected.expr.downcast_ref::<Narrowed>();
            let expr = narrowed.map_or(&projected.expr, Narrowed::input);
            let column = expr.downcast_ref::<Column>()?;
            let is_own = column.name() == projected.alias;
            is_own.then(|| (column.index(), narrowed.is_some()))
        });
        let Some(columns) = columns.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let fields = columns.iter().map(|(place, is_narrowed)| {
            let field = self.schema.field(*place);
            match narrow_type(field.data_type()) {
                Some(narrow) if *is_narrowed => field.clone().with_data_type(narrow),
                _ => field.clone(),
            }
        });
        let fields: Vec<_> = fields.collect();
        let metadata = self.schema.metadata().clone();
        Ok(Some(Arc::new(Self {
            schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
            columns: columns
                .iter()
                .map(|(place, _)| self.columns[*place])
                .collect(),
            ..self.clone()
        })))
    }
}
