//! SQL text -> a bound plan, or a command.

mod names;
mod parse;
mod planned;
mod substrait;
mod unplanned;

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, SchemaRef},
};
use datafusion::{
    common::{DataFusionError, tree_node::TreeNode},
    logical_expr::{Expr, LogicalPlan},
    sql::parser::Statement,
};

pub use self::substrait::{SubstraitPlan, SubstraitVersion};
pub(crate) use self::{
    names::check_new_name, parse::parse, planned::table_schema, unplanned::urgent,
};
use crate::{
    QueryContext, QueryError,
    command::{Command, CreateTable, Insert},
    insert, inspect, parameters,
    user_statement::UserStatement,
};

/// What a statement is, once its names are known.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    Query(LogicalPlan),
    Command(Command),
}

impl Bound {
    /// The plan in it, which may have parameters.
    pub(crate) fn plan(&self) -> Option<&LogicalPlan> {
        match self {
            Self::Query(plan) => Some(plan),
            Self::Command(command) => command.plan(),
        }
    }
}

/// Parses the statement of `ctx` and binds its names. Gives also the types of its parameters, in numeric order.
pub(crate) async fn bind(ctx: &QueryContext) -> Result<(Bound, Vec<Option<DataType>>), QueryError> {
    if let Some(plan) = &ctx.substrait {
        let (query, count) = substrait::query(ctx, plan).await?;
        return permitted(ctx, Bound::Query(query), count);
    }
    if let Some(statement) = UserStatement::parse(&ctx.sql)? {
        return permitted(ctx, Bound::Command(Command::User(statement)), 0);
    }
    let explained = parse::explained(&ctx.sql);
    let (statement, count) = parse::parse(explained.map_or(&ctx.sql, |(_, inner)| inner))?;
    let bound = match explained {
        Some((explain, _)) => {
            let plan = to_plan(ctx, statement).await?;
            Bound::Command(explain(Box::new(plan)))
        }
        None => bind_statement(ctx, statement).await?,
    };
    permitted(ctx, bound, count)
}

/// The statement and the types of its parameters, if it is for this session's user to run.
fn permitted(
    ctx: &QueryContext,
    bound: Bound,
    count: usize,
) -> Result<(Bound, Vec<Option<DataType>>), QueryError> {
    ctx.session.identity().check(&bound)?;
    if count == 0 {
        return Ok((bound, Vec::new()));
    }
    let plan = bound.plan().ok_or_else(|| QueryError::Unsupported {
        what: "a parameter in this statement".into(),
        hint: Some("write the value into its text"),
    })?;
    let types = parameters::types(plan, count).map_err(|e| QueryError::planning(ctx.id(), e))?;
    Ok((bound, types))
}

/// The statement with values for its parameters.
pub(crate) fn with_values(
    ctx: &QueryContext,
    bound: &Bound,
    values: &RecordBatch,
) -> Result<Bound, QueryError> {
    let command = match bound {
        Bound::Query(plan) => return parameters::into_query(plan, values).map(Bound::Query),
        Bound::Command(command) => command.clone(),
    };
    let boxed = |plan: &LogicalPlan| parameters::into_query(plan, values).map(Box::new);
    Ok(Bound::Command(match command {
        Command::Insert(insert) => Command::Insert(Insert {
            rows: Box::new(parameters::into_insert(&insert.rows, values)?),
            ..insert
        }),
        Command::CreateTable(table) => match &table.rows {
            None => Command::CreateTable(table),
            Some(rows) => {
                let rows = boxed(rows)?;
                Command::CreateTable(CreateTable {
                    schema: table_schema(&schema_of_rows(ctx, &rows), false)?,
                    rows: Some(rows),
                    ..table
                })
            }
        },
        Command::Copy(plan) => Command::Copy(boxed(&plan)?),
        Command::ExplainFragments(plan) => Command::ExplainFragments(boxed(&plan)?),
        Command::ExplainWat(plan) => Command::ExplainWat(boxed(&plan)?),
        other => other,
    }))
}

/// Columns of a query's rows. Only the analyser settles the types of a UNION's columns.
pub(crate) fn schema_of_rows(ctx: &QueryContext, plan: &LogicalPlan) -> SchemaRef {
    let analysed =
        ctx.state
            .analyzer()
            .execute_and_check(plan.clone(), ctx.state.config_options(), |_, _| {});
    // What cannot be analysed before its parameters have values has the columns it was planned with.
    let plan = analysed.as_ref().unwrap_or(plan);
    Arc::clone(plan.schema().inner())
}

