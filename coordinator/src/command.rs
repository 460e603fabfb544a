//! Statements that change something, or answer from the server's own state. Each runs at once, to its end.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use catalog::{NewTable, Relation, Secret, TableName, View, external};
use datafusion::{
    common::TableReference,
    logical_expr::{CreateExternalTable, LogicalPlan},
};

use crate::{
    QueryContext, QueryError, copy, drive, explain,
    processes::ProcessState,
    query::{Deadline, to_tasks},
    user_statement::{UserStatement, users_schema},
    write,
};

#[derive(Debug, Clone)]
pub(crate) enum Command {
    CreateTable {
        name: TableName,
        schema: SchemaRef,
        /// `(column, SQL expression)`.
        defaults: Vec<(String, String)>,
        /// `AS SELECT ..`.
        rows: Option<Box<LogicalPlan>>,
        or_replace: bool,
        if_not_exists: bool,
        temporary: bool,
    },
    Insert {
        name: TableName,
        target: Target,
        rows: Box<LogicalPlan>,
        overwrite: bool,
    },
    CreateExternalTable {
        name: TableName,
        table: Box<CreateExternalTable>,
    },
    CreateView {
        name: TableName,
        or_replace: bool,
    },
    CreateSchema {
        schema: String,
        if_not_exists: bool,
    },
    DropSchema {
        schema: String,
        if_exists: bool,
        cascade: bool,
    },
    Drop {
        name: TableName,
        views: bool,
        if_exists: bool,
    },
    /// `COPY .. TO`, a plan that writes files and gives one count.
    Copy(Box<LogicalPlan>),
    CreateSecret {
        secret: Secret,
        or_replace: bool,
        if_not_exists: bool,
    },
    DropSecret {
        name: String,
        if_exists: bool,
    },
    ShowSecrets,
    /// `SET` with a value, `RESET` without.
    Set {
        name: String,
        value: Option<String>,
    },
    Kill {
        id: u64,
    },
    User(UserStatement),
    ShowProcesslist,
    ExplainFragments(Box<LogicalPlan>),
    ExplainWat(Box<LogicalPlan>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Stored,
    Temporary,
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Rows written; 0 for definitions, `None` for answers.
    pub rows_changed: Option<u64>,
}

impl Outcome {
    /// A definition or setting: nothing to show.
    pub(crate) fn done() -> Self {
        Self {
            schema: Arc::new(Schema::empty()),
            batches: Vec::new(),
            rows_changed: Some(0),
        }
    }

    /// Rows written, also as a row of their own for clients that asked for rows.
    fn changed(rows: u64) -> Self {
        let count: ArrayRef = Arc::new(Int64Array::from(vec![rows.try_into().unwrap_or(i64::MAX)]));
        let batch = RecordBatch::try_new(count_schema(), vec![count]).expect("one column, one row");
        Self {
            schema: count_schema(),
            batches: vec![batch],
            rows_changed: Some(rows),
        }
    }

    pub(crate) fn rows(schema: SchemaRef, columns: Vec<ArrayRef>) -> Self {
        let batch =
            RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns fit their schema");
        Self {
            schema,
            batches: vec![batch],
            rows_changed: None,
        }
    }
}

impl Command {
    /// The plan of the rows it works on.
    pub(crate) fn plan(&self) -> Option<&LogicalPlan> {
        match self {
            Self::CreateTable { rows, .. } => rows.as_deref(),
            Self::Insert { rows, .. } => Some(rows),
            Self::Copy(plan) | Self::ExplainFragments(plan) => Some(plan),
            _ => None,
        }
    }

    /// Columns of what running it gives.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Self::Insert { .. } | Self::Copy(_) => count_schema(),
            Self::CreateTable { rows, .. } if rows.is_some() => count_schema(),
            Self::ShowSecrets => secrets_schema(),
            Self::User(UserStatement::Show) => users_schema(),
            Self::ShowProcesslist => processlist_schema(),
            Self::ExplainFragments(_) => explain::fragments_schema(),
            Self::ExplainWat(_) => explain::wat_schema(),
            _ => Arc::new(Schema::empty()),
        }
    }

    /// Whether it is asked for its rows and changes nothing.
    pub(crate) fn is_query(&self) -> bool {
        matches!(
            self,
            Self::ShowSecrets
                | Self::ShowProcesslist
                | Self::ExplainFragments(_)
                | Self::ExplainWat(_)
                | Self::User(UserStatement::Show)
        )
    }
}

