//! What tools list: schemas, relations and their columns, the same that `information_schema` has.
//!
//! Names come from one catalog version and the session's temporary tables. Columns are only found where asked for:
//! those of views and external tables take planning.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use catalog::CATALOG;
use datafusion::{
    catalog::{SchemaProvider, information_schema::INFORMATION_SCHEMA},
    execution::FunctionRegistry,
    logical_expr::TableType,
};
use tracing::debug;

use crate::{QueryContext, QueryError, Session, StatementOptions};

/// A table or view that a session can name.
#[derive(Debug, Clone)]
pub struct RelationEntry {
    pub schema: String,
    pub name: String,
    pub kind: TableType,
    /// Its columns; none where they were not asked for, or cannot be found because a file or table is gone.
    pub columns: SchemaRef,
}

impl Session {
    /// The schemas a session can name, in order.
    pub fn schemas(&self) -> Vec<String> {
        let snapshot = self.engine().store().snapshot();
        let mut names: Vec<String> = snapshot.schemas.keys().cloned().collect();
        names.push(INFORMATION_SCHEMA.to_owned());
        names.sort_unstable();
        names
    }

    /// The relations that `wanted` accepts by schema, name and kind; with their columns where `columns` is set.
    pub async fn relations(
        self: &Arc<Self>,
        wanted: impl Fn(&str, &str, TableType) -> bool + Send + Sync + 'static,
        columns: bool,
        options: StatementOptions,
    ) -> Result<Vec<RelationEntry>, QueryError> {
        let ctx = self.begin("-- relations and their columns", &options)?;
        let listed = list(Arc::clone(&ctx), wanted, columns);
        Self::planning(&ctx, &options, listed).await
    }

    /// Names of the scalar functions whose documentation puts them under `section`, in order.
    pub fn functions_of(&self, section: &str) -> Vec<String> {
        let state = self.state();
        let is_of = |name: &String| {
            let function = state.udf(name).ok();
            let documented = function.as_ref().and_then(|f| f.documentation());
            documented.is_some_and(|text| text.doc_section.label == section)
        };
        let mut names: Vec<String> = state.udfs().into_iter().filter(is_of).collect();
        names.sort_unstable();
        names
    }
}

async fn list(
    ctx: Arc<QueryContext>,
    wanted: impl Fn(&str, &str, TableType) -> bool + Send + Sync,
    columns: bool,
) -> Result<Vec<RelationEntry>, QueryError> {
    let planning = |e| QueryError::planning(ctx.id(), e);
    let mut found = Vec::new();
    for schema in ctx.session.schemas() {
        let Some(provider) = provider(&ctx, &schema) else {
            continue;
        };
        for name in provider.table_names() {
            let kind = provider.table_type(&name).await.map_err(planning)?;
            let Some(kind) = kind.filter(|kind| wanted(&schema, &name, *kind)) else {
                continue;
            };
            found.push(RelationEntry {
                columns: match columns {
                    true => columns_of(&*provider, &name).await,
                    false => Arc::new(Schema::empty()),
                },
                schema: schema.clone(),
                name,
                kind,
            });
        }
    }
    Ok(found)
}

fn provider(ctx: &QueryContext, schema: &str) -> Option<Arc<dyn SchemaProvider>> {
    ctx.state.catalog_list().catalog(CATALOG)?.schema(schema)
}

/// One relation that cannot be opened must not hide all others.
async fn columns_of(provider: &dyn SchemaProvider, name: &str) -> SchemaRef {
    match provider.table(name).await {
        Ok(Some(table)) => table.schema(),
        Ok(None) => Arc::new(Schema::empty()),
        Err(error) => {
            debug!(relation = name, %error, "the columns of a relation cannot be found");
            Arc::new(Schema::empty())
        }
    }
}
