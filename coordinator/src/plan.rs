//! `LogicalPlan` -> `ExecutionPlan`: DataFusion's optimiser and physical planner.

use std::sync::Arc;

use datafusion::{
    logical_expr::LogicalPlan,
    optimizer::{Optimizer, simplify_expressions::SimplifyExpressions},
    physical_plan::ExecutionPlan,
};

use crate::{QueryContext, QueryError};

pub(crate) fn optimise(
    ctx: &QueryContext,
    logical: &LogicalPlan,
) -> Result<LogicalPlan, QueryError> {
    let optimised = ctx.state.optimize(logical);
    optimised.map_err(|source| QueryError::planning(ctx.id(), source))
}

/// What the optimiser would make of values that were put into an optimised plan: constants are folded.
pub(crate) fn fold(ctx: &QueryContext, plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
    let fold = Optimizer::with_rules(vec![Arc::new(SimplifyExpressions::new())]);
    let folded = fold.optimize(plan, &ctx.state, |_, _| {});
    folded.map_err(|source| QueryError::planning(ctx.id(), source))
}

/// Of an optimised plan.
pub(crate) async fn plan(
    ctx: &QueryContext,
    optimised: &LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let planner = ctx.state.query_planner();
    let physical = planner.create_physical_plan(optimised, &ctx.state).await;
    physical.map_err(|source| QueryError::planning(ctx.id(), source))
}
