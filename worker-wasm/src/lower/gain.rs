//! Which pieces fragments run faster than DataFusion, and where they have enough to do to be worth compiling: what
//! `SET murre.compile = auto` goes by. Rules are about what a plan knows, and come from `examples/tpch_plans.rs`.
//!
//! - Aggregations without keys, or by keys that tend to have few values, gain 1.5 to 3 times. By numbers and dates, of
//!   which there may be as many as rows, they do not: the tables of both miss the caches alike. Nor do those that count
//!   distinct values, of which there may be as many too, and more than a window holds.
//! - Filters that leave few rows gain 2 times where a comparison of numbers comes first, as most columns are then copied
//!   for few rows. Of rows that mostly pass, copying them in and out costs what compiled expressions save.
//! - Joins gain up to 2 times where one number is the key and the table has some of its rows: most rows that probe then go
//!   no further than a bitmap, and their other columns are not copied. They lose where the table is large or has text, as
//!   its rows are written twice; where every row has a match, as they do what DataFusion does, row by row; and where more
//!   than few rows go out to another operator.
//! - Sorts lose: DataFusion keeps columns where they are until it knows which rows it needs of them.

use std::{collections::HashSet, sync::Arc};

use arrow::datatypes::DataType;
use datafusion::physical_plan::{
    ExecutionPlan,
    aggregates::{AggregateExec, AggregateInputMode},
    coalesce_partitions::CoalescePartitionsExec,
    filter::FilterExec,
    joins::HashJoinExec,
    projection::ProjectionExec,
    sorts::sort::SortExec,
};

use super::{
    Part, Piece, Reason, is_exchange,
    join::{estimated_bytes, left_columns},
};
use crate::fragment::{
    AggregateFunction, Expr, Fragment, LikeClass, Mode, Operator, Sink, Type, verifier,
};

/// Tables that are estimated to take more lose. Bytes.
const TABLE_BYTES_MAX: usize = 32 << 20;

/// Operators of one plan that should be in pieces, if they can be.
#[derive(Debug)]
pub struct Wanted {
    /// Joins that gain, by their addresses: all of them stay where they are while the plan is lowered.
    joins: HashSet<usize>,
}

impl Wanted {
    /// Of a plan: joins count where an aggregation takes what they put out, and all between it and the scans gain. Where
    /// there is an exchange between, those below it count if few rows go out of them, or if a table is built of these.
    pub fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let mut joins = HashSet::new();
        add_joins(plan, &mut joins);
        Self { joins }
    }

    /// Whether an operator of the plan should be in a piece, whatever else is.
    pub fn wants(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<(), Reason> {
        // DataFusion puts rows on disk that do not fit, and sorts what is left of a query about as fast.
        let is_join = plan.is::<HashJoinExec>();
        if plan.is::<SortExec>() || is_join && !self.joins.contains(&address(plan)) {
            return Err(Reason::Choice(
                "DataFusion's own operator is as fast".to_owned(),
            ));
        }
        Ok(())
    }
}

fn address(plan: &Arc<dyn ExecutionPlan>) -> usize {
    Arc::as_ptr(plan).cast::<()>() as usize
}

fn add_joins(plan: &Arc<dyn ExecutionPlan>, joins: &mut HashSet<usize>) {
    let aggregate = plan.downcast_ref::<AggregateExec>();
    if let Some(aggregate) =
        aggregate.filter(|of| of.mode().input_mode() == AggregateInputMode::Raw)
    {
        let mut below = Vec::new();
        if all_gain(aggregate.input(), &mut below) {
            joins.extend(below);
        }
    }
    let children = plan.children().into_iter();
    children.for_each(|child| add_joins(child, joins));
}

/// Whether all joins down to scans and exchanges gain; their addresses.
fn all_gain(plan: &Arc<dyn ExecutionPlan>, joins: &mut Vec<usize>) -> bool {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        joins.push(address(plan));
        return join_gains(join) && left_gains(join, joins) && all_gain(join.right(), joins);
    }
    let children = plan.children();
    match children.as_slice() {
        [] => true,
        children if is_exchange(plan.as_ref()) => {
            children.iter().for_each(|child| add_few(child, joins));
            true
        }
        [child] if plan.is::<FilterExec>() || plan.is::<ProjectionExec>() => all_gain(child, joins),
        _ => false,
    }
}

