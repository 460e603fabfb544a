//! Comparisons of timestamps with finer constants, made exact.
//!
//! DataFusion compares a column in milliseconds with a constant in microseconds by cutting the constant off, so that
//! `ts < '12:00:00.0005'` does not find noon. Here such a comparison becomes one in the column's unit that says the same:
//! `ts <= '12:00:00.000'`. Constants that the column's unit holds are left to DataFusion.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema, Result, ScalarValue,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator,
        expr::{Between, InList},
        expr_rewriter::NamePreserver,
        lit,
        simplify::SimplifyContext,
        utils::merge_schema,
    },
    optimizer::{AnalyzerRule, simplify_expressions::ExprSimplifier},
};

/// Comes before the rule that brings both sides to one type, which is the one that cuts constants off.
#[derive(Debug, Default)]
pub(crate) struct FineTimestamps;

impl AnalyzerRule for FineTimestamps {
    fn name(&self) -> &str {
        "fine_timestamps"
    }

    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        let exact = plan.transform_up_with_subqueries(|node| exact_node(node, options));
        exact.map(|exact| exact.data)
    }
}

fn exact_node(node: LogicalPlan, options: &ConfigOptions) -> Result<Transformed<LogicalPlan>> {
    // A scan brings filters when it comes from an optimised plan.
    let schema = match &node {
        LogicalPlan::TableScan(scan) => DFSchema::try_from_qualified_schema(
            scan.table_name.clone(),
            scan.source.schema().as_ref(),
        )?,
        _ => merge_schema(&node.inputs()),
    };
    if !schema
        .fields()
        .iter()
        .any(|field| is_coarse(field.data_type()))
    {
        return Ok(Transformed::no(node));
    }
    let schema = Arc::new(schema);
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(&schema))
        .with_config_options(Arc::new(options.clone()))
        .build();
    let comparisons = Comparisons {
        schema,
        constants: ExprSimplifier::new(context),
    };
    let names = NamePreserver::new(&node);
    let exact = node.map_expressions(|expression| {
        let name = names.save(&expression);
        let exact = expression.transform_up(|inner| Ok(comparisons.exact(inner)))?;
        Ok(exact.update_data(|expression| name.restore(expression)))
    })?;
    exact.map_data(LogicalPlan::recompute_schema)
}

/// Whether there are finer timestamps.
fn is_coarse(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(unit, _) if *unit != TimeUnit::Nanosecond)
}

struct Comparisons {
    schema: Arc<DFSchema>,
    constants: ExprSimplifier,
}

/// One side of a comparison, in a unit that others are finer than.
struct Coarse<'a> {
    /// Without casts to finer units.
    side: &'a Expr,
    data_type: DataType,
    unit: TimeUnit,
    has_zone: bool,
}

/// What a unit has in place of a constant.
enum Floor {
    /// The last value before it.
    Below(Expr),
    /// Itself.
    Same(Expr),
}

