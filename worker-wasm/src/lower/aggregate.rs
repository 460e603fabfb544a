//! `AggregateExec` -> the aggregation of a fragment, in each of the modes that share their states with DataFusion's own.

use std::sync::Arc;

use datafusion::{
    functions_aggregate::{
        average::Avg,
        count::Count,
        min_max::{Max, Min},
        sum::Sum,
    },
    physical_expr::{
        PhysicalExpr,
        aggregate::AggregateFunctionExpr,
        expressions::{Column, Literal},
    },
    physical_plan::{
        ExecutionPlan, InputOrderMode,
        aggregates::{AggregateExec, AggregateMode},
    },
};

use super::{Reason, pipeline::Rows};
use crate::fragment::{Aggregate, AggregateFunction, Call, Expr, Mode, Type};

/// Fuses an aggregation onto `rows`.
pub(crate) fn lower(rows: &mut Rows, plan: &AggregateExec) -> Result<(), Reason> {
    let mode = mode(plan.mode())?;
    check_form(rows, plan)?;
    let keys = plan.group_expr().expr().iter();
    let keys = keys.map(|(key, _)| rows.expr(key));
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    let mut state = keys.len();
    let mut calls = Vec::new();
    for (function, filter) in plan.aggr_expr().iter().zip(plan.filter_expr()) {
        let mut call = match mode {
            Mode::Final => merge_call(rows, function, &mut state)?,
            Mode::Single | Mode::Partial => call(rows, function, mode)?,
        };
        if let Some(filter) = filter.as_ref().filter(|_| mode != Mode::Final) {
            call.filter = Some(rows.expr(filter)?);
        }
        calls.push(call);
    }
    rows.aggregate(Aggregate { mode, keys, calls }, plan.name())
}

fn mode(mode: &AggregateMode) -> Result<Mode, Reason> {
    match mode {
        AggregateMode::Partial => Ok(Mode::Partial),
        AggregateMode::Final | AggregateMode::FinalPartitioned => Ok(Mode::Final),
        AggregateMode::Single | AggregateMode::SinglePartitioned => Ok(Mode::Single),
        AggregateMode::PartialReduce => Err(Reason::Form("states are merged into states")),
    }
}

fn check_form(rows: &Rows, plan: &AggregateExec) -> Result<(), Reason> {
    if rows.is_stored() {
        return Err(Reason::Form("rows that are stored are aggregated again"));
    }
    if plan.group_expr().has_grouping_set() {
        return Err(Reason::Form("grouping sets are not compiled yet"));
    }
    // A hash table gives its groups in no order, and early only when it is full.
    if *plan.input_order_mode() != InputOrderMode::Linear {
        return Err(Reason::Form("its input is ordered by the keys"));
    }
    Ok(())
}

/// A call over rows.
fn call(rows: &mut Rows, of: &AggregateFunctionExpr, mode: Mode) -> Result<Call, Reason> {
    let function = function(of, mode)?;
    let arguments = of.expressions();
    let arguments = match (&function, arguments.as_slice()) {
        (AggregateFunction::Count, [argument]) if is_never_null(rows, argument) => Vec::new(),
        (_, [argument]) => vec![rows.expr(argument)?],
        _ => return Err(unsupported(of)),
    };
    Ok(Call {
        function,
        arguments,
        filter: None,
    })
}

/// A call over states, which lie behind the keys in the order of the calls.
fn merge_call(
    rows: &mut Rows,
    of: &AggregateFunctionExpr,
    state: &mut usize,
) -> Result<Call, Reason> {
    let function = function(of, Mode::Final)?;
    let states = of.state_fields().map_err(|_| unsupported(of))?.len();
    let arguments: Result<Vec<Expr>, _> = (*state..*state + states)
        .map(|column| rows.column(column))
        .collect();
    *state += states;
    Ok(Call {
        function,
        arguments: arguments?,
        filter: None,
    })
}

fn function(of: &AggregateFunctionExpr, mode: Mode) -> Result<AggregateFunction, Reason> {
    let inner = of.fun().inner();
    let (min, max) = (inner.is::<Min>(), inner.is::<Max>());
    // DataFusion's state of a distinct count is a list of values, which fragments neither put out nor take.
    let counts_once = of.is_distinct() && inner.is::<Count>() && mode == Mode::Single;
    // The smallest of the distinct values is the smallest of all; for the others it matters.
    let once = of.is_distinct() && !min && !max && !counts_once;
    if once || of.ignore_nulls() || !of.order_bys().is_empty() {
        return Err(unsupported(of));
    }
    if counts_once {
        Ok(AggregateFunction::CountDistinct)
    } else if min {
        Ok(AggregateFunction::Min)
    } else if max {
        Ok(AggregateFunction::Max)
    } else if inner.is::<Count>() {
        Ok(AggregateFunction::Count)
    } else if inner.is::<Sum>() {
        Ok(AggregateFunction::Sum)
    } else if inner.is::<Avg>() {
        let result = of.field();
        let result = Type::from_arrow(result.data_type());
        result
            .map(AggregateFunction::Avg)
            .ok_or_else(|| unsupported(of))
    } else {
        Err(unsupported(of))
    }
}

/// Whether counting an argument counts every row.
fn is_never_null(rows: &Rows, argument: &Arc<dyn PhysicalExpr>) -> bool {
    if let Some(literal) = argument.downcast_ref::<Literal>() {
        return !literal.value().is_null();
    }
    let column = argument.downcast_ref::<Column>();
    column.is_some_and(|column| !rows.is_nullable(column.index()))
}

fn unsupported(of: &AggregateFunctionExpr) -> Reason {
    Reason::Aggregate(of.human_display().unwrap_or(of.name()).to_owned())
}
