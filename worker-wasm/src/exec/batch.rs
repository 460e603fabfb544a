//! Batches on their way into a fragment and out of it.

use std::{collections::VecDeque, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions},
    compute::cast,
    datatypes::{DataType, FieldRef, Schema, SchemaRef},
};
use datafusion::common::{DataFusionError, Result};

use crate::{abi, lower::Feed};

/// A batch in parts of as many rows as a module takes at once.
pub(super) fn parts(batch: RecordBatch) -> VecDeque<RecordBatch> {
    let rows = batch.num_rows();
    if (1..=abi::BATCH_ROWS_MAX).contains(&rows) {
        return VecDeque::from([batch]);
    }
    let part = |start: usize| batch.slice(start, abi::BATCH_ROWS_MAX.min(rows - start));
    (0..rows).step_by(abi::BATCH_ROWS_MAX).map(part).collect()
}

/// The columns of a fragment's input, out of a batch of its source. `schema` is theirs, once it is known.
pub(super) fn fed(
    part: &RecordBatch,
    feeds: &[Feed],
    schema: &mut Option<SchemaRef>,
) -> Result<RecordBatch> {
    let in_order = |(index, feed): (usize, &Feed)| *feed == Feed::Column(index);
    if feeds.len() == part.num_columns() && feeds.iter().enumerate().all(in_order) {
        return Ok(part.clone());
    }
    let columns = feeds.iter().map(|feed| match feed {
        Feed::Column(index) => Ok(Arc::clone(part.column(*index))),
        Feed::Computed(expr) => expr.evaluate(part)?.into_array(part.num_rows()),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let schema = match schema {
        Some(schema) => schema,
        None => {
            let fields = feeds.iter().map(|feed| match feed {
                Feed::Column(index) => Ok(Arc::clone(&part.schema_ref().fields()[*index])),
                Feed::Computed(expr) => expr.return_field(part.schema_ref()),
            });
            let fields = fields.collect::<Result<Vec<_>>>()?;
            schema.insert(Arc::new(Schema::new(fields)))
        }
    };
    let options = RecordBatchOptions::new().with_row_count(Some(part.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    batch.map_err(DataFusionError::from)
}

/// The guest's columns under the plan's names, text in the form the plan has it.
pub(super) fn named(rows: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let (_, columns, _) = rows.into_parts();
    let columns = columns.into_iter().zip(schema.fields());
    let columns = columns.map(
        |(column, field)| match column.data_type() == field.data_type() {
            true => Ok(column),
            false => cast(&column, field.data_type()),
        },
    );
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let named = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    named.map_err(DataFusionError::from)
}

/// The same columns, each of which may have nulls.
pub(super) fn loose(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows under the plan's own schema, as far as that is true of them.
///
/// Plans deny nulls that are there, behind a set operation for one. DataFusion's operators pass such rows on.
pub(super) fn strict(rows: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let fields = schema.fields().iter().zip(rows.columns());
    let denied =
        |(field, column): (&FieldRef, &ArrayRef)| !field.is_nullable() && column.null_count() > 0;
    match fields.into_iter().any(denied) {
        true => Ok(rows),
        false => {
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let (_, columns, _) = rows.into_parts();
            let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
            rows.map_err(DataFusionError::from)
        }
    }
}

/// Bytes of the rows, not of the buffers they are slices of; of text its views alone.
pub(super) fn slice_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let bytes = columns.map(|column| match column.data_type() {
        DataType::Boolean => column.len().div_ceil(8),
        DataType::Utf8View => column.len() * size_of::<u128>(),
        other => match other.primitive_width() {
            Some(width) => column.len() * width,
            None => column.to_data().get_slice_memory_size().unwrap_or(0),
        },
    });
    bytes.sum()
}
