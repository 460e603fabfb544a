//! Questions that stay native and are asked of every row of a table, in one pass over their column.
//!
//! ```text
//! d >= 1995-09-01 AND d < 1995-10-01    two comparisons and their conjunction  ->  one, of sixteen bits where there is a copy
//! t LIKE 'PROMO%'                       looks where the text stands            ->  at its first four bytes in the view
//! ```
//!
//! Expressions print as those they stand for, which also answer wherever a batch holds something else than was planned.

mod kernels;

use std::{fmt, hash::Hash, sync::Arc};

use arrow::{
    array::{Array, BooleanArray},
    datatypes::{DataType, Schema},
    record_batch::RecordBatch,
};
use datafusion::{
    common::{
        Result, ScalarValue,
        tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{ColumnarValue, Operator},
    physical_expr::{
        PhysicalExpr, conjunction,
        expressions::{BinaryExpr, Column, LikeExpr, Literal},
        split_conjunction,
    },
    physical_plan::{
        ExecutionPlan,
        filter::{FilterExec, FilterExecBuilder},
        projection::{ProjectionExec, ProjectionExpr},
    },
};

use crate::{
    numbers::Numbers,
    temporary::{self, Shorts},
};

/// The plan, which stays in this process, with its questions asked so.
pub(crate) fn ask(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let asked = plan.transform_up(|node| {
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            let predicate = asked(filter.predicate(), filter.input())?;
            if predicate.transformed {
                let filter = FilterExecBuilder::from(filter).with_predicate(predicate.data);
                return Ok(Transformed::yes(Arc::new(filter.build()?)));
            }
        } else if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let mut is_better = false;
            let expressions = projection.expr().iter().map(|expression| {
                let asked = asked(&expression.expr, projection.input())?;
                is_better |= asked.transformed;
                Ok(ProjectionExpr::new(asked.data, &expression.alias))
            });
            let expressions = expressions.collect::<Result<Vec<_>>>()?;
            if is_better {
                let input = Arc::clone(projection.input());
                let projection = ProjectionExec::try_new(expressions, input)?;
                return Ok(Transformed::yes(Arc::new(projection)));
            }
        }
        Ok(Transformed::no(node))
    });
    asked.data()
}

/// An expression of the columns of `input`.
fn asked(
    expression: &Arc<dyn PhysicalExpr>,
    input: &Arc<dyn ExecutionPlan>,
) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    let schema = input.schema();
    Arc::clone(expression).transform_down(|inner| {
        Ok(
            match ranges(&inner, input).or_else(|| prefix(&inner, &schema)) {
                Some(better) => Transformed::new(better, true, TreeNodeRecursion::Jump),
                None => Transformed::no(inner),
            },
        )
    })
}

/// A conjunction in which the two bounds of a column are one question, where the first of them stood. They cannot fail, so
/// they may come before others.
fn ranges(
    expression: &Arc<dyn PhysicalExpr>,
    input: &Arc<dyn ExecutionPlan>,
) -> Option<Arc<dyn PhysicalExpr>> {
    let schema = input.schema();
    let parts = split_conjunction(expression);
    let bounds: Vec<_> = parts.iter().map(|part| Bound::of(part, &schema)).collect();
    let mut is_taken = vec![false; parts.len()];
    let mut asked = Vec::new();
    let mut is_better = false;
    for (index, part) in parts.iter().enumerate() {
        if is_taken[index] {
            continue;
        }
        let pair = bounds[index].as_ref().and_then(|first| {
            let mut later = bounds.iter().enumerate().skip(index + 1);
            later.find_map(|(other, second)| Some((other, first.with(second.as_ref()?)?)))
        });
        let Some((other, (column, low, high))) = pair else {
            asked.push(Arc::clone(part));
            continue;
        };
        is_taken[other] = true;
        is_better = true;
        let of = [Arc::clone(part), Arc::clone(parts[other])];
        asked.push(Arc::new(OnePass {
            of: conjunction(of),
            column,
            question: Question::Range {
                low,
                high,
                shorts: temporary::shorts(input, column),
            },
        }) as _);
    }
    is_better.then(|| conjunction(asked))
}

/// A comparison of a column with a number, as the least or the greatest one that it lets pass.
struct Bound {
    column: usize,
    is_low: bool,
    number: i128,
}

