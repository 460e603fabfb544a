//! Which pieces fragments run faster than DataFusion, and where they have enough to do to be worth compiling: what
//! `SET murre.compile = auto` goes by. Rules are about what a plan knows, and come from `examples/tpch_plans.rs`.
//!
//! - Aggregations without keys, or by keys that tend to have few values, gain 1.5 to 3 times. By numbers and dates, of
//!   which there may be as many as rows, they do not: the tables of both miss the caches alike.
//! - Filters that leave few rows gain 2 times where a comparison of numbers comes first, as most columns are then copied
//!   for few rows. Of rows that mostly pass, copying them in and out costs what compiled expressions save.
//! - Joins and sorts lose: DataFusion keeps columns where they are until it knows which rows it needs of them.

use std::sync::Arc;

use datafusion::physical_plan::{
    ExecutionPlan, aggregates::AggregateExec, joins::HashJoinExec, sorts::sort::SortExec,
};

use super::{Part, Piece, Reason};
use crate::fragment::{Expr, Fragment, LikeClass, Mode, Operator, Sink, Type, verifier};

/// Whether an operator should be in a piece, whatever else is.
pub fn wants(plan: &Arc<dyn ExecutionPlan>) -> Result<(), Reason> {
    // DataFusion puts rows on disk that do not fit, and sorts what is left of a query about as fast.
    if plan.is::<SortExec>() || plan.is::<HashJoinExec>() {
        return Err(Reason::Choice(
            "DataFusion's own operator is as fast".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a piece is one that fragments run faster than DataFusion.
pub fn gains(piece: &Piece) -> bool {
    let part = &piece.part;
    let fragment = &part.bound.fragment;
    if stops_early(&piece.sources(), &part.native) {
        return false;
    }
    let mut sinks = fragment.pipelines.iter().map(|of| &of.sink);
    let aggregates = sinks
        .any(|sink| matches!(sink, Sink::Aggregate(aggregate) if aggregate.mode != Mode::Final));
    match aggregates {
        true => has_few_groups(fragment),
        false => leaves_few_rows(part),
    }
}

/// Whether the keys of all aggregations are of types that tend to have few values.
fn has_few_groups(fragment: &Fragment) -> bool {
    let Ok(mut columns) = verifier::input_columns(fragment, 0) else {
        return false;
    };
    for pipeline in &fragment.pipelines {
        for operator in &pipeline.operators {
            let scope = verifier::Scope {
                columns: &columns,
                params: &fragment.params,
            };
            let Ok(behind) = verifier::columns_behind(&scope, operator) else {
                return false;
            };
            columns = behind;
        }
        if let Sink::Aggregate(aggregate) = &pipeline.sink {
            let scope = verifier::Scope {
                columns: &columns,
                params: &fragment.params,
            };
            let Ok(groups) = verifier::aggregate_columns(&scope, aggregate) else {
                return false;
            };
            let keys = &groups[..aggregate.keys.len()];
            let few = |ty: &Type| matches!(ty, Type::Boolean | Type::Utf8);
            if !keys.iter().all(|key| few(&key.ty)) {
                return false;
            }
            columns = groups;
        }
    }
    true
}

/// A filter is expected to leave few rows from where it leaves less than one in so many. DataFusion expects one in five
/// where it knows nothing about a filter.
const FEW: f64 = 0.18;

/// Whether a piece begins with a filter that compares numbers, and leaves few rows as far as is known.
fn leaves_few_rows(part: &Part) -> bool {
    let pipelines = part.bound.fragment.pipelines.as_slice();
    let [pipeline] = pipelines else {
        return false;
    };
    let [Operator::Filter(filter), ..] = pipeline.operators.as_slice() else {
        return false;
    };
    let items = match filter {
        Expr::And(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let input = &part.bound.fragment.inputs[0];
    let numbers = |item: &Expr| match item {
        Expr::Compare(_, one, other) => match (&**one, &**other) {
            (Expr::Column(column), Expr::Param(_)) | (Expr::Param(_), Expr::Column(column)) => {
                input.columns[*column].ty != Type::Utf8
            }
            _ => false,
        },
        _ => false,
    };
    let searches = |item: &Expr| {
        matches!(
            item,
            Expr::Like(LikeClass::General | LikeClass::Contains, ..)
        )
    };
    let rows = |plan: &Arc<dyn ExecutionPlan>| {
        let statistics = plan.partition_statistics(None).ok()?;
        statistics.num_rows.get_value().copied()
    };
    let (Some(left), Some(all)) = (rows(&part.native), rows(&part.source)) else {
        return false;
    };
    items.iter().any(numbers) && !items.iter().any(searches) && (left as f64) < all as f64 * FEW
}

/// Whether DataFusion's operator spares rows that a fragment reads: it ends with a number of groups, or tells its scan
/// which values still matter.
fn stops_early(sources: &[&Arc<dyn ExecutionPlan>], native: &Arc<dyn ExecutionPlan>) -> bool {
    if sources.iter().any(|source| Arc::ptr_eq(source, native)) {
        return false;
    }
    let own = native.downcast_ref::<AggregateExec>();
    let own = own.is_some_and(|aggregate| {
        aggregate.limit_options().is_some() || aggregate.dynamic_filter_expr().is_some()
    });
    let mut children = native.children().into_iter();
    own || children.any(|child| stops_early(sources, child))
}

/// What a row gains at least in the pieces that gain. Nanoseconds.
const SAVED_PER_ROW: usize = 20;

/// What compiling costs a byte of a module. Nanoseconds.
const COST_PER_BYTE: usize = 1_000;

pub fn pays(rows: usize, module_bytes: usize) -> bool {
    rows.saturating_mul(SAVED_PER_ROW) >= module_bytes.saturating_mul(COST_PER_BYTE)
}

/// Rows that a piece is estimated to read; unknown counts as none.
pub fn rows(piece: &Piece) -> usize {
    let rows = piece.sources().into_iter().filter_map(|source| {
        let statistics = source.partition_statistics(None).ok()?;
        statistics.num_rows.get_value().copied()
    });
    rows.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiling_pays_for_many_rows_only() {
        assert!(!pays(0, 1));
        assert!(!pays(100, 5_000));
        assert!(pays(600_000, 10_000));
        assert!(pays(usize::MAX, usize::MAX));
    }
}
