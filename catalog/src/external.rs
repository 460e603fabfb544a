//! External tables and paths in `FROM`: files that others write, read where they are.
//!
//! [`define`] looks at the files once, infers what the user left out, and writes it all down;
//! [`open`] makes a scan of the written definition without looking again, so a restart does no IO.
//! [`open_path`] does both for a path or URL that stands in `FROM`.

use std::{panic::AssertUnwindSafe, path::Path, sync::Arc};

use datafusion::{
    catalog::{TableProvider, TableProviderFactory},
    common::{DataFusionError, Result, config::Dialect, plan_err},
    datasource::{
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
        listing_table_factory::ListingTableFactory,
    },
    execution::context::SessionState,
    logical_expr::{CreateExternalTable, DdlStatement, LogicalPlan},
    sql::parser::Statement,
};
use futures::{FutureExt, TryStreamExt};

use crate::ExternalTable;

/// Infers and checks what `CREATE EXTERNAL TABLE` describes; `sql` is the statement's text.
///
/// Errors: no such file, files of another format, columns that do not fit.
pub async fn define(
    state: &SessionState,
    command: &CreateExternalTable,
    sql: &str,
) -> Result<ExternalTable> {
    if let Some(key) = command
        .options
        .keys()
        .find(|key| key.starts_with("aws.") || key.starts_with("s3."))
    {
        return plan_err!(
            "option '{key}' does not belong to a table: credentials are given once, with CREATE SECRET"
        );
    }
    let location = absolute(&command.location)?;
    if location.contains("://") && is_glob(&location) {
        return plan_err!(
            "LOCATION '{location}' is a pattern: in a URL one works in FROM only; name the folder"
        );
    }
    let mut command = command.clone();
    command.location.clone_from(&location);
    let factory = ListingTableFactory::new();
    let provider = match AssertUnwindSafe(factory.create(state, &command))
        .catch_unwind()
        .await
    {
        Ok(provider) => provider?,
        Err(_) => return plan_err!("cannot read \"{location}\": a file there is damaged"),
    };
    let Some(table) = provider.downcast_ref::<ListingTable>() else {
        return plan_err!(
            "CREATE EXTERNAL TABLE {} did not make a file table",
            command.name
        );
    };
    if table.schema().fields().is_empty() {
        return plan_err!("no {} files with columns in {location}", command.file_type);
    }
    let glob = table
        .table_paths()
        .first()
        .and_then(|path| path.get_glob().as_ref())
        .map(ToString::to_string);
    Ok(ExternalTable {
        sql: sql.to_owned(),
        // A glob written by the user is part of the location already.
        glob: glob.filter(|_| !is_glob(&location)),
        location,
        schema: table.schema(),
        partition_columns: table
            .options()
            .table_partition_cols
            .iter()
            .map(|(name, _)| name.clone())
            .collect(),
    })
}

/// The scan of an external table, from its definition alone.
pub async fn open(state: &SessionState, table: &ExternalTable) -> Result<Arc<dyn TableProvider>> {
    let command = parse(state, &table.sql).await?;
    let Some(format) = state.get_file_format_factory(&command.file_type) else {
        return plan_err!("unknown file format {}", command.file_type);
    };
    let mut path = ListingTableUrl::parse(&table.location)?.with_table_ref(command.name.clone());
    if let Some(glob) = &table.glob {
        path = path.with_glob(glob)?;
    }
    let (partition, file): (Vec<_>, Vec<_>) = table
        .schema
        .fields()
        .iter()
        .cloned()
        .partition(|field| table.partition_columns.contains(field.name()));
    let partition = partition
        .into_iter()
        .map(|field| (field.name().clone(), field.data_type().clone()))
        .collect();
    let options = ListingOptions::new(format.create(state, &command.options)?)
        .with_session_config_options(state.config())
        .with_file_extension("")
        .with_table_partition_cols(partition)
        .with_file_sort_order(command.order_exprs.clone());
    let config = ListingTableConfig::new(path)
        .with_listing_options(options)
        .with_schema(Arc::new(arrow::datatypes::Schema::new(file)));
    let provider = ListingTable::try_new(config)?
        .with_cache(state.runtime_env().cache_manager.get_file_statistic_cache())
        .with_definition(Some(table.sql.clone()));
    Ok(Arc::new(provider))
}

/// Whether a name in `FROM` is meant as a path or URL: it has a slash, or ends in a known extension.
pub fn looks_like_path(name: &str) -> bool {
    name.contains('/') || format_of(name).is_some()
}