/// Runs the command on the query threads.
pub(crate) async fn run(
    ctx: &Arc<QueryContext>,
    command: &Command,
    deadline: Option<Deadline>,
) -> Result<Outcome, QueryError> {
    let _run = ctx.process().run(None);
    let outcome = tokio::select! {
        biased;
        reason = drive::stopped(ctx, deadline) => Err(reason),
        outcome = apply(ctx, command) => outcome,
    };
    drive::finished(ctx, outcome.as_ref().err(), Duration::ZERO);
    outcome
}

async fn apply(ctx: &Arc<QueryContext>, command: &Command) -> Result<Outcome, QueryError> {
    let store = ctx.engine.store();
    match command {
        Command::CreateTable {
            temporary: true, ..
        } => create_temporary(ctx, command).await,
        Command::CreateTable {
            name,
            schema,
            defaults,
            rows,
            or_replace,
            if_not_exists,
            ..
        } => {
            if *if_not_exists && store.snapshot().entry(name).is_some() {
                return Ok(if rows.is_some() {
                    Outcome::changed(0)
                } else {
                    Outcome::done()
                });
            }
            let table = NewTable {
                name: name.clone(),
                schema: Arc::clone(schema),
                defaults: defaults.clone(),
                or_replace: *or_replace,
            };
            let writer = store.create_table(table).await?;
            if *or_replace && rows.is_some() {
                check_unchanged(ctx, name)?;
            }
            match rows {
                Some(rows) => write::to_store(ctx, rows, writer)
                    .await
                    .map(Outcome::changed),
                None => {
                    writer.commit().await?;
                    Ok(Outcome::done())
                }
            }
        }
        Command::Insert {
            name,
            target: Target::Temporary,
            rows,
            overwrite,
        } => {
            let temporary = ctx.session.temporary();
            let missing = || catalog::CatalogError::NotFound {
                kind: "table",
                name: name.clone(),
            };
            let schema = Arc::clone(&temporary.get(&name.table).ok_or_else(missing)?.schema);
            let (batches, memory, count) =
                write::to_memory(ctx, rows, &name.table, &schema).await?;
            if *overwrite {
                temporary.put(&name.table, schema, batches, memory);
            } else if !temporary.append(&name.table, batches, memory) {
                return Err(missing().into());
            }
            Ok(Outcome::changed(count))
        }
        Command::Insert {
            name,
            target: Target::Stored,
            rows,
            overwrite,
        } => {
            let writer = store.insert(name, *overwrite).await?;
            if *overwrite {
                check_unchanged(ctx, name)?;
            } else {
                check_same_columns(ctx, name)?;
            }
            write::to_store(ctx, rows, writer)
                .await
                .map(Outcome::changed)
        }
        Command::CreateExternalTable { name, table } => {
            if table.if_not_exists && store.snapshot().entry(name).is_some() {
                return Ok(Outcome::done());
            }
            let planning = |e| QueryError::planning(ctx.id(), e);
            let definition = external::define(&ctx.state, table, &ctx.sql)
                .await
                .map_err(planning)?;
            store
                .define(name, Relation::External(definition), table.or_replace)
                .await?;
            Ok(Outcome::done())
        }
        Command::CreateView { name, or_replace } => create_view(ctx, name, *or_replace).await,
        Command::CreateSchema {
            schema,
            if_not_exists,
        } => {
            store.create_schema(schema, *if_not_exists).await?;
            Ok(Outcome::done())
        }
        Command::DropSchema {
            schema,
            if_exists,
            cascade,
        } => {
            store.drop_schema(schema, *if_exists, *cascade).await?;
            Ok(Outcome::done())
        }
        Command::Drop {
            name,
            views,
            if_exists,
        } => {
            let is_temporary = !views && name.schema == catalog::DEFAULT_SCHEMA;
            if !(is_temporary && ctx.session.temporary().remove(&name.table)) {
                store.drop_relation(name, *views, *if_exists).await?;
            }
            Ok(Outcome::done())
        }
        Command::Copy(plan) => copy::run(ctx, plan).await.map(Outcome::changed),
        Command::CreateSecret {
            secret,
            or_replace,
            if_not_exists,
        } => {
            let objects = ctx.engine.objects();
            objects
                .secrets()
                .create(secret.clone(), *or_replace, *if_not_exists)?;
            objects.forget();
            Ok(Outcome::done())
        }
        Command::DropSecret { name, if_exists } => {
            let objects = ctx.engine.objects();
            objects.secrets().remove(name, *if_exists)?;
            objects.forget();
            Ok(Outcome::done())
        }
        Command::ShowSecrets => {
            let (names, scopes): (Vec<_>, Vec<_>) =
                ctx.engine.objects().secrets().list().into_iter().unzip();
            let columns: [ArrayRef; 2] = [
                Arc::new(StringArray::from(names)),
                Arc::new(StringArray::from(scopes)),
            ];
            Ok(Outcome::rows(secrets_schema(), columns.into()))
        }
        Command::Set { name, value } => {
            ctx.session.set(name, value.as_deref())?;
            Ok(Outcome::done())
        }
        Command::Kill { id } => {
            ctx.engine.kill(*id, ctx.session.identity())?;
            Ok(Outcome::done())
        }
        Command::User(statement) => statement.run(ctx.engine.users()),
        Command::ShowProcesslist => Ok(processlist(ctx)),
        Command::ExplainFragments(plan) => {
            let placed = to_tasks(ctx, plan).await?;
            Ok(explain::fragments(&placed))
        }
        Command::ExplainWat(plan) => {
            let placed = to_tasks(ctx, plan).await?;
            explain::wat(ctx, &placed)
        }
    }
}