/// As [`all_gain`], of what a join builds its table of. What only brings partitions together does so in the table.
fn left_gains(join: &HashJoinExec, joins: &mut Vec<usize>) -> bool {
    let left = join.left();
    let gather = left.downcast_ref::<CoalescePartitionsExec>();
    match gather.filter(|gather| gather.fetch().is_none()) {
        Some(gather) => {
            let mut below = Vec::new();
            if all_gain(gather.input(), &mut below) {
                joins.extend(below);
            }
            true
        }
        None => all_gain(left, joins),
    }
}

/// Joins that put few rows into an exchange, below joins that gain.
fn add_few(plan: &Arc<dyn ExecutionPlan>, joins: &mut Vec<usize>) {
    let mut below = Vec::new();
    // What is known of rows costs more to find than the rest, and is asked last.
    if all_gain(plan, &mut below) && !below.is_empty() && few_of(plan, probed(plan)) {
        joins.extend(below);
    }
}

/// Whose rows go through the joins, filters and projections that a plan ends with.
fn probed(plan: &Arc<dyn ExecutionPlan>) -> &Arc<dyn ExecutionPlan> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return probed(join.right());
    }
    match plan.children().as_slice() {
        [child] if plan.is::<FilterExec>() || plan.is::<ProjectionExec>() => probed(child),
        _ => plan,
    }
}

/// Whether a join finds keys by a bitmap, as numbers are found, in a short table of short rows that leaves out most of them.
fn join_gains(join: &HashJoinExec) -> bool {
    let [(key, _)] = join.on() else {
        return false;
    };
    let schema = join.left().schema();
    let ty = |of: &DataType| Type::from_arrow(of);
    let key = key.data_type(&schema).ok().and_then(|of| ty(&of));
    let is_number = |of: Type| of.is_integer() || of == Type::Date32;
    let mut kept = left_columns(join).into_iter();
    key.is_some_and(is_number)
        && join.filter().is_none()
        && kept.all(|column| ty(schema.field(column).data_type()) != Some(Type::Utf8))
        && estimated_bytes(join.left()) <= TABLE_BYTES_MAX
        && selects(join.left())
}

/// Whether rows are left out of what a plan reads.
fn selects(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut children = plan.children().into_iter();
    plan.is::<FilterExec>() || plan.is::<HashJoinExec>() || children.any(selects)
}

/// Whether a piece is one that fragments run faster than DataFusion.
pub fn gains(piece: &Piece) -> bool {
    let part = &piece.part;
    let fragment = &part.bound.fragment;
    let sinks = fragment.pipelines.iter().map(|of| &of.sink);
    let mut aggregations = sinks.filter_map(|sink| match sink {
        Sink::Aggregate(aggregate) => Some(aggregate),
        _ => None,
    });
    let mut calls = aggregations.clone().flat_map(|of| &of.calls);
    let counts_once = calls.any(|call| call.function == AggregateFunction::CountDistinct);
    if counts_once || stops_early(&piece.sources(), part.native.planned()) {
        return false;
    }
    let aggregates = aggregations.any(|of| of.mode != Mode::Final);
    match (part.tables.is_empty(), aggregates) {
        (true, true) => has_few_groups(fragment),
        (true, false) => leaves_few_rows(part),
        (false, aggregates) => aggregates || few_of(part.native.planned(), &part.source),
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
    items.iter().any(numbers)
        && !items.iter().any(searches)
        && few_of(part.native.planned(), &part.source)
}

/// Whether few rows of what a plan reads are expected to come out of it.
fn few_of(plan: &Arc<dyn ExecutionPlan>, source: &Arc<dyn ExecutionPlan>) -> bool {
    let rows = |plan: &Arc<dyn ExecutionPlan>| {
        let statistics = plan.partition_statistics(None).ok()?;
        statistics.num_rows.get_value().copied()
    };
    match (rows(plan), rows(source)) {
        (Some(left), Some(all)) => (left as f64) < all as f64 * FEW,
        _ => false,
    }
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
