//! Batches on their way into a fragment and out of it.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions},
    compute::cast,
    datatypes::{DataType, FieldRef, Schema, SchemaRef},
};
use datafusion::common::{DataFusionError, Result};

use crate::lower::Feed;

/// The columns of a fragment's input, out of a batch of its source.
pub(super) fn fed<'a>(part: &'a RecordBatch, feeds: &[Feed]) -> Result<Cow<'a, [ArrayRef]>> {
    let in_order = |(index, feed): (usize, &Feed)| *feed == Feed::Column(index);
    if feeds.len() == part.num_columns() && feeds.iter().enumerate().all(in_order) {
        return Ok(Cow::Borrowed(part.columns()));
    }
    let columns = feeds.iter().map(|feed| match feed {
        Feed::Column(index) => Ok(Arc::clone(part.column(*index))),
        Feed::Computed(expr) => expr.evaluate(part)?.into_array(part.num_rows()),
    });
    columns.collect::<Result<_>>().map(Cow::Owned)
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
pub(super) fn slice_bytes(columns: &[ArrayRef]) -> usize {
    let bytes = columns.iter().map(|column| match column.data_type() {
        DataType::Boolean => column.len().div_ceil(8),
        DataType::Utf8View => column.len() * size_of::<u128>(),
        other => match other.primitive_width() {
            Some(width) => column.len() * width,
            None => column.to_data().get_slice_memory_size().unwrap_or(0),
        },
    });
    bytes.sum()
}
