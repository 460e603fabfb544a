//! What is asked of a text above a join is asked below it, where nothing else of the text is wanted.
//!
//! ```text
//! sum(CASE WHEN p_type LIKE 'PROMO%' THEN ..)        sum(CASE WHEN is_promo THEN ..)
//!   HashJoin                                     ->    HashJoin
//!     part: p_partkey, p_type                            Projection: p_partkey, p_type LIKE 'PROMO%' as is_promo
//!     lineitem                                             part: p_partkey, p_type
//!                                                        lineitem
//! ```
//!
//! A join copies every row of its left side, and each of them once more for every match: a bit costs less than a text. Only
//! of the left side, whose rows are copied whether they have a match or not, and only for questions that cost little and
//! cannot fail: they are asked of rows without a match too.

use std::{collections::HashSet, sync::Arc};

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        JoinSide, JoinType, Result, ScalarValue,
        config::ConfigOptions,
        internal_err,
        tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    },
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, InListExpr, LikeExpr, Literal, NotExpr},
        utils::collect_columns,
    },
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, AggregateInputMode},
        joins::HashJoinExec,
        projection::{ProjectionExec, ProjectionExpr},
    },
};

/// Values of an IN list up to which asking costs little.
const LIST_MAX: usize = 8;

/// Comes when both sides of each join are decided, and before its keys are made a filter of its right side.
#[derive(Debug, Default)]
struct TextBeforeJoins;

/// DataFusion's rules, with one of ours among them.
pub(crate) fn optimizer_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let after = rules
        .iter()
        .rposition(|rule| rule.name() == "ProjectionPushdown");
    let place = after.map_or(rules.len(), |after| after + 1);
    rules.insert(place, Arc::new(TextBeforeJoins));
    rules
}

impl PhysicalOptimizerRule for TextBeforeJoins {
    fn name(&self) -> &str {
        "text_before_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let asked = plan.transform_up(|node| match asked_before(&node)? {
            Some(better) => Ok(Transformed::yes(better)),
            None => Ok(Transformed::no(node)),
        });
        asked.data()
    }
}

/// The operator over a join that is asked of less, where there is a text of which it asks one thing.
fn asked_before(top: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(expressions) = Top::of(top) else {
        return Ok(None);
    };
    let below = top.children()[0];
    let (between, join) = match below.downcast_ref::<ProjectionExec>() {
        Some(between) => (Some(between), between.input()),
        None => (None, below),
    };
    let Some(join) = join.downcast_ref::<HashJoinExec>() else {
        return Ok(None);
    };
    for text in texts(join) {
        let Some(place) = place_of(text.output, between) else {
            continue;
        };
        let Some(question) = expressions.only_question(place) else {
            continue;
        };
        let name = question.to_string();
        let answer = |index| -> Arc<dyn PhysicalExpr> { Arc::new(Column::new(&name, index)) };

        let left = join.left().schema();
        let columns = left.fields().iter().enumerate().map(|(index, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), index));
            match index == text.column {
                true => Ok(ProjectionExpr::new(
                    replaced(&question, place, &column)?,
                    &name,
                )),
                false => Ok(ProjectionExpr::new(column, field.name())),
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let left = Arc::new(ProjectionExec::try_new(columns, Arc::clone(join.left()))?);
        let sides: Vec<Arc<dyn ExecutionPlan>> = vec![left, Arc::clone(join.right())];
        let mut below: Arc<dyn ExecutionPlan> =
            Arc::new(join.builder().with_new_children(sides)?.build()?);
        if let Some(between) = between {
            let passed = between
                .expr()
                .iter()
                .enumerate()
                .map(|(index, expression)| match index == place {
                    true => ProjectionExpr::new(answer(text.output), &name),
                    false => expression.clone(),
                });
            below = Arc::new(ProjectionExec::try_new(passed, below)?);
        }
        return expressions
            .asking(&question, &answer(place), below)
            .map(Some);
    }
    Ok(None)
}

/// A column of text that the left side of a join gives, and its keys and filter do not read.
struct Text {
    /// Of the left side.
    column: usize,
    /// Of the join.
    output: usize,
}

