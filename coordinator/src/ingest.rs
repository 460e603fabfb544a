//! Rows that a client sends, into a table: made, added to, or replaced as the client wants it.
//!
//! The rows are a plan's only input, so a table is written as by INSERT or CREATE TABLE .. AS: all of them or none.
//! Columns find those of an existing table by name; a column that is not sent takes its default.
//! Errors: `CatalogError::Exists` and `NotFound` where the table is there or not against the client's wish,
//! [`QueryError::Plan`] for columns that the table does not have.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use catalog::{CatalogError, TableName};
use datafusion::{
    catalog::streaming::StreamingTable,
    common::{Column, DataFusionError, Result, ScalarValue, exec_err},
    datasource::provider_as_source,
    execution::TaskContext,
    logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder},
    physical_plan::{
        SendableRecordBatchStream, stream::RecordBatchStreamAdapter, streaming::PartitionStream,
    },
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use parking_lot::Mutex;

use crate::{
    Prepared, QueryContext, QueryError, Session, StatementOptions,
    bind::{self, Bound},
    command::{Command, CreateTable, Insert, Target},
    expanded, names, query,
};

/// Rows as they arrive.
pub type IngestRows = BoxStream<'static, Result<RecordBatch, DataFusionError>>;

/// Rows of a batch whose columns take no bytes for them.
const HOLLOW_ROWS_MAX: usize = 8_192;

/// The table that rows are for.
#[derive(Debug, Clone)]
pub struct IngestTarget {
    /// `None` for the session's.
    pub schema: Option<String>,
    pub table: String,
    pub temporary: bool,
    /// Whether the table is made where there is none.
    pub create: bool,
    pub if_exists: IfExists,
}

/// What becomes of a table that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    Fail,
    Append,
    Replace,
}

impl Session {
    /// Makes ready to write rows into a table; running it reads them.
    pub async fn prepare_ingest(
        self: &Arc<Self>,
        target: IngestTarget,
        columns: SchemaRef,
        rows: IngestRows,
        options: StatementOptions,
    ) -> Result<Prepared, QueryError> {
        let ctx = self.begin(&format!("-- ingest into {}", target.table), &options)?;
        let for_plan = Arc::clone(&ctx);
        let planned = async move {
            let command = command(&for_plan, &target, columns, rows)?;
            query::plan_bound(for_plan, Bound::Command(command)).await
        };
        Self::planning(&ctx, &options, planned).await
    }
}

fn command(
    ctx: &QueryContext,
    target: &IngestTarget,
    columns: SchemaRef,
    rows: IngestRows,
) -> Result<Command, QueryError> {
    let planning = |e| QueryError::planning(ctx.id(), e);
    let schema = target.schema.as_deref().unwrap_or(ctx.schema());
    let name = TableName::new(schema, &target.table);
    let existing = match target.temporary {
        true => ctx.session.temporary().get(&name.table).map(|_| ()),
        false => ctx.snapshot.entry(&name).map(|_| ()),
    };
    let scan = scan(columns, rows).map_err(planning)?;
    match (existing, target.if_exists) {
        (None, _) if !target.create => Err(CatalogError::NotFound {
            kind: "table",
            name,
        }
        .into()),
        (Some(()), IfExists::Fail) => Err(CatalogError::Exists {
            kind: "table",
            name,
        }
        .into()),
        (Some(()), IfExists::Append) => append(ctx, name, target.temporary, scan),
        (existing, _) => {
            bind::check_new_name(&name)?;
            Ok(Command::CreateTable(CreateTable {
                name,
                schema: bind::table_schema(scan.schema().as_arrow(), false)?,
                defaults: Vec::new(),
                rows: Some(Box::new(scan)),
                or_replace: existing.is_some(),
                if_not_exists: false,
                temporary: target.temporary,
            }))
        }
    }
}

fn append(
    ctx: &QueryContext,
    name: TableName,
    temporary: bool,
    scan: LogicalPlan,
) -> Result<Command, QueryError> {
    let planning = |e| QueryError::planning(ctx.id(), e);
    let (columns, defaults, target) = match ctx.session.temporary().get(&name.table) {
        Some(table) if temporary => (Arc::clone(&table.schema), Vec::new(), Target::Temporary),
        _ => {
            let table = ctx.snapshot.managed(&name)?;
            let columns = Arc::clone(&table.schema);
            (columns, table.defaults.clone(), Target::Stored)
        }
    };
    for field in scan.schema().fields() {
        if columns.column_with_name(field.name()).is_none() {
            let text = format!("table \"{name}\" has no column \"{}\"", field.name());
            return Err(QueryError::Plan {
                source: DataFusionError::Plan(text),
            });
        }
    }
    let assigned = columns.fields().iter().map(|field| {
        let default = defaults.iter().find(|(column, _)| column == field.name());
        let value = if scan.schema().has_column_with_unqualified_name(field.name()) {
            Expr::Column(Column::new_unqualified(field.name()))
        } else if let Some((_, sql)) = default {
            names::parse_default(&ctx.state, sql)?
        } else {
            Expr::Literal(ScalarValue::Null, None)
        };
        let value = value.cast_to(field.data_type(), scan.schema())?;
        Ok(value.alias(field.name()))
    });
    let assigned = assigned.collect::<Result<Vec<_>>>().map_err(planning)?;
    let rows = LogicalPlanBuilder::from(scan)
        .project(assigned)
        .and_then(LogicalPlanBuilder::build)
        .map_err(planning)?;
    Ok(Command::Insert(Insert {
        name,
        target,
        rows: Box::new(rows),
        overwrite: false,
    }))
}

