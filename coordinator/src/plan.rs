//! `LogicalPlan` -> `ExecutionPlan`: DataFusion's optimiser and physical planner.

use std::sync::Arc;

use datafusion::{logical_expr::LogicalPlan, physical_plan::ExecutionPlan};

use crate::{QueryContext, QueryError};

/// `for_workers` leaves out what cannot be shared between workers.
pub(crate) async fn plan(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    for_workers: bool,
) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let planned = match for_workers {
        true => {
            let mut state = ctx.state.clone();
            // The value of such a subquery is handed on inside one process: workers get a join instead.
            let optimizer = &mut state.config_mut().options_mut().optimizer;
            optimizer.enable_physical_uncorrelated_scalar_subquery = false;
            state.create_physical_plan(logical).await
        }
        false => ctx.state.create_physical_plan(logical).await,
    };
    planned.map_err(|source| QueryError::planning(ctx.id(), source))
}