fn texts(join: &HashJoinExec) -> Vec<Text> {
    if *join.join_type() != JoinType::Inner {
        return Vec::new();
    }
    let left = join.left().schema();
    let keys = join.on().iter().flat_map(|(left, _)| collect_columns(left));
    let mut read: HashSet<usize> = keys.map(|column| column.index()).collect();
    if let Some(filter) = join.filter() {
        let columns = filter.column_indices().iter();
        let of_left = columns.filter(|column| column.side == JoinSide::Left);
        read.extend(of_left.map(|column| column.index));
    }
    let all: Vec<usize> = (0..left.fields().len() + join.right().schema().fields().len()).collect();
    let outputs: &[usize] = join.projection.as_deref().unwrap_or(&all);
    let given = outputs.iter().enumerate();
    let texts = given.filter(|(_, column)| {
        let is_text = left.fields().get(**column).is_some_and(|field| {
            matches!(
                field.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            )
        });
        let times = outputs.iter().filter(|other| other == column).count();
        is_text && times == 1 && !read.contains(*column)
    });
    texts
        .map(|(output, column)| Text {
            column: *column,
            output,
        })
        .collect()
}

/// Where a column of the join is above a projection that does nothing but pass it on.
fn place_of(output: usize, between: Option<&ProjectionExec>) -> Option<usize> {
    let Some(between) = between else {
        return Some(output);
    };
    let mut readers = between.expr().iter().enumerate().filter(|(_, expression)| {
        let columns = collect_columns(&expression.expr);
        columns.iter().any(|column| column.index() == output)
    });
    let (place, reader) = readers.next()?;
    (readers.next().is_none() && reader.expr.is::<Column>()).then_some(place)
}

/// The operator whose expressions ask.
enum Top<'a> {
    Aggregate(&'a AggregateExec),
    Projection(&'a ProjectionExec),
}

impl<'a> Top<'a> {
    fn of(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            return Some(Self::Projection(projection));
        }
        let aggregate = plan.downcast_ref::<AggregateExec>()?;
        let reads_rows = aggregate.mode().input_mode() == AggregateInputMode::Raw;
        (reads_rows && aggregate.limit_options().is_none()).then_some(Self::Aggregate(aggregate))
    }

    /// The one question about a column that all its readers ask.
    fn only_question(&self, column: usize) -> Option<Arc<dyn PhysicalExpr>> {
        let mut questions = Vec::new();
        let asks = match self {
            Self::Projection(projection) => {
                let mut all = projection.expr().iter();
                all.all(|expression| only_asks(&expression.expr, column, &mut questions))
            }
            Self::Aggregate(aggregate) => {
                let groups = aggregate.group_expr().input_exprs();
                let orders = aggregate.aggr_expr().iter().flat_map(|call| {
                    let orders = call.order_bys().iter();
                    orders
                        .map(|order| Arc::clone(&order.expr))
                        .collect::<Vec<_>>()
                });
                let as_it_is = groups.into_iter().chain(orders).any(|read| {
                    let columns = collect_columns(&read);
                    columns.iter().any(|read| read.index() == column)
                });
                let arguments = aggregate
                    .aggr_expr()
                    .iter()
                    .flat_map(|call| call.expressions());
                let filters = aggregate.filter_expr().iter().flatten().cloned();
                let mut all = arguments.chain(filters);
                !as_it_is && all.all(|expression| only_asks(&expression, column, &mut questions))
            }
        };
        let question = questions.pop()?;
        (asks
            && questions
                .iter()
                .all(|other| other.as_ref() == question.as_ref()))
        .then_some(question)
    }

    /// The operator over `input`, in which the answer is a column.
    fn asking(
        &self,
        question: &Arc<dyn PhysicalExpr>,
        answer: &Arc<dyn PhysicalExpr>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let answered = |expression: &Arc<dyn PhysicalExpr>| {
            let answered = Arc::clone(expression).transform_down(|inner| {
                Ok(match inner.as_ref() == question.as_ref() {
                    true => Transformed::new(Arc::clone(answer), true, TreeNodeRecursion::Jump),
                    false => Transformed::no(inner),
                })
            });
            answered.data()
        };
        match self {
            Self::Projection(projection) => {
                let expressions = projection.expr().iter().map(|expression| {
                    let expr = answered(&expression.expr)?;
                    Ok(ProjectionExpr::new(expr, &expression.alias))
                });
                let expressions = expressions.collect::<Result<Vec<_>>>()?;
                Ok(Arc::new(ProjectionExec::try_new(expressions, input)?))
            }
            Self::Aggregate(aggregate) => {
                let calls = aggregate.aggr_expr().iter().map(|call| {
                    let arguments = call.expressions();
                    let arguments = arguments.iter().map(answered).collect::<Result<_>>()?;
                    let orders = call.order_bys().iter();
                    let orders = orders.map(|order| Arc::clone(&order.expr)).collect();
                    match call.with_new_expressions(arguments, orders) {
                        Some(asking) => Ok(Arc::new(asking)),
                        None => internal_err!("{} has other arguments", call.name()),
                    }
                });
                let filters = aggregate.filter_expr().iter();
                let filters = filters.map(|filter| filter.as_ref().map(answered).transpose());
                let schema = input.schema();
                Ok(Arc::new(AggregateExec::try_new(
                    *aggregate.mode(),
                    aggregate.group_expr().clone(),
                    calls.collect::<Result<_>>()?,
                    filters.collect::<Result<_>>()?,
                    input,
                    schema,
                )?))
            }
        }
    }
}

