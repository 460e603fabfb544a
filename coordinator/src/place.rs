//! Stages -> tasks on workers. A plan that stays here is one task, without a worker.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{common::DataFusionError, execution::TaskContext, physical_plan::ExecutionPlan};
use worker_wasm::exec::{StopSignal, own_kept_text};

use crate::{
    QueryContext, QueryError,
    compile::Compiled,
    cut::Reach,
    drive, one_pass, pause,
    workers::{Crew, QueryModules},
};

/// A compiled plan whose tasks have their workers.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) compiled: Compiled,
    /// Whether its operators may ask for functions by name while they run.
    asks_for_functions: bool,
}

impl Placed {
    /// A plan that stays here, of filters and projections over a scan, which no fragment runs.
    pub(crate) fn native(plan: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            compiled: Compiled {
                plan,
                operators: Vec::new(),
                fragments: Vec::new(),
                reach: Reach::Here(None),
                is_settled: true,
            },
            asks_for_functions: false,
        }
    }

    /// The same for another run, if it can be had without planning again.
    pub(crate) fn renewed(&self) -> Result<Option<Self>, DataFusionError> {
        let compiled = self.compiled.renewed()?;
        Ok(compiled.map(|compiled| Self {
            compiled,
            asks_for_functions: self.asks_for_functions,
        }))
    }

    /// The plan that gives the query's rows.
    pub(crate) fn root(&self) -> &Arc<dyn ExecutionPlan> {
        &self.compiled.plan
    }

    /// The workers of its tasks.
    pub(crate) fn crew(&self) -> Option<&Crew> {
        match &self.compiled.reach {
            Reach::Here(_) => None,
            Reach::Workers { crew, .. } => Some(crew),
        }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.root().schema()
    }

    /// What the operators of the first stage see, and how they reach the workers of the others; these have all modules
    /// then.
    pub(crate) async fn task_context(
        &self,
        ctx: &QueryContext,
        stop: StopSignal,
    ) -> Result<Arc<TaskContext>, QueryError> {
        let environment = ctx.engine.environment(&ctx.pool);
        match &self.compiled.reach {
            Reach::Here(_) if !self.asks_for_functions => {
                Ok(drive::task_context_bare(ctx, stop, environment))
            }
            Reach::Here(_) => Ok(drive::task_context_in(ctx, stop, environment)),
            Reach::Workers { crew, config, .. } => {
                crew.ensure(&self.compiled.modules_of_tasks()).await?;
                let modules = Arc::new(QueryModules::new(&self.compiled.fragments));
                let config = config.as_ref().clone().with_extension(Arc::new(stop));
                let config = crew.session(ctx, config, modules)?;
                Ok(drive::task_context_with(ctx, config, environment))
            }
        }
    }
}

pub(crate) fn place(ctx: &QueryContext, mut compiled: Compiled) -> Result<Placed, QueryError> {
    let plan = pause::between_batches(compiled.plan).and_then(own_kept_text);
    let plan = plan.and_then(|plan| match compiled.reach {
        Reach::Here(_) => one_pass::ask(plan),
        // Workers are told of expressions that have a name.
        Reach::Workers { .. } => Ok(plan),
    });
    compiled.plan = plan.map_err(|e| QueryError::planning(ctx.id(), e))?;
    Ok(Placed {
        compiled,
        asks_for_functions: true,
    })
}
