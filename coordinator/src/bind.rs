//! SQL text -> a bound plan, or a command.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use catalog::{CATALOG, DEFAULT_SCHEMA, Secret, TableName};
use datafusion::{
    common::{DataFusionError, TableReference},
    logical_expr::{
        self as expr, DdlStatement, DmlStatement, LogicalPlan, TableType, WriteOp, dml::InsertOp,
    },
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            ast::{Ident, ObjectType, Statement as SqlStatement},
            dialect::GenericDialect,
            tokenizer::{Token, Tokenizer},
        },
        unparser::expr_to_sql,
    },
};

use crate::{
    QueryContext, QueryError,
    command::{Command, Target},
    insert, parameters, redact,
    user_statement::UserStatement,
};

/// Nesting of expressions and subqueries that the parser follows.
const NESTING_MAX: usize = 200;

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

/// `KILL` and `SHOW PROCESSLIST`, which must work also while every query thread is busy.
pub(crate) fn urgent(sql: &str) -> Option<Command> {
    let word = sql.split_whitespace().next()?;
    if !word.eq_ignore_ascii_case("kill") && !word.eq_ignore_ascii_case("show") {
        return None;
    }
    let command = without_plan(&parse(sql).ok()?.0).ok()??;
    matches!(command, Command::Kill { .. } | Command::ShowProcesslist).then_some(command)
}

/// Parses the statement of `ctx` and binds its names. Gives also the types of its parameters, in numeric order.
pub(crate) async fn bind(ctx: &QueryContext) -> Result<(Bound, Vec<Option<DataType>>), QueryError> {
    if let Some(statement) = UserStatement::parse(&ctx.sql)? {
        return permitted(ctx, Bound::Command(Command::User(statement)), 0);
    }
    let explained = explained(&ctx.sql);
    let (statement, count) = parse(explained.map_or(&ctx.sql, |(_, inner)| inner))?;
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
        Command::Insert {
            name,
            target,
            rows,
            overwrite,
        } => Command::Insert {
            name,
            target,
            rows: Box::new(parameters::into_insert(&rows, values)?),
            overwrite,
        },
        Command::CreateTable {
            name,
            defaults,
            rows: Some(rows),
            or_replace,
            if_not_exists,
            temporary,
            ..
        } => {
            let rows = boxed(&rows)?;
            Command::CreateTable {
                name,
                schema: table_schema(&schema_of_rows(ctx, &rows), false)?,
                defaults,
                rows: Some(rows),
                or_replace,
                if_not_exists,
                temporary,
            }
        }
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
    if let Some(command) = without_plan(&statement)? {
        return Ok(Bound::Command(command));
    }
    let temporary = take_temporary(&mut statement);
    let planning = |e| QueryError::planning(ctx.id(), e);
    let source = match insert::take_source(&mut statement).map_err(planning)? {
        Some(query) => {
            let source = to_plan(ctx, query).await?;
            insert::put_stand_in(&mut statement, &source).map_err(planning)?;
            Some(source)
        }
        None => None,
    };
    let plan = to_plan(ctx, statement).await;
    let plan = match &source {
        Some(source) => plan.map_err(|e| insert::about_source(e, source))?,
        None => plan?,
    };
    match plan {
        LogicalPlan::Ddl(ddl) => ddl_command(ctx, ddl, temporary).map(Bound::Command),
        LogicalPlan::Dml(dml) => {
            let dml = match source {
                Some(source) => insert::with_source(dml, source),
                None => insert::with_nullable_values(dml),
            };
            dml_command(ctx, dml.map_err(planning)?).map(Bound::Command)
        }
        LogicalPlan::Copy(_) => Ok(Bound::Command(Command::Copy(Box::new(plan)))),
        LogicalPlan::Statement(statement) => settings_command(statement).map(Bound::Command),
        query => Ok(Bound::Query(query)),
    }
}

/// One statement and the number of its parameters, or why the text is not one.
fn parse(sql: &str) -> Result<(Statement, usize), QueryError> {
    // The parser's words quote the statement's.
    let hidden = |error: QueryError| match redact::holds_secrets(sql) {
        true => QueryError::Syntax {
            detail: format!("cannot read the statement \"{}\"", redact::redact(sql)),
        },
        false => error,
    };
    let syntax = |error| hidden(QueryError::planning(crate::QueryId(0), error));
    let numbered = parameters::number(sql).map_err(hidden)?;
    let mut parser = DFParserBuilder::new(numbered.tokens)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(NESTING_MAX)
        .build()
        .map_err(syntax)?;
    let mut statements = parser.parse_statements().map_err(syntax)?;
    match statements.len() {
        0 => Err(QueryError::Empty),
        1 => Ok((
            statements.pop_front().expect("there is one"),
            numbered.count,
        )),
        count => Err(QueryError::SeveralStatements { count }),
    }
}

