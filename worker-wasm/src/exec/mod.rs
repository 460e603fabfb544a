//! `FragmentExec`: the node of a DataFusion plan that runs a fragment where operators stood.
//!
//! Shapes: one input so far, read partition by partition; output has the schema, partitioning, order and statistics of the
//! operators it replaced, which it keeps and asks. Filters that a scan below takes from operators above go by it, as
//! they are shared values inside the scan.
//! Errors: what DataFusion's operators would have given (`blame`); memory is the query's (`account`).

mod account;
mod blame;
mod cache;
mod metrics;
mod modules;
mod stop;
mod stream;

use std::{fmt, sync::Arc};

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::{Result, Statistics, internal_err},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
        metrics::{ExecutionPlanMetricsSet, MetricsSet},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryStreamExt, stream as futures_stream};

pub use cache::ModuleCache;
pub use modules::{Encoded, ModuleError, Modules};
pub use stop::StopSignal;

use crate::lower::{Bound, Piece};
use stream::Run;

/// A fragment in a plan.
#[derive(Debug, Clone)]
pub struct FragmentExec {
    modules: Arc<Modules>,
    bound: Arc<Bound>,
    source: Arc<dyn ExecutionPlan>,
    /// The operators it replaced, over the source as it was when they were.
    native: Arc<dyn ExecutionPlan>,
    /// Their names, the topmost first.
    operators: Arc<[String]>,
    schema: SchemaRef,
    metrics: ExecutionPlanMetricsSet,
}

impl FragmentExec {
    /// The node that runs `piece` with the code of its fragment.
    pub fn new(piece: Piece, modules: Arc<Modules>) -> Result<Self> {
        let [source] = piece.sources.as_slice() else {
            return internal_err!("a fragment with {} inputs", piece.sources.len());
        };
        Ok(Self {
            source: Arc::clone(source),
            schema: piece.native.schema(),
            native: piece.native,
            operators: piece.operators.into(),
            bound: Arc::new(piece.bound),
            modules,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    pub fn modules(&self) -> &Arc<Modules> {
        &self.modules
    }
}

impl DisplayAs for FragmentExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.modules.module().name();
        write!(f, "FragmentExec: module={}", &name[..12])?;
        write!(f, ", operators=[{}]", self.operators.join(", "))
    }
}

impl ExecutionPlan for FragmentExec {
    fn name(&self) -> &str {
        "FragmentExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.native.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.source]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![self.native.output_ordering().is_some()]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(source) = children.pop().filter(|_| children.is_empty()) else {
            return internal_err!("a fragment takes one input");
        };
        let native = blame::with_source(&self.native, &self.source, &source)?;
        Ok(Arc::new(Self {
            native,
            source,
            metrics: ExecutionPlanMetricsSet::new(),
            ..Self::clone(&self)
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.source.execute(partition, Arc::clone(&context))?;
        let node = self.clone();
        // The instance begins with the first poll: a plan of many partitions holds memories only for those that run.
        let opened =
            futures_stream::once(async move { Run::open(node, partition, context, input) });
        let rows = opened.map_ok(|run| {
            futures_stream::try_unfold(run, |mut run| async move {
                Ok(run.next().await?.map(|rows| (rows, run)))
            })
        });
        let rows = rows.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        self.native.partition_statistics(partition)
    }
}
