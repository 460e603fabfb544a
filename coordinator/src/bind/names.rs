//! What a name means in a session.

use catalog::{CATALOG, DEFAULT_SCHEMA, TableName, external};
use datafusion::{
    common::{DataFusionError, TableReference, utils::datafusion_strsim::normalized_levenshtein},
    sql::{parser::Statement, sqlparser::ast::Statement as SqlStatement},
};

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

/// Refuses a name for a new relation that would take the place of a file: where a relation is gone, or is not seen, such
/// a name means the file again.
pub(crate) fn check_new_name(name: &TableName) -> Result<(), QueryError> {
    match external::looks_like_path(&name.table) {
        true => Err(QueryError::Unsupported {
            what: format!("\"{}\" as the name of a table or view", name.table),
            hint: Some("names with a slash, or with an ending such as .csv, are those of files"),
        }),
        false => Ok(()),
    }
}

pub(super) fn is_view(statement: &Statement) -> bool {
    matches!(statement, Statement::Statement(inner) if matches!(**inner, SqlStatement::CreateView(_)))
}

/// Whether what was not found is a temporary table's name.
pub(super) fn missing_temporary(ctx: &QueryContext, error: &DataFusionError) -> bool {
    let DataFusionError::Plan(text) = error.find_root() else {
        return false;
    };
    let own = format!("table '{CATALOG}.{}.", ctx.session.schema());
    let name = text
        .strip_prefix(&own)
        .and_then(|rest| rest.strip_suffix("' not found"));
    name.is_some_and(|name| ctx.temporary.contains_key(name))
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
