//! `LogicalPlan` -> `ExecutionPlan`: DataFusion's optimiser and physical planner.

use std::{borrow::Cow, sync::Arc};

use datafusion::{
    execution::context::SessionState,
    logical_expr::LogicalPlan,
    optimizer::{Analyzer, AnalyzerRule, Optimizer, simplify_expressions::SimplifyExpressions},
    physical_plan::ExecutionPlan,
};

use crate::{QueryContext, QueryError, fine_timestamps::FineTimestamps};

/// `for_workers` leaves out what cannot be shared between workers.
pub(crate) fn optimise(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    for_workers: bool,
) -> Result<LogicalPlan, QueryError> {
    let optimised = state(ctx, for_workers).optimize(logical);
    optimised.map_err(|source| QueryError::planning(ctx.id(), source))
}

/// What the optimiser would make of values that were put into an optimised plan: constants are folded.
pub(crate) fn fold(ctx: &QueryContext, plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
    let fold = Optimizer::with_rules(vec![Arc::new(SimplifyExpressions::new())]);
    // Folding moves casts from columns to constants, which cuts those off too.
    let folded = FineTimestamps
        .analyze(plan, ctx.state.config_options())
        .and_then(|plan| fold.optimize(plan, &*ctx.state, |_, _| {}));
    folded.map_err(|source| QueryError::planning(ctx.id(), source))
}

/// DataFusion's rules, after one of ours.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(FineTimestamps));
    rules
}

/// Of an optimised plan.
pub(crate) async fn plan(
    ctx: &QueryContext,
    optimised: &LogicalPlan,
    for_workers: bool,
) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let state = state(ctx, for_workers);
    let planner = state.query_planner();
    let physical = planner.create_physical_plan(optimised, &state).await;
    physical.map_err(|source| QueryError::planning(ctx.id(), source))
}

fn state(ctx: &QueryContext, for_workers: bool) -> Cow<'_, SessionState> {
    let mut state = Cow::Borrowed(&*ctx.state);
    if for_workers {
        // The value of such a subquery is handed on inside one process: workers get a join instead.
        let optimizer = &mut state.to_mut().config_mut().options_mut().optimizer;
        optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    }
    state
}