async fn create_temporary(
    ctx: &Arc<QueryContext>,
    command: &Command,
) -> Result<Outcome, QueryError> {
    let Command::CreateTable {
        name,
        schema,
        defaults,
        rows,
        or_replace,
        if_not_exists,
        ..
    } = command
    else {
        return Err(QueryError::Internal {
            id: ctx.id(),
            detail: "not a CREATE TABLE".into(),
        });
    };
    if name.schema != catalog::DEFAULT_SCHEMA {
        return Err(QueryError::Unsupported {
            what: "a temporary table in a schema".into(),
            hint: Some("leave the schema out of its name"),
        });
    }
    if !defaults.is_empty() {
        return Err(QueryError::Unsupported {
            what: "DEFAULT in a temporary table".into(),
            hint: None,
        });
    }
    let temporary = ctx.session.temporary();
    let counted = |count| {
        if rows.is_some() {
            Outcome::changed(count)
        } else {
            Outcome::done()
        }
    };
    if temporary.get(&name.table).is_some() {
        match (*if_not_exists, *or_replace) {
            (true, _) => return Ok(counted(0)),
            (false, false) => {
                return Err(catalog::CatalogError::Exists {
                    kind: "table",
                    name: name.clone(),
                }
                .into());
            }
            (false, true) => {}
        }
    }
    let (batches, memory, count) = match rows {
        Some(rows) => write::to_memory(ctx, rows, &name.table, schema).await?,
        None => (Vec::new(), temporary.reserve(&name.table), 0),
    };
    temporary.put(&name.table, Arc::clone(schema), batches, memory);
    Ok(counted(count))
}

/// Stores the view once it can be planned, alone and in place of what it replaces.
async fn create_view(
    ctx: &Arc<QueryContext>,
    name: &TableName,
    or_replace: bool,
) -> Result<Outcome, QueryError> {
    let default_schema = ctx.state.config_options().catalog.default_schema.clone();
    let view = View {
        sql: ctx.sql.trim().trim_end_matches(';').to_owned(),
        default_schema,
    };
    if let Some(cycle) = find_cycle(ctx, name)? {
        let text = format!("view \"{name}\" would refer to itself through \"{cycle}\"");
        return Err(QueryError::Plan {
            source: datafusion::common::DataFusionError::Plan(text),
        });
    }
    ctx.engine
        .store()
        .define(name, Relation::View(view), or_replace)
        .await?;
    Ok(Outcome::done())
}

