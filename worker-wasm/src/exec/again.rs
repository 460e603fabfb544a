//! A fragment that memory does not hold -> its rows from the operators it replaced, which put on disk what does not fit.
//!
//! Only from the beginning, before any row has gone out, and only where what was read can be read again by this partition
//! alone: a scan of one partition, as aggregations and sorts in one phase have it. An exchange is read once, and the
//! partitions of a larger scan share its files.
//! Errors: those of the operators, in place of the fragment's.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::{
    common::{DataFusionError, Result},
    datasource::source::DataSourceExec,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        EmptyRecordBatchStream, ExecutionPlanProperties,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder},
    },
};
use futures::{TryStreamExt, stream};

use crate::lower::{Part, replaced};

/// The one partition of a scan, and so of the fragment that reads it.
const PARTITION: usize = 0;

/// The operators that a fragment has replaced, not started yet.
pub(super) struct Operators {
    part: Arc<Part>,
    context: Arc<TaskContext>,
    metrics: ExecutionPlanMetricsSet,
}

/// Rows of a fragment, or of its operators.
struct Rows {
    stream: SendableRecordBatchStream,
    /// Until the first rows are there.
    operators: Option<Operators>,
    /// Once its operators have begun.
    begun: Option<BaselineMetrics>,
}

impl Operators {
    /// Those of a part, or `None` where they cannot begin again.
    pub(super) fn of(
        part: &Arc<Part>,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Option<Self> {
        let source = &part.source;
        let can_be_read_again = source.is::<DataSourceExec>()
            && source.output_partitioning().partition_count() == 1
            && part.tables.is_empty();
        can_be_read_again.then(|| Self {
            part: Arc::clone(part),
            context: Arc::clone(context),
            metrics: metrics.clone(),
        })
    }

    /// The rows of `fragment`, or where that fails for memory before it gives any, the operators' own.
    pub(super) fn or_else(
        self,
        fragment: SendableRecordBatchStream,
    ) -> impl stream::Stream<Item = Result<RecordBatch>> {
        let rows = Rows {
            stream: fragment,
            operators: Some(self),
            begun: None,
        };
        stream::try_unfold(rows, |mut rows| async move {
            Ok(rows.next().await?.map(|batch| (batch, rows)))
        })
    }

    fn start(&self) -> Result<SendableRecordBatchStream> {
        let old = &self.part.source;
        let source = Arc::clone(old).reset_state()?;
        let native = replaced(&self.part.operators()?, &[old], &[&source])?;
        native.execute(PARTITION, Arc::clone(&self.context))
    }
}

impl Rows {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut next = self.stream.try_next().await;
        if let (Err(error), Some(operators)) = (&next, self.operators.take())
            && matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
        {
            tracing::debug!(%error, "a fragment's operators begin in its place");
            // What the fragment holds is free before they ask for memory.
            self.stream = Box::pin(EmptyRecordBatchStream::new(self.stream.schema()));
            let runs = MetricBuilder::new(&operators.metrics).counter("native_runs", PARTITION);
            runs.add(1);
            self.begun = Some(BaselineMetrics::new(&operators.metrics, PARTITION));
            self.stream = operators.start()?;
            next = self.stream.try_next().await;
        }
        if let (Ok(Some(batch)), Some(metrics)) = (&next, &self.begun) {
            metrics.record_output(batch.num_rows());
        }
        next
    }
}
