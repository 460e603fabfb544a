//! Batches that an operator keeps have their text to themselves.
//!
//! Rows that a join gives have views into all text that it holds, however few of them there are. Whoever keeps such batches,
//! as the build side of the next join does, is charged that text once for each batch: by DataFusion's count TPC-H Q18 wanted
//! 19 GB for what takes three.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch},
    datatypes::{ByteViewType, DataType},
};
use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec},
        sorts::sort::SortExec,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;

/// Text that a column of a batch may keep beside its own, in bytes.
const OTHERS_BYTES_MAX: usize = 256 << 10;

/// Text that is copied, in bytes: `gc` goes another way where it takes more than one buffer.
const COPIED_BYTES_MAX: usize = 1 << 30;

/// The plan where native operators that keep their input get batches with text of their own.
///
/// # Errors
///
/// What an operator says of an input that it does not take.
pub fn own_kept_text(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let kept = plan.transform_up(|node| {
        if !keeps_first_input(node.as_ref()) || !has_views(node.children()[0]) {
            return Ok(Transformed::no(node));
        }
        let mut children: Vec<_> = node.children().into_iter().cloned().collect();
        let input = children.remove(0);
        children.insert(0, OwnTextExec::of(input));
        node.with_new_children(children).map(Transformed::yes)
    });
    kept.map(|kept| kept.data)
}

fn keeps_first_input(plan: &dyn ExecutionPlan) -> bool {
    let sorts_all = |sort: &SortExec| sort.fetch().is_none();
    plan.is::<HashJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<CrossJoinExec>()
        || plan.downcast_ref().is_some_and(sorts_all)
}

fn has_views(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut types = schema.fields().iter().map(|field| field.data_type());
    types.any(|data_type| matches!(data_type, DataType::Utf8View | DataType::BinaryView))
}

#[derive(Debug)]
pub(super) struct OwnTextExec {
    input: Arc<dyn ExecutionPlan>,
}

impl OwnTextExec {
    pub(super) fn of(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input })
    }
}

impl DisplayAs for OwnTextExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnTextExec")
    }
}

impl ExecutionPlan for OwnTextExec {
    fn name(&self) -> &str {
        "OwnTextExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Self::of(children.swap_remove(0)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let owned = rows.map(|batch| batch.and_then(own));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, owned)))
    }
}

fn own(batch: RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| own_column(column));
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}

fn own_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => owned(column, column.as_string_view()),
        DataType::BinaryView => owned(column, column.as_binary_view()),
        _ => Arc::clone(column),
    }
}

/// The column, or a copy where it keeps more text alive than it has.
fn owned<T: ByteViewType>(column: &ArrayRef, views: &GenericByteViewArray<T>) -> ArrayRef {
    let held: usize = views.data_buffers().iter().map(|text| text.len()).sum();
    // Most columns end here: counting reads all views.
    if held <= OTHERS_BYTES_MAX {
        return Arc::clone(column);
    }
    let used = views.total_buffer_bytes_used();
    match held - OTHERS_BYTES_MAX <= used || used > COPIED_BYTES_MAX {
        true => Arc::clone(column),
        false => Arc::new(views.gc()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;

    fn held(column: &ArrayRef) -> usize {
        let texts = column.as_string_view();
        texts.data_buffers().iter().map(|text| text.len()).sum()
    }

    #[test]
    fn a_few_rows_of_much_text_leave_the_rest_and_many_stay_as_they_are() {
        let texts = (0..50_000).map(|row| format!("a text of more than twelve bytes: {row}"));
        let all: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        assert!(held(&all) > 1 << 20);
        let few = all.slice(20_000, 100);
        let owned = own_column(&few);
        assert_eq!(owned.as_string_view(), few.as_string_view());
        assert!(held(&owned) < 8 << 10, "{}", held(&owned));
        assert_eq!(held(&own_column(&all)), held(&all));
        let short: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
        assert_eq!(own_column(&short).as_string_view(), short.as_string_view());
    }
}
