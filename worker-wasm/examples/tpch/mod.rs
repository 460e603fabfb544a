//! What the programs over TPC-H share: tables, queries, a cache of modules that begins empty.

use std::{path::Path, sync::Arc};

use datafusion::{
    datasource::MemTable,
    error::{DataFusionError, Result},
    prelude::{ParquetReadOptions, SessionConfig, SessionContext},
};
use worker_wasm::{
    exec::ModuleCache,
    runtime::{ArtefactCache, ArtefactLimits, Protection, Runtime, RuntimeConfig},
};

const TABLES: [&str; 8] = [
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
];

/// Rows of a batch, as in the server, and of those that its temporary tables keep.
const BATCH_ROWS: usize = 16_384;
const TABLE_ROWS: usize = 32_768;

/// A session of one partition with the tables of a folder, which has each as a Parquet file.
pub(crate) async fn session(folder: &Path, in_memory: bool) -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(1);
    let of_rows = |rows| SessionContext::new_with_config(config.clone().with_batch_size(rows));
    let (context, loading) = (of_rows(BATCH_ROWS), of_rows(TABLE_ROWS));
    for table in TABLES {
        let path = folder.join(format!("{table}.parquet"));
        let path = path.to_string_lossy();
        let options = ParquetReadOptions::default();
        let reader = if in_memory { &loading } else { &context };
        reader
            .register_parquet(table, path.as_ref(), options)
            .await?;
        if in_memory {
            let batches = loading.table(table).await?.collect().await?;
            let rows = MemTable::try_new(batches[0].schema(), vec![batches])?;
            context.register_table(table, Arc::new(rows))?;
        }
    }
    Ok(context)
}

/// The text of a query.
pub(crate) fn query(number: u32) -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../integration/tpch/queries/q{number:02}.sql"));
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.starts_with("--"));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// Nothing is kept from another run. With `MURRE_PERF_MAP` set, `perf` learns the names of compiled functions.
pub(crate) fn modules() -> Result<ModuleCache> {
    let limits = ArtefactLimits {
        modules_max: 1_000,
        disk_bytes_max: 0,
    };
    let runtime = Runtime::new(RuntimeConfig {
        protection: Protection::probe(16),
        idle_memories_max: 2,
        idle_memory_bytes: 8 << 20,
        perf_map: std::env::var_os("MURRE_PERF_MAP").is_some(),
        artefacts: ArtefactCache::new(limits, None),
    });
    let runtime = runtime.map_err(|error| DataFusionError::External(error.into()))?;
    Ok(ModuleCache::new(Arc::new(runtime), 1_000))
}
