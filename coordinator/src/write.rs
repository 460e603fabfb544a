//! A query's rows into a table: Parquet files of a stored one, or the memory of a session.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    compute::{CastOptions, cast_with_options},
    datatypes::SchemaRef,
};
use catalog::{FileWriter, TableName, TableWriter};
use datafusion::{
    common::DataFusionError,
    execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation},
    logical_expr::LogicalPlan,
    physical_plan::{SendableRecordBatchStream, execute_stream_partitioned},
};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::{
    QueryContext, QueryError, corrupt, drive, expanded, place::Placed, query::to_tasks_here,
    temporary::Gathered,
};

/// Writes all rows of a query, a file for each partition of its plan that has any, and commits. Gives the number of rows.
pub(crate) async fn to_store(
    ctx: &Arc<QueryContext>,
    rows: &LogicalPlan,
    writer: Box<dyn TableWriter>,
) -> Result<u64, QueryError> {
    let placed = start(ctx, rows).await?;
    let writer: Arc<dyn TableWriter> = Arc::from(writer);
    let mut files = JoinSet::new();
    for partition in partitions(ctx, &placed)? {
        let (writer, ctx) = (Arc::clone(&writer), Arc::clone(ctx));
        files.spawn(async move { write_partition(&ctx, partition, &*writer).await });
    }
    let mut outcome = Ok(());
    while let Some(file) = files.join_next().await {
        let file = file.unwrap_or_else(|e| {
            Err(WriteError::Query(QueryError::Internal {
                id: ctx.id(),
                detail: e.to_string(),
            }))
        });
        if let Err(error) = file {
            outcome = Err(error);
            // No task may still be writing when the files are removed.
            files.shutdown().await;
        }
    }
    match outcome {
        Ok(()) => Ok(writer.commit().await?.rows),
        Err(WriteError::Source(source)) => Err(corrupt::explain(ctx, placed.root(), source).await),
        Err(WriteError::Query(error)) => Err(error),
    }
}

enum WriteError {
    /// The query that gives the rows failed.
    Source(DataFusionError),
    Query(QueryError),
}

impl<E: Into<QueryError>> From<E> for WriteError {
    fn from(error: E) -> Self {
        Self::Query(error.into())
    }
}

async fn write_partition(
    ctx: &QueryContext,
    mut rows: SendableRecordBatchStream,
    writer: &dyn TableWriter,
) -> Result<(), WriteError> {
    let pool: Arc<dyn MemoryPool> = Arc::clone(&ctx.pool) as _;
    let memory = MemoryConsumer::new("Parquet writer").register(&pool);
    let mut file: Option<Box<dyn FileWriter>> = None;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(WriteError::Source)?;
        if batch.num_rows() == 0 {
            continue;
        }
        for part in expanded::parts(batch) {
            let part = conform(part, &writer.schema()).map_err(WriteError::Source)?;
            let file = match &mut file {
                Some(file) => file,
                None => file.insert(writer.open_file()?),
            };
            file.write(&part)?;
            memory
                .try_resize(file.memory_bytes())
                .map_err(|e| QueryError::running(ctx.id(), e))?;
        }
    }
    match file {
        Some(file) => Ok(tokio::task::spawn_blocking(move || file.close())
            .await
            .map_err(catalog::CatalogError::Task)??),
        None => Ok(()),
    }
}

/// Collects all rows of a query in memory, charged to the process under the temporary table's name.
pub(crate) async fn to_memory(
    ctx: &Arc<QueryContext>,
    rows: &LogicalPlan,
    table: &TableName,
    schema: &SchemaRef,
) -> Result<(Vec<RecordBatch>, MemoryReservation, u64), QueryError> {
    let placed = start(ctx, rows).await?;
    let memory = ctx.session.temporary().reserve(&table.table);
    let running = |e| QueryError::running(ctx.id(), e);
    let mut parts = JoinSet::new();
    for (number, mut partition) in partitions(ctx, &placed)?.into_iter().enumerate() {
        let (schema, memory) = (Arc::clone(schema), memory.new_empty());
        parts.spawn(async move {
            let mut gathered = Gathered::new(memory, &schema);
            while let Some(batch) = partition.next().await {
                for part in expanded::parts(batch?) {
                    gathered.push(conform(part, &schema)?)?;
                }
            }
            let (batches, memory) = gathered.finish()?;
            Ok::<_, DataFusionError>((number, batches, memory))
        });
    }
    let mut collected = Vec::new();
    while let Some(part) = parts.join_next().await {
        let part = part.map_err(|e| QueryError::Internal {
            id: ctx.id(),
            detail: e.to_string(),
        })?;
        match part {
            Ok(part) => collected.push(part),
            Err(source) => return Err(corrupt::explain(ctx, placed.root(), source).await),
        }
    }
    // Partitions in their order, so that the rows of an ordered query stay in order.
    collected.sort_by_key(|(number, ..)| *number);
    let mut all = Vec::new();
    for (_, batches, part) in collected {
        memory.try_grow(part.free()).map_err(running)?;
        all.extend(batches);
    }
    let field = |index: usize| schema.field(index).name().clone();
    for batch in &all {
        for (index, column) in batch.columns().iter().enumerate() {
            if !schema.field(index).is_nullable() && column.logical_null_count() > 0 {
                return Err(catalog::CatalogError::NullInColumn {
                    name: table.clone(),
                    column: field(index),
                }
                .into());
            }
        }
    }
    let count = all.iter().map(|batch| batch.num_rows() as u64).sum();
    let typed =
        |batch: RecordBatch| RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec());
    let all = all.into_iter().map(typed).collect::<Result<_, _>>();
    Ok((all.map_err(|e| running(e.into()))?, memory, count))
}

async fn start(ctx: &Arc<QueryContext>, rows: &LogicalPlan) -> Result<Placed, QueryError> {
    let placed = to_tasks_here(ctx, rows).await?;
    ctx.process().runs_plan(placed.root());
    Ok(placed)
}

fn partitions(
    ctx: &QueryContext,
    placed: &Placed,
) -> Result<Vec<SendableRecordBatchStream>, QueryError> {
    let task = drive::task_context(ctx, drive::stop_by_kill(ctx));
    let partitions = execute_stream_partitioned(Arc::clone(placed.root()), task)
        .map_err(|e| QueryError::running(ctx.id(), e))?;
    Ok(partitions.into_iter().map(corrupt::catch_panics).collect())
}

/// The batch with the table's column types: a query may give dictionaries or other string layouts.
fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
    // A value that does not fit is an error, never a NULL.
    let exact = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        columns.push(match column.data_type() == field.data_type() {
            true => Arc::clone(column),
            false => cast_with_options(column, field.data_type(), &exact)?,
        });
    }
    // Nullability is the writer's to check, with a message that names the table.
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Ok(RecordBatch::try_new(
        Arc::new(arrow::datatypes::Schema::new(fields)),
        columns,
    )?)
}