async fn bind_statement(ctx: &QueryContext, mut statement: Statement) -> Result<Bound, QueryError> {
    if let Some(command) = unplanned::command(&statement)? {
        return Ok(Bound::Command(command));
    }
    let temporary = parse::take_temporary(&mut statement);
    let planning = |e| QueryError::planning(ctx.id(), e);
    let source = match insert::take_source(&mut statement).map_err(planning)? {
        Some(query) => {
            let source = to_plan(ctx, query).await?;
            insert::put_stand_in(&mut statement, &source).map_err(planning)?;
            Some(source)
        }
        None => None,
    };
    let plan = match names::is_view(&statement) {
        true => view_to_plan(ctx, statement).await,
        false => to_plan(ctx, statement).await,
    };
    let plan = match &source {
        Some(source) => plan.map_err(|e| insert::about_source(e, source))?,
        None => plan?,
    };
    match plan {
        LogicalPlan::Ddl(ddl) => planned::definition(ctx, ddl, temporary).map(Bound::Command),
        LogicalPlan::Dml(dml) => {
            let dml = match source {
                Some(source) => insert::with_source(dml, source),
                None => insert::with_nullable_values(dml),
            };
            planned::insert(ctx, dml.map_err(planning)?).map(Bound::Command)
        }
        LogicalPlan::Copy(_) => Ok(Bound::Command(Command::Copy(Box::new(plan)))),
        LogicalPlan::Statement(statement) => planned::setting(statement).map(Bound::Command),
        query => {
            refuse_explained_insert(&query)?;
            refuse_shown_comparison(&query)?;
            Ok(Bound::Query(query))
        }
    }
}

/// `EXPLAIN ANALYZE` runs what it explains, and DataFusion's INSERT writes past the catalog: into files of others.
fn refuse_explained_insert(plan: &LogicalPlan) -> Result<(), QueryError> {
    let analyses = |node: &LogicalPlan| matches!(node, LogicalPlan::Analyze(_));
    let writes = |node: &LogicalPlan| matches!(node, LogicalPlan::Dml(_));
    match inspect::any_node(plan, analyses) && inspect::any_node(plan, writes) {
        true => Err(QueryError::Unsupported {
            what: "EXPLAIN ANALYZE of an INSERT".into(),
            hint: Some("analyse the query that gives its rows"),
        }),
        false => Ok(()),
    }
}

/// DataFusion makes two EXISTS of `= ANY (SELECT ..)` and the like, which it can only filter by.
fn refuse_shown_comparison(plan: &LogicalPlan) -> Result<(), QueryError> {
    let compares = |inner: &Expr| Ok(matches!(inner, Expr::SetComparison(_)));
    let shows = |node: &LogicalPlan| {
        let mut shown = node.expressions().into_iter();
        !matches!(node, LogicalPlan::Filter(_))
            && shown.any(|expression| expression.exists(compares).unwrap_or(true))
    };
    match inspect::any_node(plan, shows) {
        true => Err(QueryError::Unsupported {
            what: "ANY or ALL of a query outside of WHERE and HAVING".into(),
            hint: Some("write it with IN, or with min or max of the query"),
        }),
        false => Ok(()),
    }
}

async fn to_plan(ctx: &QueryContext, statement: Statement) -> Result<LogicalPlan, QueryError> {
    let planned = ctx.state.statement_to_plan(statement).await;
    planned.map_err(|error| planning_error(ctx, error))
}

/// A stored view never means a temporary table, so its definition is not planned with one either.
async fn view_to_plan(ctx: &QueryContext, statement: Statement) -> Result<LogicalPlan, QueryError> {
    let state = ctx.session.state_for_stored(&ctx.state, &ctx.snapshot);
    let planned = state.statement_to_plan(statement).await;
    planned.map_err(|error| match names::missing_temporary(ctx, &error) {
        true => QueryError::Unsupported {
            what: "a temporary table in a view".into(),
            hint: Some("a view is there for all sessions: make the table without TEMPORARY"),
        },
        false => planning_error(ctx, error),
    })
}

fn planning_error(ctx: &QueryContext, error: DataFusionError) -> QueryError {
    match QueryError::planning(ctx.id(), error) {
        QueryError::NotFound { what, hint: None } => names::missing_table(ctx, what),
        other => other,
    }
}
