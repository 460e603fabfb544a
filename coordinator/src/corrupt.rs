//! Names the file when reading one fails: DataFusion's message often says only what was wrong inside it, and on some
//! damage the Parquet reader of arrow-rs 58 panics.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::{
    common::DataFusionError,
    datasource::{
        physical_plan::{FileScanConfig, ParquetSource},
        source::DataSourceExec,
    },
    execution::{SendableRecordBatchStream, object_store::ObjectStoreUrl},
    object_store::{ObjectStore, ObjectStoreExt, path::Path},
    parquet::arrow::{ParquetRecordBatchStreamBuilder, async_reader::ParquetObjectReader},
    physical_plan::{ExecutionPlan, stream::RecordBatchStreamAdapter},
};
use datafusion_distributed::DistributedLeafExec;
use futures::{FutureExt, StreamExt};

use crate::{QueryContext, QueryError};

/// Time spent at most on finding which file is broken.
const SEARCH_MAX: Duration = Duration::from_secs(20);

/// An operator panicked with this message.
#[derive(Debug, thiserror::Error)]
#[error("an operator panicked: {0}")]
struct Panicked(String);

/// The same rows; a panic of an operator ends them as an error that [`explain`] understands.
pub(crate) fn catch_panics(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let caught = AssertUnwindSafe(rows).catch_unwind().map(|row| {
        row.unwrap_or_else(|panic| {
            let panicked = Panicked(panic_text(&*panic));
            Err(DataFusionError::External(Box::new(panicked)))
        })
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, caught))
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// Turns an error from running a plan into ours; if a file is to blame, into one that names it.
pub(crate) async fn explain(
    ctx: &QueryContext,
    plan: &Arc<dyn ExecutionPlan>,
    source: DataFusionError,
) -> QueryError {
    let panicked = match source.find_root() {
        DataFusionError::External(error) => error.downcast_ref::<Panicked>(),
        _ => None,
    };
    let about_a_file = panicked.is_some()
        || matches!(source.find_root(), DataFusionError::ExecutionJoin(_))
        || matches!(source.find_root(), DataFusionError::ParquetError(_))
        || matches!(source.find_root(), DataFusionError::ArrowError(error, _) if error.to_string().contains("Parquet"))
        || source.to_string().contains("Parquet error");
    if !about_a_file {
        return QueryError::running(ctx.id(), source);
    }
    let mut files = Vec::new();
    collect_files(plan, ctx, &mut files);
    let detail = source.find_root().strip_backtrace();
    let detail = detail
        .trim_start_matches("Arrow error: ")
        .trim_start_matches("Parquet error: ");
    let give_up = Instant::now() + SEARCH_MAX;
    for file in &files {
        if Instant::now() > give_up {
            break;
        }
        let read = AssertUnwindSafe(read_all(file, give_up)).catch_unwind();
        let read = read
            .await
            .unwrap_or_else(|_| Err("it is damaged".to_owned()));
        if let Err(detail) = read {
            return QueryError::CorruptFile {
                path: file.name(),
                detail,
            };
        }
    }
    if let Some(panicked) = panicked {
        return QueryError::Internal {
            id: ctx.id(),
            detail: panicked.to_string(),
        };
    }
    match files.as_slice() {
        [file] if !matches!(source.find_root(), DataFusionError::ExecutionJoin(_)) => {
            QueryError::CorruptFile {
                path: file.name(),
                detail: detail.to_owned(),
            }
        }
        _ => QueryError::running(ctx.id(), source),
    }
}

/// A file that a plan reads.
struct File {
    store: Arc<dyn ObjectStore>,
    store_url: ObjectStoreUrl,
    path: Path,
}

impl File {
    /// As a user writes it: a local path, or a URL.
    fn name(&self) -> String {
        let url = self.store_url.as_str();
        format!(
            "{}{}",
            url.strip_prefix("file://").unwrap_or(url),
            self.path
        )
    }
}

fn collect_files(plan: &Arc<dyn ExecutionPlan>, ctx: &QueryContext, files: &mut Vec<File>) {
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>()
        && let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>()
        && config
            .file_source()
            .downcast_ref::<ParquetSource>()
            .is_some()
        && let Ok(store) = ctx
            .state
            .runtime_env()
            .object_store(&config.object_store_url)
    {
        for file in config.file_groups.iter().flat_map(|group| group.iter()) {
            let (store_url, path) = (&config.object_store_url, &file.object_meta.location);
            if !files
                .iter()
                .any(|known| known.path == *path && known.store_url == *store_url)
            {
                files.push(File {
                    store: Arc::clone(&store),
                    store_url: store_url.clone(),
                    path: path.clone(),
                });
            }
        }
    }
    if let Some(leaf) = plan.downcast_ref::<DistributedLeafExec>() {
        collect_files(leaf.original(), ctx, files);
    }
    for child in plan.children() {
        collect_files(child, ctx, files);
    }
}

/// Reads a Parquet file from end to end. Errors: what is wrong with it.
async fn read_all(file: &File, give_up: Instant) -> Result<(), String> {
    let meta = file.store.head(&file.path).await;
    let size = meta.map_err(|e| e.to_string())?.size;
    let reader = ParquetObjectReader::new(Arc::clone(&file.store), file.path.clone());
    let reader = reader.with_file_size(size);
    let builder = ParquetRecordBatchStreamBuilder::new(reader)
        .await
        .map_err(|e| e.to_string())?;
    let mut rows = builder.build().map_err(|e| e.to_string())?;
    while let Some(batch) = rows.next().await {
        batch.map_err(|e| e.to_string())?;
        if Instant::now() > give_up {
            break;
        }
    }
    Ok(())
}