impl Bound {
    fn of(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Self> {
        let comparison = expression.downcast_ref::<BinaryExpr>()?;
        let column = comparison.left().downcast_ref::<Column>()?;
        let value = comparison.right().downcast_ref::<Literal>()?.value();
        let ty = schema.fields().get(column.index())?.data_type();
        let number = number(value).filter(|_| value.data_type() == *ty)?;
        let (is_low, number) = match comparison.op() {
            Operator::GtEq => (true, number),
            Operator::Gt => (true, number.checked_add(1)?),
            Operator::LtEq => (false, number),
            Operator::Lt => (false, number.checked_sub(1)?),
            _ => return None,
        };
        Some(Self {
            column: column.index(),
            is_low,
            number,
        })
    }

    /// Column, low and high end of what lies between.
    fn with(&self, other: &Self) -> Option<(usize, i128, i128)> {
        let are_of_one = self.column == other.column && self.is_low != other.is_low;
        let (low, high) = match self.is_low {
            true => (self.number, other.number),
            false => (other.number, self.number),
        };
        are_of_one.then_some((self.column, low, high))
    }
}

/// What the values of an array are as [`Numbers`].
fn number(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => Some((*value).into()),
        ScalarValue::Int64(Some(value))
        | ScalarValue::Date64(Some(value))
        | ScalarValue::TimestampSecond(Some(value), _)
        | ScalarValue::TimestampMillisecond(Some(value), _)
        | ScalarValue::TimestampMicrosecond(Some(value), _)
        | ScalarValue::TimestampNanosecond(Some(value), _) => Some((*value).into()),
        ScalarValue::Decimal128(Some(value), _, _) => Some(*value),
        _ => None,
    }
}

/// How a text begins.
fn prefix(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Arc<dyn PhysicalExpr>> {
    let like = expression.downcast_ref::<LikeExpr>()?;
    let column = like.expr().downcast_ref::<Column>()?;
    let pattern = like.pattern().downcast_ref::<Literal>()?.value();
    let ScalarValue::Utf8View(Some(pattern)) = pattern else {
        return None;
    };
    let prefix = pattern.strip_suffix('%')?;
    let is_text = *schema.fields().get(column.index())?.data_type() == DataType::Utf8View;
    let is_plain =
        !like.negated() && !like.case_insensitive() && !prefix.contains(['%', '_', '\\']);
    (is_text && is_plain).then(|| {
        Arc::new(OnePass {
            of: Arc::clone(expression),
            column: column.index(),
            question: Question::Begins(prefix.as_bytes().into()),
        }) as _
    })
}

/// A question about a column, in place of an expression that asks the same.
#[derive(Debug, Clone)]
struct OnePass {
    of: Arc<dyn PhysicalExpr>,
    column: usize,
    question: Question,
}

#[derive(Debug, Clone)]
enum Question {
    /// Whether it lies between these, both included.
    Range {
        low: i128,
        high: i128,
        /// Of the column, where it is one of a temporary table.
        shorts: Option<Shorts>,
    },
    Begins(Box<[u8]>),
}

impl PartialEq for OnePass {
    fn eq(&self, other: &Self) -> bool {
        self.of.as_ref() == other.of.as_ref()
    }
}

impl Eq for OnePass {}

impl Hash for OnePass {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.of.hash(state);
    }
}

impl fmt::Display for OnePass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

impl PhysicalExpr for OnePass {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.of.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let column = batch.column(self.column);
        let answers =
            match &self.question {
                Question::Range { low, high, shorts } => Numbers::of(column).map(|numbers| {
                    match shorts.as_ref().and_then(|shorts| shorts.of(numbers)) {
                        Some(short) => kernels::within_short(short, *low, *high),
                        None => kernels::within(numbers, *low, *high),
                    }
                }),
                Question::Begins(prefix) => kernels::begins(column, prefix),
            };
        match answers {
            Some(answers) => {
                let answers = BooleanArray::new(answers, column.logical_nulls());
                Ok(ColumnarValue::Array(Arc::new(answers)))
            }
            None => self.of.evaluate(batch),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.of]
    }

    /// Whatever that is now, it is asked as it is.
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(children.into_iter().next().unwrap_or(self))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests;