/// Refuses to replace rows that the statement has not seen: while it waited for its turn, another one committed.
fn check_unchanged(ctx: &QueryContext, name: &TableName) -> Result<(), QueryError> {
    let now = ctx.engine.store().snapshot();
    match (ctx.snapshot.entry(name), now.entry(name)) {
        (None, None) => Ok(()),
        (Some(bound), Some(now)) if Arc::ptr_eq(bound, now) => Ok(()),
        _ => Err(catalog::CatalogError::Changed { name: name.clone() }.into()),
    }
}

/// Refuses to write rows into a table that was given other columns while the statement waited for its turn.
fn check_same_columns(ctx: &QueryContext, name: &TableName) -> Result<(), QueryError> {
    let now = ctx.engine.store().snapshot();
    match ctx.snapshot.managed(name)?.schema == now.managed(name)?.schema {
        true => Ok(()),
        false => Err(catalog::CatalogError::Changed { name: name.clone() }.into()),
    }
}

/// The first view or table on the way from the new view's text back to its own name.
fn find_cycle(ctx: &QueryContext, name: &TableName) -> Result<Option<TableName>, QueryError> {
    let snapshot = ctx.engine.store().snapshot();
    let planning = |e| QueryError::planning(ctx.id(), e);
    let default_schema = ctx.state.config_options().catalog.default_schema.clone();
    let mut texts = vec![(ctx.sql.clone(), default_schema, None)];
    let mut seen = Vec::new();
    while let Some((sql, default_schema, via)) = texts.pop() {
        let statement = ctx
            .state
            .sql_to_statement(&sql, &ctx.state.config_options().sql_parser.dialect)
            .map_err(planning)?;
        // The statement's own target is among its references; it is not a use.
        let mut own = Some(via.clone().unwrap_or_else(|| name.clone()));
        for reference in ctx
            .state
            .resolve_table_references(&statement)
            .map_err(planning)?
        {
            let resolved = TableReference::resolve(reference, catalog::CATALOG, &default_schema);
            let used = TableName::new(&*resolved.schema, &*resolved.table);
            if own.as_ref() == Some(&used) {
                own = None;
                continue;
            }
            if used == *name {
                return Ok(Some(via.unwrap_or_else(|| name.clone())));
            }
            if let Some(Relation::View(view)) = snapshot.entry(&used).map(|entry| &entry.relation)
                && !seen.contains(&used)
            {
                texts.push((
                    view.sql.clone(),
                    view.default_schema.clone(),
                    Some(used.clone()),
                ));
                seen.push(used);
            }
        }
    }
    Ok(None)
}

fn processlist(ctx: &QueryContext) -> Outcome {
    let (own, identity) = (ctx.id(), ctx.session.identity());
    let processes: Vec<_> = ctx
        .engine
        .processes()
        .into_iter()
        .filter(|process| process.id != own && process.state() != ProcessState::Waiting)
        .filter(|process| identity.admin || process.user == identity.name)
        .collect();
    let text = |value: fn(&crate::Process) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            processes.iter().map(|process| value(process)),
        ))
    };
    let count = |value: fn(&crate::Process) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            processes
                .iter()
                .map(|process| value(process).try_into().unwrap_or(i64::MAX)),
        ))
    };
    let columns = vec![
        count(|process| process.id.0),
        text(|process| &process.session),
        text(|process| &process.client),
        text(|process| process.state().name()),
        count(|process| millis(process.elapsed())),
        Arc::new(Float64Array::from_iter(
            processes.iter().map(|process| process.progress()),
        )) as ArrayRef,
        count(|process| process.rows_out.load(std::sync::atomic::Ordering::Relaxed)),
        text(|process| &process.sql),
        Arc::new(StringArray::from_iter(
            processes.iter().map(|process| process.user.as_deref()),
        )) as ArrayRef,
    ];
    Outcome::rows(processlist_schema(), columns)
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

fn processlist_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("session", DataType::Utf8, false),
        Field::new("client", DataType::Utf8, false),
        Field::new("state", DataType::Utf8, false),
        Field::new("elapsed_ms", DataType::Int64, false),
        Field::new("progress", DataType::Float64, true),
        Field::new("rows", DataType::Int64, false),
        Field::new("sql", DataType::Utf8, false),
        Field::new("user", DataType::Utf8, true),
    ]))
}

fn secrets_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("scope", DataType::Utf8, false),
    ]))
}

fn count_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "count",
        DataType::Int64,
        false,
    )]))
}
