//! Expressions without generated code that the host computes over a whole batch before it is pushed.
//!
//! They become columns of the input, so only such can be that are about columns of the source. The host computes them for
//! every row, also for those that a filter or a branch would have spared: there, only what cannot fail is allowed.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Operator, Volatility},
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{
            BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
        },
    },
};

/// Functions that give a value or null for every argument of their types.
const NEVER_FAIL: [&str; 14] = [
    "btrim",
    "character_length",
    "contains",
    "date_part",
    "ends_with",
    "left",
    "lower",
    "ltrim",
    "reverse",
    "right",
    "rtrim",
    "starts_with",
    "strpos",
    "upper",
];

/// `expr` over the source's columns, or `None` where one of its columns is none of the source's.
pub(super) fn over_source(
    expr: &Arc<dyn PhysicalExpr>,
    source: impl Fn(usize) -> Option<usize>,
) -> Option<Arc<dyn PhysicalExpr>> {
    let mut found = true;
    let moved = Arc::clone(expr).transform(|node| {
        let Some(column) = node.downcast_ref::<Column>() else {
            return Ok(Transformed::no(node));
        };
        let Some(index) = source(column.index()) else {
            found = false;
            return Ok(Transformed::no(node));
        };
        let column = Column::new(column.name(), index);
        Ok(Transformed::yes(Arc::new(column) as _))
    });
    moved.ok().filter(|_| found).map(|moved| moved.data)
}

/// Whether the same row always gives the same value, and nothing but the row decides it.
pub(super) fn is_pure(expr: &Arc<dyn PhysicalExpr>) -> bool {
    every_node(expr, |node| {
        match node.downcast_ref::<ScalarFunctionExpr>() {
            Some(call) => call.fun().signature().volatility != Volatility::Volatile,
            None => !node.is_volatile_node(),
        }
    })
}

/// Whether computing it for rows that nobody asks about does no harm.
pub(super) fn never_fails(expr: &Arc<dyn PhysicalExpr>) -> bool {
    every_node(expr, |node| {
        if let Some(binary) = node.downcast_ref::<BinaryExpr>() {
            return is_total(binary.op());
        }
        if let Some(call) = node.downcast_ref::<ScalarFunctionExpr>() {
            return NEVER_FAIL.contains(&call.name());
        }
        node.is::<Column>()
            || node.is::<Literal>()
            || node.is::<LikeExpr>()
            || node.is::<InListExpr>()
            || node.is::<NotExpr>()
            || node.is::<IsNullExpr>()
            || node.is::<IsNotNullExpr>()
    })
}

fn is_total(op: &Operator) -> bool {
    use Operator::{
        And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or, StringConcat,
    };
    matches!(
        op,
        And | Or
            | Eq
            | NotEq
            | Lt
            | LtEq
            | Gt
            | GtEq
            | IsDistinctFrom
            | IsNotDistinctFrom
            | StringConcat
    )
}

fn every_node(
    expr: &Arc<dyn PhysicalExpr>,
    mut holds: impl FnMut(&dyn PhysicalExpr) -> bool,
) -> bool {
    let mut all = true;
    let walked: Result<_> = expr.apply(|node| {
        all &= holds(node.as_ref());
        Ok(match all {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    walked.is_ok() && all
}
