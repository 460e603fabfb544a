//! Statements that change something, or answer from the server's own state. Each runs at once, to its end.

mod show;
mod tables;
mod views;

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use catalog::{Relation, Secret, TableName, external};
use datafusion::logical_expr::{CreateExternalTable, LogicalPlan};

pub(crate) use self::tables::{CreateTable, Insert, Target};
use crate::{
    QueryContext, QueryError,
    context::Deadline,
    copy, drive, explain,
    query::to_tasks,
    user_statement::{UserStatement, users_schema},
};

#[derive(Debug, Clone)]
pub(crate) enum Command {
    CreateTable(CreateTable),
    Insert(Insert),
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
    ShowWorkers,
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
            Self::CreateTable(table) => table.rows.as_deref(),
            Self::Insert(insert) => Some(&insert.rows),
            Self::Copy(plan) | Self::ExplainFragments(plan) | Self::ExplainWat(plan) => Some(plan),
            _ => None,
        }
    }

    /// Columns of what running it gives.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Self::Insert(_) | Self::Copy(_) => count_schema(),
            Self::CreateTable(table) if table.rows.is_some() => count_schema(),
            Self::ShowSecrets => show::secrets_schema(),
            Self::ShowWorkers => show::workers_schema(),
            Self::User(UserStatement::Show) => users_schema(),
            Self::ShowProcesslist => show::processlist_schema(),
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
                | Self::ShowWorkers
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
        Command::CreateTable(table) => table.run(ctx).await,
        Command::Insert(insert) => insert.run(ctx).await,
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
        Command::CreateView { name, or_replace } => views::create(ctx, name, *or_replace).await,
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
            let is_temporary = !views && ctx.has_temporary(name);
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
        Command::ShowSecrets => Ok(show::secrets(ctx)),
        Command::ShowWorkers => {
            ctx.engine.workers().refresh().await;
            Ok(show::workers(ctx))
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
        Command::ShowProcesslist => Ok(show::processlist(ctx)),
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

fn count_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "count",
        DataType::Int64,
        false,
    )]))
}