/// The scan of a file, folder or glob named in `FROM`.
pub async fn open_path(state: &SessionState, name: &str) -> Result<Arc<dyn TableProvider>> {
    let location = absolute(name)?;
    let url = listing_url(&location)?;
    let looked_at = async {
        let options = options_by_name(state, &url).await?;
        ListingTableConfig::new(url)
            .with_listing_options(options)
            .infer_partitions_from_path(state)
            .await?
            .infer_schema(state)
            .await
    };
    let config = match AssertUnwindSafe(looked_at).catch_unwind().await {
        Ok(Ok(config)) => config,
        Ok(Err(error)) => return plan_err!("cannot read \"{name}\": {}", error.strip_backtrace()),
        // A nonsense footer makes the Parquet reader of arrow-rs 58 panic.
        Err(_) => return plan_err!("cannot read \"{name}\": the file is damaged"),
    };
    let provider = ListingTable::try_new(config)?
        .with_cache(state.runtime_env().cache_manager.get_file_statistic_cache());
    if provider.schema().fields().is_empty() {
        return plan_err!("cannot read \"{name}\": no file with columns there");
    }
    Ok(Arc::new(provider))
}

/// A location with the pattern in its last part understood, also in URLs, which DataFusion takes as they are.
fn listing_url(location: &str) -> Result<ListingTableUrl> {
    match location.rsplit_once('/') {
        Some((folder, pattern)) if folder.contains("://") && is_glob(pattern) => {
            ListingTableUrl::parse(format!("{folder}/"))?.with_glob(pattern)
        }
        _ => ListingTableUrl::parse(location),
    }
}

/// How to read the files at `url`: as the first one whose name says what it is. Files with other endings are left out.
/// What writers put beside their data, under names that begin with `_` or a dot, does not decide.
async fn options_by_name(state: &SessionState, url: &ListingTableUrl) -> Result<ListingOptions> {
    let store = state.runtime_env().object_store(url)?;
    let mut files = url.list_all_files(state, store.as_ref(), "").await?;
    let mut any = false;
    while let Some(file) = files.try_next().await? {
        any = true;
        let hidden = url
            .strip_prefix(&file.location)
            .is_some_and(|mut parts| parts.any(|part| part.starts_with(['_', '.'])));
        let name = file.location.filename().unwrap_or_default();
        let Some(format) = format_of(name).filter(|_| !hidden) else {
            continue;
        };
        let Some(factory) = state.get_file_format_factory(format.name) else {
            return plan_err!("unknown file format {}", format.name);
        };
        let compression = format.compression.map(str::to_owned);
        let compression = compression.map(|kind| ("format.compression".to_owned(), kind));
        let reader = factory.create(state, &compression.into_iter().collect())?;
        return Ok(ListingOptions::new(reader)
            .with_file_extension(format.ending)
            .with_session_config_options(state.config()));
    }
    match any {
        true => plan_err!(
            "no file there whose name ends in .parquet, .csv, .json, .ndjson or .arrow; CREATE EXTERNAL TABLE .. STORED AS reads other names"
        ),
        false => plan_err!("no files there; a pattern applies to file names, not to folders"),
    }
}

/// What a file's name says of its content.
struct NamedFormat<'a> {
    name: &'static str,
    compression: Option<&'static str>,
    /// The part of the file's name that says so.
    ending: &'a str,
}

fn format_of(name: &str) -> Option<NamedFormat<'_>> {
    const FORMATS: [(&str, &str); 5] = [
        (".parquet", "parquet"),
        (".csv", "csv"),
        (".json", "json"),
        (".ndjson", "json"),
        (".arrow", "arrow"),
    ];
    let lower = name.to_ascii_lowercase();
    let compression = ["gz", "bz2", "xz", "zst"].into_iter().find(|kind| {
        lower
            .strip_suffix(kind)
            .is_some_and(|stem| stem.ends_with('.'))
    });
    let packed = compression.map_or(0, |kind| kind.len() + 1);
    let plain = &lower[..lower.len() - packed];
    let (ending, format) = FORMATS
        .into_iter()
        .find(|(ending, _)| plain.ends_with(ending))?;
    Some(NamedFormat {
        name: format,
        compression,
        ending: &name[plain.len() - ending.len()..],
    })
}

fn is_glob(location: &str) -> bool {
    location.contains(['*', '?', '['])
}

/// A definition must mean the same files whatever folder the server is started in.
fn absolute(location: &str) -> Result<String> {
    if location.contains("://") {
        return Ok(location.to_owned());
    }
    let path = std::path::absolute(location)
        .map_err(|e| DataFusionError::Plan(format!("cannot use location \"{location}\": {e}")))?;
    if !is_glob(location) && !Path::new(&path).exists() {
        return plan_err!("file or folder \"{location}\" does not exist");
    }
    let mut text = path.to_string_lossy().into_owned();
    if path.is_dir() && !text.ends_with('/') {
        text.push('/');
    }
    Ok(text)
}

async fn parse(state: &SessionState, sql: &str) -> Result<CreateExternalTable> {
    // As statements are parsed, whatever the session's settings are.
    let statement = state.sql_to_statement(sql, &Dialect::Generic)?;
    if !matches!(statement, Statement::CreateExternalTable(_)) {
        return plan_err!("not a CREATE EXTERNAL TABLE statement: {sql}");
    }
    match state.statement_to_plan(statement).await? {
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(command)) => Ok(command),
        _ => plan_err!("not a CREATE EXTERNAL TABLE statement: {sql}"),
    }
}
