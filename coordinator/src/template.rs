//! A query that is optimised once, with its parameters in it, and run with many values.
//!
//! Most of the time that a point query takes to plan goes into the optimiser, which does the same for every value.
//! A run puts its values into the optimised plan and only folds constants again, or into the physical plan where there is
//! one for all values ([`OpenPlan`]).
//!
//! That is for plans about which a value can decide nothing: one pipeline over at most one table (a value can turn an
//! outer join into an inner one), no `LIMIT ?` (it makes a sort a top-k), no function of the time (its value becomes part
//! of the plan), no cast to a timestamp (a value that it cuts off changes the comparison, see
//! [`fine_timestamps`](crate::fine_timestamps)), and parameters that are of one type in all their places, which is that of
//! the values.

use std::sync::{Arc, OnceLock};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, SchemaRef},
};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    execution::context::SessionState,
    logical_expr::{Cast, Expr, LogicalPlan, TryCast, expr::Placeholder},
};

use crate::{QueryContext, QueryError, inspect, open_plan::OpenPlan, parameters, place::Placed};

#[derive(Debug)]
pub(crate) struct Template {
    optimised: LogicalPlan,
    types: Vec<DataType>,
    /// Made by the first run.
    open: OnceLock<Option<OpenPlan>>,
}

impl Template {
    /// `None` where the plan has to be optimised with the values in it. `types` are those of its parameters.
    pub(crate) fn new(
        ctx: &QueryContext,
        plan: &LogicalPlan,
        types: &[Option<DataType>],
    ) -> Option<Self> {
        let types: Vec<_> = types.iter().cloned().collect::<Option<_>>()?;
        if !is_one_pipeline(plan) || !all_have(plan, &types) || inspect::depends_on_time(plan) {
            return None;
        }
        // An error with parameters may be none with values.
        let optimised = ctx.state.optimize(plan).ok()?;
        if inspect::any_expression(&optimised, is_cast_to_a_timestamp) {
            return None;
        }
        Some(Self {
            optimised,
            types,
            open: OnceLock::new(),
        })
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

    /// Tasks for values that it takes, where they need no planning.
    pub(crate) async fn open(
        &self,
        ctx: &QueryContext,
        values: &RecordBatch,
    ) -> Result<Option<Placed>, QueryError> {
        if self.open.get().is_none() {
            // Two first runs at once make the same plan.
            let made = OpenPlan::new(ctx, &self.optimised, &self.types).await;
            let _first = self.open.set(made);
        }
        let open = self.open.get().and_then(Option::as_ref);
        let placed = open.map(|open| open.with_values(ctx, values)).transpose();
        let placed = placed.map_err(|source| QueryError::planning(ctx.id(), source))?;
        Ok(placed.flatten())
    }

    /// What contexts of later runs may share with the first.
    pub(crate) fn state(&self) -> Option<&Arc<SessionState>> {
        self.open.get()?.as_ref()?.state()
    }

    /// Columns of the rows for values that it takes.
    pub(crate) fn schema(
        &self,
        ctx: &QueryContext,
        values: &RecordBatch,
    ) -> Result<SchemaRef, QueryError> {
        let plan = match self.state() {
            // Parameters stand in filters alone.
            Some(_) => return Ok(Arc::clone(self.optimised.schema().inner())),
            None => self.with_values(ctx, values)?,
        };
        Ok(Arc::clone(plan.schema().inner()))
    }
}

/// Whether each place of each parameter wants the type that its values have. `$1` may stand in several places, and the
/// plan is coerced for each of them.
fn all_have(plan: &LogicalPlan, types: &[DataType]) -> bool {
    let mut all = true;
    let mut check = |parameter: &Placeholder, wanted: Option<&DataType>| {
        let given = parameters::position(&parameter.id).and_then(|index| types.get(index));
        all &= given.is_some() && given == wanted;
    };
    let walked = inspect::each_expression(plan, |expression| match expression {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            match expr.as_ref() {
                Expr::Placeholder(parameter) => {
                    check(parameter, Some(field.data_type()));
                    TreeNodeRecursion::Jump
                }
                _ => TreeNodeRecursion::Continue,
            }
        }
        Expr::Placeholder(parameter) => {
            check(
                parameter,
                parameter.field.as_ref().map(|field| field.data_type()),
            );
            TreeNodeRecursion::Continue
        }
        _ => TreeNodeRecursion::Continue,
    });
    walked.is_ok() && all
}

fn is_cast_to_a_timestamp(expression: &Expr) -> bool {
    let (Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. })) = expression else {
        return false;
    };
    matches!(field.data_type(), DataType::Timestamp(..))
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
                Expr::ScalarSubquery(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_)
                    | Expr::Exists(_)
            )
        })
}
