//! A query that is optimised once, with its parameters in it, and run with many values.
//!
//! Most of the time that a point query takes to plan goes into the optimiser, which does the same for every value.
//! A run puts its values into the optimised plan and only folds constants again.
//!
//! That is for plans about which a value can decide nothing: one pipeline over at most one table (a value can turn an
//! outer join into an inner one), no `LIMIT ?` (it makes a sort a top-k), no function of the time (its value becomes part
//! of the plan), and values of the very types that the plan was coerced to.

use arrow::{array::RecordBatch, datatypes::DataType};
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::{QueryContext, QueryError, inspect, parameters};

#[derive(Debug)]
pub(crate) struct Template {
    optimised: LogicalPlan,
    types: Vec<DataType>,
}

impl Template {
    /// `None` where the plan has to be optimised with the values in it. `types` are those of its parameters.
    pub(crate) fn new(
        ctx: &QueryContext,
        plan: &LogicalPlan,
        types: &[Option<DataType>],
    ) -> Option<Self> {
        let types: Option<Vec<_>> = types.iter().cloned().collect();
        let types = types.filter(|_| is_one_pipeline(plan) && !inspect::depends_on_time(plan))?;
        // An error with parameters may be none with values.
        let optimised = ctx.state.optimize(plan).ok()?;
        Some(Self { optimised, types })
    }

    /// Whether it was made for such values.
    pub(crate) fn takes(&self, values: &RecordBatch) -> bool {
        let types = values.columns().iter().map(|column| column.data_type());
        values.num_rows() == 1 && types.eq(&self.types)
    }

    /// The optimised plan with values that it takes, their constants still to be folded.
    pub(crate) fn with_values(
        &self,
        ctx: &QueryContext,
        values: &RecordBatch,
    ) -> Result<LogicalPlan, QueryError> {
        parameters::with_row(&self.optimised, values, 0)
            .map_err(|source| QueryError::planning(ctx.id(), source))
    }
}

fn is_one_pipeline(plan: &LogicalPlan) -> bool {
    let is_step = |node: &LogicalPlan| match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Limit(limit) => [&limit.skip, &limit.fetch]
            .into_iter()
            .flatten()
            .all(|bound| matches!(**bound, Expr::Literal(..))),
        _ => false,
    };
    !inspect::any_node(plan, |node| !is_step(node))
        && !inspect::any_expression(plan, |expression| {
            matches!(
                expression,
                Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)
            )
        })
}
