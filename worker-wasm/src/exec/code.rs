//! What a run of a part needs to know of it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{execution::TaskContext, physical_plan::metrics::ExecutionPlanMetricsSet};

use super::{account::PoolAccount, modules::Modules};
use crate::{
    RunError,
    fragment::{Mode, Operator, Sink, Source},
    lower::Part,
    runtime::{Instance, JoinTable, NoHostFunctions},
};

/// A part of a piece with its code.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) part: Arc<Part>,
    pub(super) modules: Arc<Modules>,
    /// Of the rows that go out, if any do.
    pub(super) schema: SchemaRef,
    pub(super) metrics: ExecutionPlanMetricsSet,
}

impl Code {
    /// An instance at its start.
    pub(super) fn open(
        &self,
        tables: &[Arc<JoinTable>],
        partition: usize,
        context: &TaskContext,
    ) -> Result<Instance, RunError> {
        Instance::open_with_tables(
            self.modules.runtime(),
            self.modules.expected(),
            &self.part.bound.params,
            tables,
            Box::new(PoolAccount::new(context, partition)),
            Box::new(NoHostFunctions),
        )
    }

    /// Makes an instance go on with a module that relies on less, the next one of those it has gone through; `broken` is what
    /// is left to say where none relies on less.
    pub(super) fn widen(
        &self,
        instance: &mut Instance,
        number: &mut usize,
        broken: RunError,
    ) -> Result<(), RunError> {
        let wider = self.modules.wider(number);
        let wider = wider.map_err(|source| RunError::Function {
            source: source.into(),
        })?;
        match wider {
            Some(wider) => instance.take_over(self.modules.runtime(), wider),
            None => Err(broken),
        }
    }

    /// Whether the fragment puts out states and nothing else, of which a group may have several.
    pub(super) fn gives_states(&self) -> bool {
        match self.modules.module().fragment().pipelines.as_slice() {
            [first, last] => {
                let states = matches!(&first.sink, Sink::Aggregate(aggregate)
                if aggregate.mode == Mode::Partial && !aggregate.keys.is_empty());
                states && last.sink == Sink::Emit
            }
            _ => false,
        }
    }

    /// Whether rows may come out before the input has ended.
    pub(super) fn gives_rows_early(&self) -> bool {
        let pipelines = &self.modules.module().fragment().pipelines;
        let mut reading = pipelines
            .iter()
            .filter(|pipeline| matches!(pipeline.source, Source::Input(_)));
        reading.any(|pipeline| pipeline.sink == Sink::Emit)
    }

    /// Whether what comes out of a pushed batch may be much less than the batch.
    pub(super) fn leaves_few(&self) -> bool {
        let pipelines = &self.modules.module().fragment().pipelines;
        pipelines.last().is_some_and(|pipeline| {
            let drops = |operator: &Operator| !matches!(operator, Operator::Project(_));
            pipeline.sink == Sink::Emit
                && matches!(pipeline.source, Source::Input(_))
                && pipeline.operators.iter().any(drops)
        })
    }
}
