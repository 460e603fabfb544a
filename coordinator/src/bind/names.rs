//! What a name means in a session.

use catalog::{CATALOG, DEFAULT_SCHEMA, TableName};
use datafusion::common::{TableReference, utils::datafusion_strsim::normalized_levenshtein};

use crate::{QueryContext, QueryError, names::Names};

/// The full name that a reference means in this session.
pub(super) fn stored_name(
    ctx: &QueryContext,
    name: &TableReference,
) -> Result<TableName, QueryError> {
    let default_schema = &ctx.state.config_options().catalog.default_schema;
    let resolved = name.clone().resolve(CATALOG, default_schema);
    check_catalog(&resolved.catalog)?;
    Ok(TableName::new(&*resolved.schema, &*resolved.table))
}

pub(super) fn schema_name(name: &str) -> Result<String, QueryError> {
    match name.split_once('.') {
        None => Ok(name.to_owned()),
        Some((catalog, schema)) => {
            check_catalog(catalog)?;
            Ok(schema.to_owned())
        }
    }
}

pub(super) fn check_catalog(catalog: &str) -> Result<(), QueryError> {
    if catalog == CATALOG {
        return Ok(());
    }
    Err(QueryError::NotFound {
        what: format!("catalog \"{catalog}\" does not exist"),
        hint: Some(format!("the only catalog is \"{CATALOG}\"")),
    })
}

/// `table 'murre.public.lineitm' not found` -> `table "lineitm" does not exist`, with the nearest name as a hint.
pub(super) fn missing_table(ctx: &QueryContext, what: String) -> QueryError {
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
    let names = Names::new(
        ctx.session.state(),
        ctx.engine.store().snapshot(),
        ctx.session.temporary().all(),
        true,
    );
    let nearest = names
        .all()
        .map(|known| (normalized_levenshtein(name, &known), known))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    QueryError::NotFound {
        what: format!("table \"{name}\" does not exist"),
        hint: nearest.map(|(_, known)| format!("did you mean \"{known}\"?")),
    }
}
