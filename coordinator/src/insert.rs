//! The rows of an INSERT: DataFusion's planner, set right where it goes wrong.
//!
//! It hands the types of the table's columns down to every `VALUES` of the source, also to one in a subquery that has
//! nothing to do with them. So a source that is a query is planned by itself, and the columns are assigned afterwards.

use std::sync::Arc;

use datafusion::{
    common::{Column, DFSchema, DataFusionError, Result, plan_err},
    logical_expr::{DmlStatement, Expr, ExprSchemable, LogicalPlan, Projection, Values},
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{Query, SetExpr, Statement as SqlStatement},
    },
};

use crate::QueryError;

/// Takes the source of an INSERT out of the statement where it is a query, not a list of values.
pub(crate) fn take_source(statement: &mut Statement) -> Result<Option<Statement>> {
    let Some(source) = source_of(statement) else {
        return Ok(None);
    };
    if matches!(*source.body, SetExpr::Values(_)) {
        return Ok(None);
    }
    let query = std::mem::replace(source, stand_in(1)?);
    let query = SqlStatement::Query(Box::new(query));
    Ok(Some(Statement::Statement(Box::new(query))))
}

/// Puts a list of as many NULLs as `plan` has columns where the source was.
pub(crate) fn put_stand_in(statement: &mut Statement, plan: &LogicalPlan) -> Result<()> {
    if let Some(source) = source_of(statement) {
        *source = stand_in(plan.schema().fields().len())?;
    }
    Ok(())
}

/// An error about the stand-in, said of the query it stands for.
pub(crate) fn about_source(error: QueryError, source: &LogicalPlan) -> QueryError {
    match &error {
        QueryError::Plan { source: reason }
            if reason
                .to_string()
                .contains("Inconsistent data length across values list") =>
        {
            let columns = source.schema().fields().len();
            let text =
                format!("the query gives {columns} columns, and the INSERT takes another number");
            QueryError::Plan {
                source: DataFusionError::Plan(text),
            }
        }
        _ => error,
    }
}

fn source_of(statement: &mut Statement) -> Option<&mut Query> {
    match statement {
        Statement::Statement(inner) => match inner.as_mut() {
            SqlStatement::Insert(insert) => insert.source.as_deref_mut(),
            _ => None,
        },
        _ => None,
    }
}

fn stand_in(columns: usize) -> Result<Query> {
    let sql = format!("VALUES ({})", vec!["NULL"; columns].join(", "));
    let statement = DFParserBuilder::new(sql.as_str())
        .build()?
        .parse_statement()?;
    match statement {
        Statement::Statement(inner) => match *inner {
            SqlStatement::Query(query) => Ok(*query),
            other => plan_err!("{other} is not a query"),
        },
        other => plan_err!("{other} is not a query"),
    }
}

/// The INSERT with the rows of `source` in place of its stand-in.
pub(crate) fn with_source(mut insert: DmlStatement, source: LogicalPlan) -> Result<DmlStatement> {
    let assigned = projection(&insert.input)?;
    let stand_in = assigned.input.schema();
    let expressions = assigned
        .expr
        .iter()
        .zip(assigned.schema.fields())
        .map(|(expression, field)| {
            let value = match unaliased(expression) {
                Expr::Column(column) => {
                    let index = stand_in.index_of_column(column)?;
                    Expr::Column(Column::from(source.schema().qualified_field(index)))
                        .cast_to(field.data_type(), source.schema())?
                }
                default => default.clone(),
            };
            Ok(value.alias(field.name()))
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = Projection::try_new(expressions, Arc::new(source))?;
    insert.input = Arc::new(LogicalPlan::Projection(rows));
    Ok(insert)
}

/// The INSERT with a list of values that may be null: whether a column takes them is checked as it is written, where
/// the column's name is known.
pub(crate) fn with_nullable_values(mut insert: DmlStatement) -> Result<DmlStatement> {
    let assigned = projection(&insert.input)?;
    let LogicalPlan::Values(values) = assigned.input.as_ref() else {
        return Ok(insert);
    };
    let fields = values.schema.iter().map(|(qualifier, field)| {
        let field = field.as_ref().clone().with_nullable(true);
        (qualifier.cloned(), Arc::new(field))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), values.schema.metadata().clone())?;
    let values = LogicalPlan::Values(Values {
        schema: Arc::new(schema),
        values: values.values.clone(),
    });
    let rows = Projection::try_new(assigned.expr.clone(), Arc::new(values))?;
    insert.input = Arc::new(LogicalPlan::Projection(rows));
    Ok(insert)
}

fn projection(plan: &LogicalPlan) -> Result<&Projection> {
    match plan {
        LogicalPlan::Projection(projection) => Ok(projection),
        other => Err(DataFusionError::Internal(format!(
            "the rows of an INSERT are planned as {}",
            other.display()
        ))),
    }
}

fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
