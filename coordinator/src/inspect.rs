//! Questions about a logical plan, its subqueries included. What cannot be walked is answered with yes.

use catalog::external;
use datafusion::{
    common::{
        Result,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan, Volatility},
};

/// Whether planning puts a value in place of `now()` or the like: such a plan is for one run only.
pub(crate) fn depends_on_time(plan: &LogicalPlan) -> bool {
    any_expression(plan, |expression| match expression {
        Expr::ScalarFunction(function) => {
            function.func.signature().volatility == Volatility::Stable
        }
        _ => false,
    })
}

/// Whether it reads a file by its path: the columns are those of the file, which others may replace.
pub(crate) fn reads_paths(plan: &LogicalPlan) -> bool {
    any_node(plan, |node| match node {
        LogicalPlan::TableScan(scan) => external::looks_like_path(scan.table_name.table()),
        _ => false,
    })
}

/// Shows every part of every expression to `visit`, outermost first.
pub(crate) fn each_expression(
    plan: &LogicalPlan,
    mut visit: impl FnMut(&Expr) -> TreeNodeRecursion,
) -> Result<TreeNodeRecursion> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| expression.apply(|inner| Ok(visit(inner))))
    })
}

/// Whether any part of any expression is so.
pub(crate) fn any_expression(plan: &LogicalPlan, is: impl Fn(&Expr) -> bool) -> bool {
    any_node(plan, |node| {
        let mut expressions = node.expressions().into_iter();
        expressions.any(|expression| expression.exists(|inner| Ok(is(inner))).unwrap_or(true))
    })
}

pub(crate) fn any_node(plan: &LogicalPlan, is: impl Fn(&LogicalPlan) -> bool) -> bool {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        found |= is(node);
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    found || walked.is_err()
}
