//! Parameters of a statement: `?` or `$n` in its text, their types, and values in their place.
//!
//! `?` become `$1`, `$2` .. in the order of the text, on tokens, so that strings, comments and quoted names are left
//! alone. Types come from where a parameter stands: the other side of a comparison, the column an INSERT writes to, a
//! CAST around it, LIMIT and OFFSET. Values are cast to them where nothing is lost by it.
//! Errors: [`QueryError::Syntax`] for parameters that cannot be numbered, [`QueryError::MissingValues`] where values do
//! not fit in number, [`QueryError::TooManyRows`], [`QueryError::Data`] for a value that its parameter cannot take.

mod fit;

use std::sync::Arc;

use arrow::{
    array::{Array, RecordBatch},
    datatypes::{DataType, Field, Schema},
};
use datafusion::{
    common::{
        Column, ParamValues, Result, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    datasource::{MemTable, provider_as_source},
    logical_expr::{
        EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, Projection, Union, Values,
    },
    sql::sqlparser::{
        dialect::GenericDialect,
        tokenizer::{Token, TokenWithSpan, Tokenizer},
    },
};

use crate::{QueryError, expanded::expanded_bytes};

/// Parameters of one statement.
pub(crate) const PARAMETERS_MAX: usize = 32_767;
/// Rows of values that a query is run with at once: each is a plan of its own.
const QUERY_ROWS_MAX: usize = 1_000;

/// The tokens of a statement, its parameters numbered.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// The highest number.
    pub(crate) count: usize,
}

/// Splits a statement into tokens and numbers its parameters.
pub(crate) fn number(sql: &str) -> Result<Numbered, QueryError> {
    let syntax = |detail: String| QueryError::Syntax { detail };
    let mut tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|e| syntax(e.to_string()))?;
    let (mut marks, mut highest) = (0, 0);
    for token in &mut tokens {
        let Token::Placeholder(text) = &mut token.token else {
            continue;
        };
        if text == "?" {
            marks += 1;
            *text = format!("${marks}");
        } else {
            let number = position(text)
                .ok_or_else(|| syntax(format!("a parameter is ? or $1, $2 .., not {text}")))?;
            highest = highest.max(number + 1);
        }
    }
    if marks > 0 && highest > 0 {
        return Err(syntax(
            "parameters are all written ?, or all $1, $2 ..".into(),
        ));
    }
    let count = marks.max(highest);
    if count > PARAMETERS_MAX {
        return Err(syntax(format!(
            "{count} parameters are more than the {PARAMETERS_MAX} a statement may have"
        )));
    }
    Ok(Numbered { tokens, count })
}

/// `$3` -> 2, the index of its value.
pub(crate) fn position(id: &str) -> Option<usize> {
    id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// The type of each parameter in numeric order; `None` where its place says nothing.
pub(crate) fn types(plan: &LogicalPlan, count: usize) -> Result<Vec<Option<DataType>>> {
    let mut types = vec![None; count];
    let mut note = |expression: &Expr, data_type: Option<&DataType>| {
        if let Expr::Placeholder(placeholder) = expression
            && let Some(index) = position(&placeholder.id)
            && let Some(slot @ None) = types.get_mut(index)
        {
            *slot = data_type.filter(|known| **known != DataType::Null).cloned();
        }
    };
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            for bound in [&limit.skip, &limit.fetch].into_iter().flatten() {
                note(bound, Some(&DataType::Int64));
            }
        }
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                match inner {
                    Expr::Placeholder(placeholder) => {
                        note(inner, placeholder.field.as_ref().map(|f| f.data_type()));
                    }
                    Expr::Cast(cast) => note(&cast.expr, Some(cast.field.data_type())),
                    Expr::TryCast(cast) => note(&cast.expr, Some(cast.field.data_type())),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(types)
}

/// Errors: [`QueryError::TooManyRows`] for more than a query may be run with at once.
pub(crate) fn check_rows(rows: usize) -> Result<(), QueryError> {
    match rows > QUERY_ROWS_MAX {
        true => Err(QueryError::TooManyRows {
            rows,
            limit: QUERY_ROWS_MAX,
        }),
        false => Ok(()),
    }
}

/// The values of all parameters, a column each, with the types the plan wants where they can have them. `charge` is asked
/// for the bytes of values that came in fewer than they take.
pub(crate) fn accept(
    values: Option<&RecordBatch>,
    types: &[Option<DataType>],
    charge: impl Fn(usize) -> Result<(), QueryError>,
) -> Result<Option<RecordBatch>, QueryError> {
    let given = values.map_or(0, RecordBatch::num_columns);
    if given != types.len() {
        return Err(QueryError::MissingValues {
            parameters: types.len(),
            values: given,
        });
    }
    let Some(values) = values.filter(|_| !types.is_empty()) else {
        return Ok(None);
    };
    let mut fields = Vec::with_capacity(types.len());
    let mut columns = Vec::with_capacity(types.len());
    for (index, (column, wanted)) in values.columns().iter().zip(types).enumerate() {
        let name = format!("${}", index + 1);
        let more_bytes = match (wanted, column.data_type()) {
            (Some(wanted), DataType::Null) => Some(column.len().saturating_mul(null_bytes(wanted))),
            _ => expanded_bytes(column.as_ref()),
        };
        if let Some(bytes) = more_bytes {
            charge(bytes)?;
        }
        let column = match wanted {
            Some(wanted) => fit::fit(&name, column, wanted)?,
            None => Arc::clone(column),
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    batch
        .map(Some)
        .map_err(|e| QueryError::Data { source: e.into() })
}

/// Bytes that a NULL of the type takes.
fn null_bytes(data_type: &DataType) -> usize {
    1 + match data_type {
        DataType::FixedSizeBinary(size) => usize::try_from(*size).unwrap_or(0),
        DataType::FixedSizeList(item, size) => {
            let items = usize::try_from(*size).unwrap_or(0);
            items.saturating_mul(null_bytes(item.data_type()))
        }
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| null_bytes(field.data_type()))
            .sum::<usize>(),
        other => other.primitive_width().unwrap_or(size_of::<u128>()),
    }
}

/// The plan with values for its parameters: no row gives no rows, several give the rows of all.
pub(crate) fn into_query(
    plan: &LogicalPlan,
    values: &RecordBatch,
) -> Result<LogicalPlan, QueryError> {
    let rows = values.num_rows();
    check_rows(rows)?;
    let planned = || match rows {
        0 => Ok(LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: false,
            schema: Arc::clone(plan.schema()),
        })),
        1 => with_row(plan, values, 0),
        _ => {
            let each = (0..rows).map(|row| with_row(plan, values, row).map(Arc::new));
            let union = Union::try_new_with_loose_types(each.collect::<Result<_>>()?)?;
            Ok(LogicalPlan::Union(union))
        }
    };
    planned().map_err(|source| QueryError::Plan { source })
}

