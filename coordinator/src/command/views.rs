//! CREATE VIEW.

use std::sync::Arc;

use catalog::{Relation, TableName, View};
use datafusion::common::TableReference;

use super::Outcome;
use crate::{QueryContext, QueryError, bind};

/// Stores the view once it can be planned, alone and in place of what it replaces.
pub(super) async fn create(
    ctx: &Arc<QueryContext>,
    name: &TableName,
    or_replace: bool,
) -> Result<Outcome, QueryError> {
    let default_schema = ctx.state.config_options().catalog.default_schema.clone();
    let view = View {
        sql: ctx.sql.trim().trim_end_matches(';').to_owned(),
        default_schema,
        names_files: Some(ctx.session.identity().admin),
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

/// The first view or table on the way from the new view's text back to its own name.
fn find_cycle(ctx: &QueryContext, name: &TableName) -> Result<Option<TableName>, QueryError> {
    let snapshot = ctx.engine.store().snapshot();
    let planning = |e| QueryError::planning(ctx.id(), e);
    let default_schema = ctx.state.config_options().catalog.default_schema.clone();
    let mut texts = vec![(ctx.sql.clone(), default_schema, None)];
    let mut seen = Vec::new();
    while let Some((sql, default_schema, via)) = texts.pop() {
        let (statement, _) = bind::parse(&sql)?;
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
