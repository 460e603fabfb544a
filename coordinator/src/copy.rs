//! `COPY .. TO`: DataFusion's sinks write the files.
//!
//! A sink completes the file it is writing whenever its input ends, also when it ends in an error: a failed COPY would
//! leave half a file, even in place of an older whole one. So an input that fails never ends ([`Held`]). The error goes
//! past the sink to [`run`], which calls the uploads off ([`Revocation`]) and drops the plan. A COPY that is killed ends the
//! same way: what was not completed by then never appears.

use std::sync::Arc;

use arrow::array::{AsArray, types::UInt64Type};
use datafusion::{
    common::{DataFusionError, Result},
    datasource::sink::DataSinkExec,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::LogicalPlan,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::{
    QueryContext, QueryError, corrupt, drive, query::to_tasks_here, revocable::Revocation,
};

/// Writes the files of a `COPY` plan. Gives the number of rows.
pub(crate) async fn run(
    ctx: &Arc<QueryContext>,
    plan: &LogicalPlan,
) -> std::result::Result<u64, QueryError> {
    let placed = to_tasks_here(ctx, plan).await?;
    ctx.process().runs_plan(placed.root());
    let running = |source| QueryError::running(ctx.id(), source);
    let (failed, mut failure) = mpsc::channel(1);
    let plan = hold_input(placed.root(), &failed).map_err(running)?;
    let uploads = Revocation::default();
    let mut environment = ctx.engine.environment(&ctx.pool);
    environment.object_store_registry = uploads.over(environment.object_store_registry);
    let task = drive::task_context_in(ctx, drive::stop_by_kill(ctx), environment);
    let mut counts = corrupt::catch_panics(execute_stream(plan, task).map_err(running)?);
    // Behind the plan, so that it is dropped before it: nothing closes the writers' input while they may still complete.
    let uploads = uploads;
    let mut rows = 0;
    loop {
        let count = tokio::select! {
            biased;
            Some(source) = failure.recv() => Some(Err(source)),
            count = counts.next() => count,
        };
        match count {
            Some(Ok(count)) => {
                let written = count.column(0).as_primitive::<UInt64Type>().values();
                rows += written.iter().sum::<u64>();
            }
            Some(Err(source)) => {
                drop(uploads);
                drop(counts);
                return Err(corrupt::explain(ctx, placed.root(), source).await);
            }
            None => return Ok(rows),
        }
    }
}

/// The plan with what its sink reads held where it fails.
fn hold_input(
    plan: &Arc<dyn ExecutionPlan>,
    failed: &mpsc::Sender<DataFusionError>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(sink) = plan.downcast_ref::<DataSinkExec>() else {
        let children = plan.children();
        let held: Result<Vec<_>> = children
            .into_iter()
            .map(|c| hold_input(c, failed))
            .collect();
        return Arc::clone(plan).with_new_children(held?);
    };
    let held = Held {
        input: Arc::clone(sink.input()),
        failed: failed.clone(),
    };
    Arc::clone(plan).with_new_children(vec![Arc::new(held)])
}

/// The same rows; an error is reported aside, and nothing follows it.
#[derive(Debug)]
struct Held {
    input: Arc<dyn ExecutionPlan>,
    failed: mpsc::Sender<DataFusionError>,
}

impl ExecutionPlan for Held {
    fn name(&self) -> &str {
        "Held"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            input: children.swap_remove(0),
            failed: self.failed.clone(),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = corrupt::catch_panics(self.input.execute(partition, context)?);
        let schema = rows.schema();
        let failed = self.failed.clone();
        let held = rows.then(move |row| {
            let failed = failed.clone();
            async move {
                match row {
                    Ok(batch) => Ok(batch),
                    Err(error) => {
                        // The first error is the one that is told.
                        let _ = failed.try_send(error);
                        std::future::pending().await
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, held)))
    }
}

impl DisplayAs for Held {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}
