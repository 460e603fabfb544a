//! CREATE TABLE and INSERT.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use catalog::{CatalogError, NewTable, TableName};
use datafusion::logical_expr::LogicalPlan;

use super::Outcome;
use crate::{QueryContext, QueryError, write};

#[derive(Debug, Clone)]
pub(crate) struct CreateTable {
    pub(crate) name: TableName,
    pub(crate) schema: SchemaRef,
    /// `(column, SQL expression)`.
    pub(crate) defaults: Vec<(String, String)>,
    /// `AS SELECT ..`.
    pub(crate) rows: Option<Box<LogicalPlan>>,
    pub(crate) or_replace: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) temporary: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) name: TableName,
    pub(crate) target: Target,
    pub(crate) rows: Box<LogicalPlan>,
    pub(crate) overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Stored,
    Temporary,
}

impl CreateTable {
    pub(super) async fn run(&self, ctx: &Arc<QueryContext>) -> Result<Outcome, QueryError> {
        match self.temporary {
            true => self.run_temporary(ctx).await,
            false => self.run_stored(ctx).await,
        }
    }

    async fn run_stored(&self, ctx: &Arc<QueryContext>) -> Result<Outcome, QueryError> {
        let store = ctx.engine.store();
        if self.if_not_exists && store.snapshot().entry(&self.name).is_some() {
            return Ok(self.outcome(0));
        }
        let table = NewTable {
            name: self.name.clone(),
            schema: Arc::clone(&self.schema),
            defaults: self.defaults.clone(),
            or_replace: self.or_replace,
        };
        let writer = store.create_table(table).await?;
        let Some(rows) = &self.rows else {
            writer.commit().await?;
            return Ok(self.outcome(0));
        };
        if self.or_replace {
            check_unchanged(ctx, &self.name)?;
        }
        let count = write::to_store(ctx, rows, writer).await?;
        Ok(self.outcome(count))
    }

    async fn run_temporary(&self, ctx: &Arc<QueryContext>) -> Result<Outcome, QueryError> {
        if self.name.schema != ctx.schema() {
            return Err(QueryError::Unsupported {
                what: "a temporary table in a schema".into(),
                hint: Some("leave the schema out of its name"),
            });
        }
        if !self.defaults.is_empty() {
            return Err(QueryError::Unsupported {
                what: "DEFAULT in a temporary table".into(),
                hint: None,
            });
        }
        let temporary = ctx.session.temporary();
        let table = &self.name.table;
        let exists = temporary.get(table).is_some();
        if exists && self.if_not_exists {
            return Ok(self.outcome(0));
        }
        if exists && !self.or_replace {
            return Err(CatalogError::Exists {
                kind: "table",
                name: self.name.clone(),
            }
            .into());
        }
        let (batches, memory, count) = match &self.rows {
            Some(rows) => write::to_memory(ctx, rows, &self.name, &self.schema).await?,
            None => (Vec::new(), temporary.reserve(table), 0),
        };
        temporary.put(table, Arc::clone(&self.schema), batches, memory);
        Ok(self.outcome(count))
    }

    /// The rows written where it had a query for them.
    fn outcome(&self, count: u64) -> Outcome {
        match self.rows {
            Some(_) => Outcome::changed(count),
            None => Outcome::done(),
        }
    }
}

impl Insert {
    pub(super) async fn run(&self, ctx: &Arc<QueryContext>) -> Result<Outcome, QueryError> {
        let count = match self.target {
            Target::Stored => self.run_stored(ctx).await,
            Target::Temporary => self.run_temporary(ctx).await,
        };
        count.map(Outcome::changed)
    }

    async fn run_stored(&self, ctx: &Arc<QueryContext>) -> Result<u64, QueryError> {
        let writer = ctx
            .engine
            .store()
            .insert(&self.name, self.overwrite)
            .await?;
        match self.overwrite {
            true => check_unchanged(ctx, &self.name)?,
            false => check_same_columns(ctx, &self.name)?,
        }
        write::to_store(ctx, &self.rows, writer).await
    }

    async fn run_temporary(&self, ctx: &Arc<QueryContext>) -> Result<u64, QueryError> {
        let temporary = ctx.session.temporary();
        let table = &self.name.table;
        let missing = || CatalogError::NotFound {
            kind: "table",
            name: self.name.clone(),
        };
        let schema = Arc::clone(&temporary.get(table).ok_or_else(missing)?.schema);
        let (batches, memory, count) =
            write::to_memory(ctx, &self.rows, &self.name, &schema).await?;
        if self.overwrite {
            temporary.put(table, schema, batches, memory);
        } else if !temporary.append(table, batches, memory) {
            return Err(missing().into());
        }
        Ok(count)
    }
}

/// Refuses to replace rows that the statement has not seen: while it waited for its turn, another one committed.
fn check_unchanged(ctx: &QueryContext, name: &TableName) -> Result<(), QueryError> {
    let now = ctx.engine.store().snapshot();
    match (ctx.snapshot.entry(name), now.entry(name)) {
        (None, None) => Ok(()),
        (Some(bound), Some(now)) if Arc::ptr_eq(bound, now) => Ok(()),
        _ => Err(CatalogError::Changed { name: name.clone() }.into()),
    }
}

/// Refuses to write rows into a table that was given other columns while the statement waited for its turn.
fn check_same_columns(ctx: &QueryContext, name: &TableName) -> Result<(), QueryError> {
    let now = ctx.engine.store().snapshot();
    match ctx.snapshot.managed(name)?.schema == now.managed(name)?.schema {
        true => Ok(()),
        false => Err(CatalogError::Changed { name: name.clone() }.into()),
    }
}