/// Whether an expression reads a column in questions alone, which are added to those found.
fn only_asks(
    expression: &Arc<dyn PhysicalExpr>,
    column: usize,
    questions: &mut Vec<Arc<dyn PhysicalExpr>>,
) -> bool {
    if is_question(expression, column) {
        questions.push(Arc::clone(expression));
        return true;
    }
    if let Some(read) = expression.downcast_ref::<Column>() {
        return read.index() != column;
    }
    let mut children = expression.children().into_iter();
    children.all(|child| only_asks(child, column, questions))
}

/// Whether it is true or false of a text alone, whatever that is, and costs little.
fn is_question(expression: &Arc<dyn PhysicalExpr>, column: usize) -> bool {
    let is_column = |expression: &Arc<dyn PhysicalExpr>| {
        let read = expression.downcast_ref::<Column>();
        read.is_some_and(|read| read.index() == column)
    };
    let is_literal = |expression: &Arc<dyn PhysicalExpr>| expression.is::<Literal>();
    if let Some(binary) = expression.downcast_ref::<BinaryExpr>() {
        let (left, right) = (binary.left(), binary.right());
        return match binary.op() {
            Operator::And | Operator::Or => is_question(left, column) && is_question(right, column),
            op if is_comparison(*op) => {
                is_column(left) && is_literal(right) || is_literal(left) && is_column(right)
            }
            _ => false,
        };
    }
    if let Some(not) = expression.downcast_ref::<NotExpr>() {
        return is_question(not.arg(), column);
    }
    if let Some(list) = expression.downcast_ref::<InListExpr>() {
        let values = list.list();
        return is_column(list.expr()) && values.len() <= LIST_MAX && values.iter().all(is_literal);
    }
    let like = expression.downcast_ref::<LikeExpr>();
    like.is_some_and(|like| {
        is_column(like.expr()) && !like.case_insensitive() && is_prefix(like.pattern())
    })
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
    )
}

/// Whether a pattern asks how a text begins: others look into all of it.
fn is_prefix(pattern: &Arc<dyn PhysicalExpr>) -> bool {
    let Some(literal) = pattern.downcast_ref::<Literal>() else {
        return false;
    };
    let (ScalarValue::Utf8(Some(text))
    | ScalarValue::LargeUtf8(Some(text))
    | ScalarValue::Utf8View(Some(text))) = literal.value()
    else {
        return false;
    };
    let prefix = text.strip_suffix('%').unwrap_or(text);
    !prefix.contains(['%', '_', '\\'])
}

/// The expression with another column in place of one.
fn replaced(
    expression: &Arc<dyn PhysicalExpr>,
    column: usize,
    by: &Arc<dyn PhysicalExpr>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let replaced = Arc::clone(expression).transform_up(|inner| {
        let read = inner.downcast_ref::<Column>();
        Ok(match read.is_some_and(|read| read.index() == column) {
            true => Transformed::yes(Arc::clone(by)),
            false => Transformed::no(inner),
        })
    });
    replaced.data()
}

#[cfg(test)]
mod tests;