fn scan(columns: SchemaRef, rows: IngestRows) -> Result<LogicalPlan> {
    let rows = rows.map_ok(|batch| stream::iter(slices(batch).map(Ok::<_, DataFusionError>)));
    let arriving = Arriving {
        columns: Arc::clone(&columns),
        rows: Mutex::new(Some(rows.try_flatten().boxed())),
    };
    let table = StreamingTable::try_new(columns, vec![Arc::new(arriving)])?;
    LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(table)), None)?.build()
}

/// The batch, in parts where columns claim more rows than their bytes hold, as one of type Null may, or say one large value
/// for many: what such a column is cast to is made for all rows of a batch at once.
fn slices(batch: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let is_hollow = |column: &ArrayRef| column.get_array_memory_size() < rows / 8;
    let step = match batch.columns().iter().any(is_hollow) {
        true => HOLLOW_ROWS_MAX,
        false => rows.max(1),
    };
    let starts = (0..rows.max(1)).step_by(step);
    let slices = starts.map(move |start| batch.slice(start, step.min(rows - start)));
    slices.flat_map(expanded::parts)
}

/// The rows as a partition that can be read once.
struct Arriving {
    columns: SchemaRef,
    rows: Mutex<Option<IngestRows>>,
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl PartitionStream for Arriving {
    fn schema(&self) -> &SchemaRef {
        &self.columns
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().take().unwrap_or_else(|| {
            Box::pin(futures::stream::once(async {
                exec_err!("the rows of a client are read a second time")
            }))
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.columns),
            rows,
        ))
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{
            DictionaryArray, Int8Array, Int64Array, LargeStringArray, NullArray, StringViewArray,
        },
        datatypes::{Field, Schema},
    };

    use super::*;
    use crate::drive::tests::{engine, run};

    #[test]
    fn only_batches_that_claim_rows_are_cut() {
        let batch = |columns: Vec<ArrayRef>| {
            let named = columns.into_iter().enumerate();
            RecordBatch::try_from_iter(named.map(|(index, column)| (index.to_string(), column)))
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
        let nulls: ArrayRef = Arc::new(NullArray::new(20_000));
        let empty: ArrayRef = Arc::new(NullArray::new(0));
        for (columns, sizes) in [
            (vec![Arc::clone(&numbers)], &[20_000][..]),
            (vec![numbers, nulls], &[8_192, 8_192, 3_616]),
            (vec![empty], &[0]),
        ] {
            let cut = slices(batch(columns).unwrap());
            let cut: Vec<_> = cut.map(|part| part.num_rows()).collect();
            assert_eq!(cut, sizes);
        }
    }

    #[tokio::test]
    async fn values_that_only_claim_to_be_many_do_not_take_the_servers_memory() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        run(&session, "CREATE TEMPORARY TABLE t (k VARCHAR)")
            .await
            .unwrap();
        let long = || vec!["x".repeat(1 << 20)];
        let keys = Int8Array::from(vec![0; 1_000_000]);
        let text = Arc::new(LargeStringArray::from(long()));
        let views = StringViewArray::from_iter_values(long());
        let first = vec![views.views()[0]; 100_000];
        let buffers = views.data_buffers().to_vec();
        let columns: [ArrayRef; 3] = [
            Arc::new(NullArray::new(1 << 47)),
            Arc::new(DictionaryArray::new(keys, text)),
            Arc::new(StringViewArray::new(first.into(), buffers, None)),
        ];
        for column in columns {
            let target = IngestTarget {
                schema: None,
                table: "t".into(),
                temporary: true,
                create: false,
                if_exists: IfExists::Append,
            };
            let data_type = column.data_type().clone();
            let field = Field::new("k", data_type.clone(), true);
            let schema = Arc::new(Schema::new(vec![field]));
            let rows = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
            let rows = stream::iter([Ok(rows)]).boxed();
            let options = StatementOptions::default();
            let prepared = session.prepare_ingest(target, schema, rows, options).await;
            let error = prepared.unwrap().run(None).await.unwrap_err();
            assert!(
                matches!(error, QueryError::OutOfMemory { .. }),
                "{data_type}: {error}"
            );
        }
    }
}