/// The plan with one row of values.
pub(crate) fn with_row(
    plan: &LogicalPlan,
    values: &RecordBatch,
    row: usize,
) -> Result<LogicalPlan> {
    let scalars = values
        .columns()
        .iter()
        .map(|column| ScalarValue::try_from_array(column, row))
        .collect::<Result<Vec<_>>>()?;
    plan.clone()
        .replace_params_with_values(&ParamValues::from(scalars))
}

/// The rows of an INSERT with values for its parameters. A list of values becomes a scan of the bound rows, so that
/// many of them are one insert.
pub(crate) fn into_insert(
    rows: &LogicalPlan,
    values: &RecordBatch,
) -> Result<LogicalPlan, QueryError> {
    if let LogicalPlan::Projection(assigned) = rows
        && let LogicalPlan::Values(list) = assigned.input.as_ref()
    {
        let planned = scan_for_list(list, values).and_then(|input| {
            let rows = Projection::try_new(assigned.expr.clone(), Arc::new(input))?;
            Ok(LogicalPlan::Projection(rows))
        });
        return planned.map_err(|source| QueryError::Plan { source });
    }
    into_query(rows, values)
}

fn scan_for_list(list: &Values, values: &RecordBatch) -> Result<LogicalPlan> {
    let bound = MemTable::try_new(values.schema(), vec![vec![values.clone()]])?;
    let source = provider_as_source(Arc::new(bound));
    let scan = Arc::new(LogicalPlanBuilder::scan("parameters", source, None)?.build()?);
    let mut each = list.values.iter().map(|row| {
        let columns = row.iter().zip(list.schema.fields()).map(|(value, field)| {
            let value = value.clone().transform_up(|inner| match &inner {
                Expr::Placeholder(parameter) => {
                    let column = Column::new_unqualified(parameter.id.clone());
                    Ok(Transformed::yes(Expr::Column(column)))
                }
                _ => Ok(Transformed::no(inner)),
            })?;
            Ok(value.data.alias(field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Projection::try_new(columns, Arc::clone(&scan)).map(LogicalPlan::Projection)
    });
    if list.values.len() == 1
        && let Some(only) = each.next()
    {
        return only;
    }
    let each = each.map(|rows| rows.map(Arc::new)).collect::<Result<_>>()?;
    Union::try_new_with_loose_types(each).map(LogicalPlan::Union)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int32Array};

    fn numbered(sql: &str) -> (String, usize) {
        let numbered = number(sql).unwrap();
        let text = numbered.tokens.iter().map(|t| t.token.to_string());
        (text.collect(), numbered.count)
    }

    #[test]
    fn question_marks_are_numbered_where_they_are_parameters() {
        let (text, count) = numbered("SELECT '?', \"a?\", ? /* ? */ FROM t WHERE a = ? -- ?\n");
        assert_eq!(count, 2);
        assert!(
            text.contains("'?', \"a?\", $1") && text.contains("a = $2"),
            "{text}"
        );
        assert_eq!(numbered("SELECT $2, $10").1, 10);
        assert_eq!(numbered("SELECT 1").1, 0);
    }

    #[test]
    fn parameters_that_cannot_be_numbered_are_refused() {
        for (sql, said) in [
            ("SELECT ?, $1", "all written ?"),
            ("SELECT $0", "not $0"),
            ("SELECT $name", "not $name"),
            ("SELECT ?3", "not ?3"),
            ("SELECT $4000000000", "more than the 32767"),
        ] {
            let error = number(sql).unwrap_err().to_string();
            assert!(error.contains(said), "{sql}: {error}");
        }
    }

    #[test]
    fn values_must_be_as_many_as_parameters() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let one = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let types = [None, None];
        for (values, types) in [(None, &types[..]), (Some(&one), &types), (Some(&one), &[])] {
            let error = accept(values, types, |_| Ok(())).unwrap_err();
            assert!(matches!(error, QueryError::MissingValues { .. }), "{error}");
        }
        assert_eq!(accept(None, &[], |_| Ok(())).unwrap(), None);
    }
}
