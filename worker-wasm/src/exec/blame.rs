//! What a fragment failed with -> the error that DataFusion would have given.
//!
//! A guest knows a reason and a row. The operators it replaced know the text, so the batch that failed runs through them
//! once more; where they find no fault either, the guest's reason is what is left to say.

use std::sync::Arc;

use arrow::{array::RecordBatch, error::ArrowError};
use datafusion::{
    common::DataFusionError,
    datasource::memory::MemorySourceConfig,
    execution::TaskContext,
    physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream},
};
use futures::TryStreamExt;

use crate::{
    RunError,
    abi::Reason,
    lower::{Part, is_exchange, replaced},
};

/// Whether a part's operators can run once more: what its joins have on their left is read again for that, which exchanges
/// and files that several partitions share do not allow, and has to be all of it, which one of several partitions does not
/// have.
pub(crate) fn can_replay(part: &Part) -> bool {
    let mut tables = part.tables.iter();
    tables.all(|table| {
        let of = &table.part;
        let partitions = of.source.output_partitioning().partition_count();
        table.shared && partitions == 1 && !exchanges(of.native.planned()) && can_replay(of)
    })
}

fn exchanges(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut children = plan.children().into_iter();
    is_exchange(plan.as_ref()) || children.any(exchanges)
}

/// The error of a part's operators over one batch of what it reads; `None` if they give rows, or run out of memory.
pub(crate) async fn replay(
    part: &Part,
    batch: RecordBatch,
    context: &Arc<TaskContext>,
) -> Option<DataFusionError> {
    let failed = async {
        let schema = batch.schema();
        let only = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None)?;
        let plan = replaced(&part.operators()?, &[&part.source], &[&(only as _)])?;
        let mut rows = execute_stream(plan, Arc::clone(context))?;
        while rows.try_next().await?.is_some() {}
        Ok(())
    };
    let error: DataFusionError = failed.await.err()?;
    let memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
    (!memory).then_some(error)
}

/// An error of a fragment as one of DataFusion's.
pub(crate) fn translate(error: RunError) -> DataFusionError {
    let text = error.to_string();
    let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
    match error {
        RunError::Data { reason, .. } => match reason {
            Reason::DivideByZero => arrow(ArrowError::DivideByZero),
            Reason::Overflow => arrow(ArrowError::ArithmeticOverflow(text)),
            Reason::CastOutOfRange => arrow(ArrowError::CastError(text)),
            Reason::NegativeCount | Reason::HostFunction => DataFusionError::Execution(text),
        },
        RunError::Function { source } => match source.downcast::<DataFusionError>() {
            Ok(error) => *error,
            Err(error) => DataFusionError::External(error),
        },
        RunError::Memory { detail, .. } => DataFusionError::ResourcesExhausted(
            detail
                .strip_prefix("Resources exhausted: ")
                .map_or(detail.clone(), str::to_owned),
        ),
        RunError::WindowFull { .. } => DataFusionError::ResourcesExhausted(text),
        RunError::Stopped => DataFusionError::Execution("the query was stopped".to_owned()),
        RunError::Fact { .. }
        | RunError::Instantiate { .. }
        | RunError::Shape { .. }
        | RunError::Broken { .. } => DataFusionError::Internal(text),
    }
}