impl Comparisons {
    fn exact(&self, expression: Expr) -> Transformed<Expr> {
        let exact = match &expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let swapped = || self.compare(right, op.swap()?, left);
                self.compare(left, *op, right).or_else(swapped)
            }
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.in_list(list),
            _ => None,
        };
        match exact {
            Some(exact) => Transformed::yes(exact),
            None => Transformed::no(expression),
        }
    }

    /// `side op constant`, where the constant is between two values that the side can have, or is one that DataFusion fails
    /// to read.
    fn compare(&self, side: &Expr, op: Operator, constant: &Expr) -> Option<Expr> {
        if !is_comparison(op) {
            return None;
        }
        let coarse = self.coarse(side)?;
        let side = coarse.side.clone();
        let below = match self.floor(&coarse, constant)? {
            Floor::Below(below) => below,
            Floor::Same(same) => {
                return Some(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(side),
                    op,
                    Box::new(same),
                )));
            }
        };
        Some(match op {
            Operator::Lt | Operator::LtEq => side.lt_eq(below),
            Operator::Gt | Operator::GtEq => side.gt(below),
            Operator::Eq => never(side, below),
            Operator::NotEq => always(side, below),
            Operator::IsDistinctFrom => lit(true),
            Operator::IsNotDistinctFrom => lit(false),
            _ => return None,
        })
    }

    fn between(&self, between: &Between) -> Option<Expr> {
        let Between {
            expr,
            negated,
            low,
            high,
        } = between;
        if expr.is_volatile() {
            return None;
        }
        let (from, to) = match negated {
            false => (Operator::GtEq, Operator::LtEq),
            true => (Operator::Lt, Operator::Gt),
        };
        let (exact_from, exact_to) = (self.compare(expr, from, low), self.compare(expr, to, high));
        if exact_from.is_none() && exact_to.is_none() {
            return None;
        }
        let plain = |op, bound: &Expr| {
            Expr::BinaryExpr(BinaryExpr::new(expr.clone(), op, Box::new(bound.clone())))
        };
        let from = exact_from.unwrap_or_else(|| plain(from, low));
        let to = exact_to.unwrap_or_else(|| plain(to, high));
        Some(match negated {
            false => from.and(to),
            true => from.or(to),
        })
    }

    fn in_list(&self, list: &InList) -> Option<Expr> {
        let coarse = self.coarse(&list.expr)?;
        let (mut below, mut is_changed) = (None, false);
        let mut kept = list.list.clone();
        kept.retain_mut(|constant| match self.floor(&coarse, constant) {
            Some(Floor::Below(between_two)) => {
                below = Some(between_two);
                false
            }
            Some(Floor::Same(same)) => {
                *constant = same;
                is_changed = true;
                true
            }
            None => true,
        });
        if below.is_none() && !is_changed {
            return None;
        }
        let side = coarse.side.clone();
        Some(match (below, kept.is_empty(), list.negated) {
            (Some(below), true, false) => never(side, below),
            (Some(below), true, true) => always(side, below),
            (_, _, negated) => list.expr.as_ref().clone().in_list(kept, negated),
        })
    }

    fn coarse<'a>(&self, side: &'a Expr) -> Option<Coarse<'a>> {
        let data_type = side.get_type(&*self.schema).ok()?;
        let DataType::Timestamp(unit, zone) = &data_type else {
            return None;
        };
        let cast = match side {
            Expr::Cast(cast) => Some(&cast.expr),
            Expr::TryCast(cast) => Some(&cast.expr),
            _ => None,
        };
        if let Some(inner) = cast.and_then(|inner| self.coarse(inner))
            && let DataType::Timestamp(_, inner_zone) = &inner.data_type
            && inner_zone == zone
            && per_second(inner.unit) < per_second(*unit)
        {
            return Some(inner);
        }
        let (unit, has_zone) = (*unit, zone.is_some());
        let is_constant = side.column_refs().is_empty();
        (is_coarse(&data_type) && !is_constant && !side.is_volatile()).then_some(Coarse {
            side,
            data_type,
            unit,
            has_zone,
        })
    }

    /// The last value of its unit that is not after the constant; `None` for what DataFusion compares rightly.
    fn floor(&self, coarse: &Coarse, constant: &Expr) -> Option<Floor> {
        if !constant.column_refs().is_empty() || constant.is_volatile() {
            return None;
        }
        let coerced = self.constants.coerce(constant.clone(), &self.schema).ok()?;
        let Expr::Literal(value, _) = self.constants.simplify(coerced).ok()? else {
            return None;
        };
        let is_text = value.data_type().is_string();
        let (ticks, unit) = self.ticks(coarse, value)?;
        let ratio = per_second(unit) / per_second(coarse.unit);
        let floor = ScalarValue::Int64(Some(ticks.div_euclid(ratio.max(1))));
        let floor = lit(floor.cast_to(&coarse.data_type).ok()?);
        match (ratio > 1 && ticks.rem_euclid(ratio) > 0, unit) {
            (true, _) => Some(Floor::Below(floor)),
            // Text that has no nanoseconds, which DataFusion reads it in.
            (false, TimeUnit::Microsecond) if is_text => Some(Floor::Same(floor)),
            _ => None,
        }
    }

    /// Units since 1970. Without a zone on one side alone a constant is a time of that zone: that is left to DataFusion.
    fn ticks(&self, coarse: &Coarse, constant: ScalarValue) -> Option<(i64, TimeUnit)> {
        let constant = match constant {
            ScalarValue::Utf8(_) | ScalarValue::LargeUtf8(_) | ScalarValue::Utf8View(_) => {
                let DataType::Timestamp(_, zone) = &coarse.data_type else {
                    return None;
                };
                // Years beyond 2262 have no nanoseconds.
                let read = |unit| {
                    let instant = DataType::Timestamp(unit, zone.clone());
                    constant.cast_to(&instant).ok()
                };
                read(TimeUnit::Nanosecond).or_else(|| read(TimeUnit::Microsecond))?
            }
            other => other,
        };
        let (ticks, unit, zone) = match constant {
            ScalarValue::TimestampMillisecond(ticks, zone) => (ticks, TimeUnit::Millisecond, zone),
            ScalarValue::TimestampMicrosecond(ticks, zone) => (ticks, TimeUnit::Microsecond, zone),
            ScalarValue::TimestampNanosecond(ticks, zone) => (ticks, TimeUnit::Nanosecond, zone),
            _ => return None,
        };
        (zone.is_some() == coarse.has_zone).then_some((ticks?, unit))
    }
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::Eq
            | Operator::NotEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// False, or NULL for NULL.
fn never(side: Expr, below: Expr) -> Expr {
    side.clone().gt(below.clone()).and(side.lt_eq(below))
}

/// True, or NULL for NULL.
fn always(side: Expr, below: Expr) -> Expr {
    side.clone().gt(below.clone()).or(side.lt_eq(below))
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests;
