//! `LogicalPlan` -> `ExecutionPlan`: DataFusion's optimiser and physical planner.

use std::sync::Arc;

use datafusion::{logical_expr::LogicalPlan, physical_plan::ExecutionPlan};

use crate::{QueryContext, QueryError};

pub(crate) async fn plan(
    ctx: &QueryContext,
    logical: &LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let physical = ctx.state.create_physical_plan(logical).await;
    physical.map_err(|source| QueryError::planning(ctx.id(), source))
}
