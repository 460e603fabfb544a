//! `FragmentExec`: the node of a DataFusion plan that runs fragments where operators stood.
//!
//! Shapes: one input that is read partition by partition, and one more for each table that its joins probe (`table`); output
//! has the schema, partitioning, order and statistics of the operators it replaced, which it keeps and asks. Filters that a
//! scan below takes from operators above go by it, as they are shared values inside the scan; those of its own joins it
//! narrows itself (`narrow`), and in a plan that was sent they are tied to their scans again (`filters`).
//! Errors: what DataFusion's operators would have given (`blame`); memory is the query's (`account`), and where it does not
//! suffice they begin again in the fragment's place, if they can (`again`).

mod account;
mod again;
mod batch;
mod blame;
mod cache;
mod code;
mod codec;
mod filters;
mod marks;
mod metrics;
mod modules;
mod narrow;
mod own_text;
mod parts;
mod stop;
mod stream;
mod table;

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
pub use codec::{CodecError, FragmentCodec, ModuleSource};
pub use filters::link_filters;
pub use modules::{Encoded, ModuleError, Modules};
pub use own_text::own_kept_text;
pub use stop::StopSignal;

use crate::{
    fragment::Sink,
    lower::{Part, Piece},
    scan,
};
use again::Operators;
use code::Code;
use stream::Run;
use table::TableState;

/// A piece in a plan.
#[derive(Debug, Clone)]
pub struct FragmentExec {
    piece: Piece,
    /// The code of its parts, by their numbers.
    modules: Arc<[Arc<Modules>]>,
    /// What its parts read, by their numbers: their sources, or the same with narrow decimals.
    scans: Arc<[Arc<dyn ExecutionPlan>]>,
    /// What the tables that its parts build have in common, by the numbers of the parts.
    tables: Arc<[TableState]>,
    schema: SchemaRef,
    metrics: ExecutionPlanMetricsSet,
}

impl FragmentExec {
    /// The node that runs `piece` with the code of its parts.
    pub fn new(piece: Piece, modules: Vec<Arc<Modules>>) -> Result<Self> {
        if piece.parts().len() != modules.len() {
            return internal_err!(
                "{} modules for {} fragments",
                modules.len(),
                piece.parts().len()
            );
        }
        let scans = piece.parts().into_iter().map(|part| {
            let feeds = part.bound.columns.first();
            scan::narrowed(&part.source, feeds.map_or(&[], Vec::as_slice))
        });
        let scans: Vec<_> = scans.collect::<Result<_>>()?;
        Ok(Self {
            schema: piece.part.native.schema(),
            scans: scans.into(),
            tables: TableState::of_all(&piece.part).into(),
            modules: modules.into(),
            piece,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The code of its parts, by their numbers.
    pub fn modules(&self) -> &[Arc<Modules>] {
        &self.modules
    }

    /// The node for another run, over inputs that are. `None` where it tells a scan below what its joins have found: that
    /// scan belongs to one run.
    pub fn renewed(&self, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Option<Self>> {
        let narrows = |part: &&Part| part.tables.iter().any(|table| table.narrowing.is_some());
        if self.piece.parts().iter().any(narrows) {
            return Ok(None);
        }
        let piece = self.piece.renewed(children)?;
        Self::new(piece, self.modules.to_vec()).map(Some)
    }

    fn code(&self, part: &Arc<Part>) -> Code {
        Code {
            modules: Arc::clone(&self.modules[part.number]),
            schema: part.native.schema(),
            part: Arc::clone(part),
            metrics: self.metrics.clone(),
        }
    }

    fn sorts(&self) -> bool {
        let mut pipelines = self.piece.part.bound.fragment.pipelines.iter();
        pipelines.any(|pipeline| matches!(pipeline.sink, Sink::Sort(_)))
    }
}

impl DisplayAs for FragmentExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.modules[self.piece.part.number].module().name();
        write!(f, "FragmentExec: module={}", &name[..12])?;
        write!(f, ", operators=[{}]", self.piece.operators.join(", "))
    }
}

impl ExecutionPlan for FragmentExec {
    fn name(&self) -> &str {
        "FragmentExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.piece.part.native.planned().properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.piece.sources()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        let mut maintains = vec![false; self.piece.sources().len()];
        if let Some(last) = maintains.last_mut() {
            *last = self.piece.part.native.planned().output_ordering().is_some() && !self.sorts();
        }
        maintains
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.piece.sources().len() {
            return internal_err!("a fragment does not take {} inputs", children.len());
        }
        let piece = self.piece.with_sources(children)?;
        Self::new(piece, self.modules.to_vec()).map(|node| Arc::new(node) as _)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let reads = table::start(self, &self.piece.part, partition, &context)?;
        let code = self.code(&self.piece.part);
        let operators = Operators::of(&self.piece.part, &context, &self.metrics);
        // The instance begins with the first poll: a plan of many partitions holds memories only for those that run.
        let opened =
            futures_stream::once(async move { Run::open(code, partition, context, reads).await });
        let rows = opened.map_ok(|run| {
            futures_stream::try_unfold(run, |mut run| async move {
                Ok(run.next().await?.map(|rows| (rows, run)))
            })
        });
        let schema = || Arc::clone(&self.schema);
        let rows = RecordBatchStreamAdapter::new(schema(), rows.try_flatten());
        Ok(match operators {
            Some(operators) => {
                let rows = operators.or_else(Box::pin(rows));
                Box::pin(RecordBatchStreamAdapter::new(schema(), rows))
            }
            None => Box::pin(rows),
        })
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let planned = self.piece.part.native.planned();
        planned.partition_statistics(partition)
    }
}
