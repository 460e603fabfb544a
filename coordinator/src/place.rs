//! Stage -> task on a worker. Everything runs in this process until there are others.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;

use crate::{QueryContext, QueryError, compile::Compiled, pause};

/// A compiled plan with a worker for every stage.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) compiled: Compiled,
}

impl Placed {
    /// The plan that gives the query's rows.
    pub(crate) fn root(&self) -> &Arc<dyn ExecutionPlan> {
        &self.compiled.stages[0].stage.plan
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.root().schema()
    }
}

pub(crate) fn place(ctx: &QueryContext, mut compiled: Compiled) -> Result<Placed, QueryError> {
    if compiled.stages.is_empty() {
        return Err(QueryError::Internal {
            id: ctx.id(),
            detail: "a plan without stages".into(),
        });
    }
    for compiled in &mut compiled.stages {
        let plan = pause::between_batches(Arc::clone(&compiled.stage.plan));
        compiled.stage.plan = plan.map_err(|e| QueryError::planning(ctx.id(), e))?;
    }
    Ok(Placed { compiled })
}
