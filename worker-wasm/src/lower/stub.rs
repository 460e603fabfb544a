//! A leaf that stands for what a piece reads, where the piece is looked at without it: while it is sent to a worker.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{Result, internal_err},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties},
};

use super::EXCHANGES;

/// Has the schema, partitions and order of a source, and nothing of its rows.
#[derive(Debug)]
pub(crate) struct SourceStub {
    /// Place among the sources of the piece.
    pub(crate) index: usize,
    properties: Arc<PlanProperties>,
    /// Whether the source reads data, and is no operator or exchange.
    is_scan: bool,
}

impl SourceStub {
    pub(crate) fn new(index: usize, source: &Arc<dyn ExecutionPlan>, is_scan: bool) -> Self {
        Self {
            index,
            properties: Arc::clone(source.properties()),
            is_scan,
        }
    }
}

/// Whether a source reads data, and is no operator or exchange. Only then its schema can be believed about nulls.
pub(crate) fn is_scan(source: &Arc<dyn ExecutionPlan>) -> bool {
    match source.downcast_ref::<SourceStub>() {
        Some(stub) => stub.is_scan,
        // An exchange between workers has no children on the side that reads.
        None => source.children().is_empty() && !EXCHANGES.contains(&source.name()),
    }
}

impl DisplayAs for SourceStub {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceStub: index={}", self.index)
    }
}

impl ExecutionPlan for SourceStub {
    fn name(&self) -> &str {
        "SourceStub"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => internal_err!("a stub of a source has no children"),
        }
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a stub of a source has no rows")
    }
}