async fn to_plan(ctx: &QueryContext, statement: Statement) -> Result<LogicalPlan, QueryError> {
    ctx.state
        .statement_to_plan(statement)
        .await
        .map_err(|error| {
            let error = QueryError::planning(ctx.id(), error);
            match error {
                QueryError::NotFound { what, hint: None } => missing_table(ctx, what),
                other => other,
            }
        })
}

/// `table 'murre.public.lineitm' not found` -> `table "lineitm" does not exist`, with the nearest name as a hint.
fn missing_table(ctx: &QueryContext, what: String) -> QueryError {
    let Some(full) = what
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"))
    else {
        return QueryError::NotFound { what, hint: None };
    };
    let name = full
        .strip_prefix(CATALOG)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(full);
    let name = name
        .strip_prefix(DEFAULT_SCHEMA)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(name);
    let names = crate::names::Names::new(
        &ctx.state,
        ctx.engine.store().snapshot(),
        ctx.session.temporary().all(),
        true,
    );
    let nearest = names
        .all()
        .map(|known| {
            (
                datafusion::common::utils::datafusion_strsim::normalized_levenshtein(name, &known),
                known,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    QueryError::NotFound {
        what: format!("table \"{name}\" does not exist"),
        hint: nearest.map(|(_, known)| format!("did you mean \"{known}\"?")),
    }
}

/// What `EXPLAIN FRAGMENTS` or `EXPLAIN WAT` makes of a plan, and the statement behind these words.
fn explained(sql: &str) -> Option<(fn(Box<LogicalPlan>) -> Command, &str)> {
    let fragments = strip_explain(sql, "fragments");
    let fragments = fragments.map(|inner| (Command::ExplainFragments as fn(_) -> _, inner));
    fragments.or_else(|| {
        Some((
            Command::ExplainWat as fn(_) -> _,
            strip_explain(sql, "wat")?,
        ))
    })
}

/// The statement after `EXPLAIN` and the word `what`.
fn strip_explain<'a>(sql: &'a str, what: &str) -> Option<&'a str> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let mut words = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let is = |token: &Token, word: &str| matches!(token, Token::Word(w) if w.value.eq_ignore_ascii_case(word));
    words.next().filter(|token| is(&token.token, "explain"))?;
    words.next().filter(|token| is(&token.token, what))?;
    let at = words.next()?.span.start;
    let line_start: usize = sql
        .split_inclusive('\n')
        .take(at.line.saturating_sub(1) as usize)
        .map(str::len)
        .sum();
    let in_line = sql[line_start..]
        .char_indices()
        .nth(at.column.saturating_sub(1) as usize)?
        .0;
    Some(&sql[line_start + in_line..])
}

/// Statements that DataFusion's planner does not know.
fn without_plan(statement: &Statement) -> Result<Option<Command>, QueryError> {
    let Statement::Statement(statement) = statement else {
        return Ok(None);
    };
    let unsupported = |what: &str, hint| {
        Err(QueryError::Unsupported {
            what: what.into(),
            hint,
        })
    };
    Ok(Some(match statement.as_ref() {
        SqlStatement::CreateSecret {
            or_replace,
            if_not_exists,
            name,
            secret_type,
            options,
            temporary,
            ..
        } => {
            if *temporary == Some(true) {
                return unsupported("TEMPORARY SECRET", None);
            }
            let name = name.as_ref().map_or("default", |name| name.value.as_str());
            let mut pairs = BTreeMap::from([("type".to_owned(), secret_type.value.clone())]);
            for option in options {
                pairs.insert(
                    option.key.value.to_ascii_lowercase(),
                    option.value.value.clone(),
                );
            }
            let secret = Secret::from_options(name, pairs)?;
            Command::CreateSecret {
                secret,
                or_replace: *or_replace,
                if_not_exists: *if_not_exists,
            }
        }
        SqlStatement::DropSecret {
            if_exists, name, ..
        } => Command::DropSecret {
            name: name.value.clone(),
            if_exists: *if_exists,
        },
        SqlStatement::Kill { id, .. } => Command::Kill { id: *id },
        SqlStatement::ShowProcessList { .. } => Command::ShowProcesslist,
        SqlStatement::ShowVariable { variable }
            if variable.len() == 1 && is_word(&variable[0], "secrets") =>
        {
            Command::ShowSecrets
        }
        SqlStatement::StartTransaction { .. }
        | SqlStatement::Commit { .. }
        | SqlStatement::Rollback { .. }
        | SqlStatement::Savepoint { .. } => {
            return unsupported("a transaction", Some("every statement commits by itself"));
        }
        SqlStatement::Update { .. } => {
            return unsupported(
                "UPDATE",
                Some(
                    "write the changed rows with INSERT OVERWRITE or CREATE OR REPLACE TABLE .. AS",
                ),
            );
        }
        SqlStatement::Delete { .. } => {
            return unsupported(
                "DELETE",
                Some("keep the other rows with CREATE OR REPLACE TABLE .. AS"),
            );
        }
        SqlStatement::Truncate { .. } => {
            return unsupported(
                "TRUNCATE",
                Some("use INSERT OVERWRITE or CREATE OR REPLACE TABLE"),
            );
        }
        SqlStatement::Merge { .. } => return unsupported("MERGE", None),
        SqlStatement::AlterTable { .. } => return unsupported("ALTER TABLE", None),
        SqlStatement::CreateIndex { .. } => return unsupported("CREATE INDEX", None),
        SqlStatement::CreateFunction { .. } | SqlStatement::DropFunction { .. } => {
            return unsupported("a user function", None);
        }
        SqlStatement::CreateDatabase { .. } => {
            return unsupported("CREATE DATABASE", Some("use CREATE SCHEMA"));
        }
        SqlStatement::Prepare { .. }
        | SqlStatement::Execute { .. }
        | SqlStatement::Deallocate { .. } => {
            return unsupported("PREPARE and EXECUTE", None);
        }
        SqlStatement::Drop {
            object_type: ObjectType::Table | ObjectType::View | ObjectType::Schema,
            names,
            ..
        } if names.len() > 1 => {
            return unsupported("dropping several relations in one statement", None);
        }
        _ => return Ok(None),
    }))
}

fn is_word(ident: &Ident, word: &str) -> bool {
    ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case(word)
}

/// Takes the word TEMPORARY out of `CREATE TEMPORARY TABLE`, which DataFusion's planner refuses.
fn take_temporary(statement: &mut Statement) -> bool {
    let Statement::Statement(statement) = statement else {
        return false;
    };
    match statement.as_mut() {
        SqlStatement::CreateTable(table) => std::mem::take(&mut table.temporary),
        _ => false,
    }
}

fn ddl_command(
    ctx: &QueryContext,
    ddl: DdlStatement,
    temporary: bool,
) -> Result<Command, QueryError> {
    match ddl {
        DdlStatement::CreateMemoryTable(table) => {
            if !table.constraints.is_empty() {
                return Err(unenforced());
            }
            let name = stored_name(ctx, &table.name)?;
            let declared = matches!(&*table.input, LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row);
            // Only the analyser settles the types of a UNION's columns.
            let input = ctx
                .state
                .analyzer()
                .execute_and_check(
                    table.input.as_ref().clone(),
                    ctx.state.config_options(),
                    |_, _| {},
                )
                .map_err(|e| QueryError::planning(ctx.id(), e))?;
            let schema = table_schema(input.schema().as_arrow(), declared)?;
            let mut defaults = Vec::new();
            for (column, default) in &table.column_defaults {
                let sql = expr_to_sql(default).map_err(|e| QueryError::planning(ctx.id(), e))?;
                defaults.push((column.clone(), sql.to_string()));
            }
            Ok(Command::CreateTable {
                name,
                schema,
                defaults,
                rows: (!declared).then(|| Box::new(Arc::unwrap_or_clone(table.input))),
                or_replace: table.or_replace,
                if_not_exists: table.if_not_exists,
                temporary,
            })
        }
        DdlStatement::CreateExternalTable(table) => {
            if !table.constraints.is_empty() {
                return Err(unenforced());
            }
            if table.unbounded {
                return Err(QueryError::Unsupported {
                    what: "an UNBOUNDED external table".into(),
                    hint: None,
                });
            }
            Ok(Command::CreateExternalTable {
                name: stored_name(ctx, &table.name)?,
                table: Box::new(table),
            })
        }
        DdlStatement::CreateView(view) => {
            if view.temporary {
                return Err(QueryError::Unsupported {
                    what: "a TEMPORARY VIEW".into(),
                    hint: None,
                });
            }
            Ok(Command::CreateView {
                name: stored_name(ctx, &view.name)?,
                or_replace: view.or_replace,
            })
        }
        DdlStatement::CreateCatalogSchema(schema) => Ok(Command::CreateSchema {
            schema: schema_name(&schema.schema_name)?,
            if_not_exists: schema.if_not_exists,
        }),
        DdlStatement::DropCatalogSchema(drop) => {
            let schema = match drop.name {
                datafusion::common::SchemaReference::Bare { schema } => schema.to_string(),
                datafusion::common::SchemaReference::Full { schema, catalog } => {
                    check_catalog(&catalog)?;
                    schema.to_string()
                }
            };
            Ok(Command::DropSchema {
                schema,
                if_exists: drop.if_exists,
                cascade: drop.cascade,
            })
        }
        DdlStatement::DropTable(drop) => Ok(Command::Drop {
            name: stored_name(ctx, &drop.name)?,
            views: false,
            if_exists: drop.if_exists,
        }),
        DdlStatement::DropView(drop) => Ok(Command::Drop {
            name: stored_name(ctx, &drop.name)?,
            views: true,
            if_exists: drop.if_exists,
        }),
        other => Err(QueryError::Unsupported {
            what: other.name().to_owned(),
            hint: None,
        }),
    }
}

/// DataFusion's optimiser believes declared keys: one that does not hold gives wrong answers.
fn unenforced() -> QueryError {
    QueryError::Unsupported {
        what: "a PRIMARY KEY or UNIQUE constraint".into(),
        hint: Some("constraints other than NOT NULL are not enforced: leave them out"),
    }
}

fn dml_command(ctx: &QueryContext, dml: DmlStatement) -> Result<Command, QueryError> {
    let overwrite = match dml.op {
        WriteOp::Insert(InsertOp::Append) => false,
        WriteOp::Insert(InsertOp::Overwrite) => true,
        other => {
            return Err(QueryError::Unsupported {
                what: other.name().to_owned(),
                hint: None,
            });
        }
    };
    let name = stored_name(ctx, &dml.table_name)?;
    let target = match dml.target.table_type() {
        _ if name.schema == DEFAULT_SCHEMA
            && ctx.session.temporary().get(&name.table).is_some() =>
        {
            Target::Temporary
        }
        TableType::Base | TableType::Temporary => Target::Stored,
        TableType::View => {
            return Err(catalog::CatalogError::WrongKind {
                name,
                is: "a view",
                wanted: "a table that can be written to",
            }
            .into());
        }
    };
    Ok(Command::Insert {
        name,
        target,
        rows: Box::new(Arc::unwrap_or_clone(dml.input)),
        overwrite,
    })
}

fn settings_command(statement: expr::Statement) -> Result<Command, QueryError> {
    match statement {
        expr::Statement::SetVariable(set) => Ok(Command::Set {
            name: set.variable,
            value: Some(set.value),
        }),
        expr::Statement::ResetVariable(reset) => Ok(Command::Set {
            name: reset.variable,
            value: None,
        }),
        other => Err(QueryError::Unsupported {
            what: other.name().to_owned(),
            hint: None,
        }),
    }
}

/// The full name that a reference means in this session.
fn stored_name(ctx: &QueryContext, name: &TableReference) -> Result<TableName, QueryError> {
    let default_schema = &ctx.state.config_options().catalog.default_schema;
    let resolved = name.clone().resolve(CATALOG, default_schema);
    check_catalog(&resolved.catalog)?;
    Ok(TableName::new(&*resolved.schema, &*resolved.table))
}

fn schema_name(name: &str) -> Result<String, QueryError> {
    match name.split_once('.') {
        None => Ok(name.to_owned()),
        Some((catalog, schema)) => {
            check_catalog(catalog)?;
            Ok(schema.to_owned())
        }
    }
}

fn check_catalog(catalog: &str) -> Result<(), QueryError> {
    if catalog == CATALOG {
        return Ok(());
    }
    Err(QueryError::NotFound {
        what: format!("catalog \"{catalog}\" does not exist"),
        hint: Some(format!("the only catalog is \"{CATALOG}\"")),
    })
}

/// Columns of a new table. Declared columns keep their `NOT NULL`; columns of a query become nullable, as elsewhere,
/// and lose what belongs to the query's plan only: dictionary encoding and metadata.
pub(crate) fn table_schema(schema: &Schema, declared: bool) -> Result<SchemaRef, QueryError> {
    let mut fields: Vec<Field> = Vec::new();
    for field in schema.fields() {
        if fields.iter().any(|known| known.name() == field.name()) {
            let text = format!(
                "duplicate column \"{}\"; give one of them another name with AS",
                field.name()
            );
            return Err(QueryError::Plan {
                source: DataFusionError::Plan(text),
            });
        }
        let data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        fields.push(Field::new(
            field.name(),
            data_type,
            field.is_nullable() || !declared,
        ));
    }
    if fields.is_empty() {
        return Err(QueryError::Plan {
            source: DataFusionError::Plan("a table needs at least one column".into()),
        });
    }
    Ok(Arc::new(Schema::new(fields)))
}
