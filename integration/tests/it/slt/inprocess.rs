//! Murre in process: an engine on a folder of its own.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use catalog::{DataFolder, ObjectStores, Secrets, Users, disk::RealDisk, local::LocalTableStore};
use coordinator::{Answer, EngineConfig, Session, StatementOptions, WorkersKind};
use futures::TryStreamExt;
use tempfile::TempDir;

use super::{Engine, TARGET_PARTITIONS};

pub(super) struct InProcess {
    session: Arc<Session>,
    _folder: DataFolder,
    _dir: TempDir,
}

impl InProcess {
    /// `compile` is the session's `murre.compile`.
    pub(super) async fn start(compile: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let folder = DataFolder::open(dir.path())?;
        let store = LocalTableStore::open(&folder.tables(), Arc::new(RealDisk))?;
        let secrets = Arc::new(Secrets::open(&folder.secrets())?);
        let objects = ObjectStores::new(secrets, tokio::runtime::Handle::current());
        let config = EngineConfig {
            threads: TARGET_PARTITIONS,
            memory_limit_bytes: 4 << 30,
            spill_limit_bytes: 4 << 30,
            spill_folder: folder.spill(),
            module_folder: None,
            module_cache_bytes: 0,
            metadata_cache_bytes: 64 << 20,
            statistics_cache_bytes: 64 << 20,
            slow_query: None,
            statement_timeout: None,
            workers: WorkersKind::Embedded,
        };
        let users = Arc::new(Users::open(&folder.users())?);
        let engine = coordinator::Engine::open(config, Arc::new(store), Arc::new(objects), users)?;
        let mut started = Self {
            session: engine.session(),
            _folder: folder,
            _dir: dir,
        };
        started
            .run(&format!("SET murre.compile = '{compile}'"))
            .await?;
        Ok(started)
    }
}

#[async_trait]
impl Engine for InProcess {
    async fn run(&mut self, sql: &str) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>> {
        let prepared = self
            .session
            .prepare(sql, StatementOptions::default())
            .await?;
        let (schema, batches) = match prepared.run(None).await? {
            Answer::Rows(rows) => (rows.schema(), rows.try_collect().await?),
            Answer::Done(outcome) => (outcome.schema, outcome.batches),
        };
        Ok((!schema.fields().is_empty()).then_some((schema, batches)))
    }
}

/// How the operators of a query run, each with the reason why.
async fn how(engine: &mut InProcess, sql: &str) -> Result<Vec<(String, String)>> {
    let explained = engine.run(&format!("EXPLAIN FRAGMENTS {sql}")).await?;
    let (_, batches) = explained.context("EXPLAIN FRAGMENTS has rows")?;
    let mut rows = Vec::new();
    for batch in &batches {
        let text = |name: &str| Some(batch.column_by_name(name)?.as_string::<i32>());
        let (runs, reasons) = text("runs").zip(text("reason")).context("its columns")?;
        for (runs, reason) in runs.iter().zip(reasons) {
            let text = |cell: Option<&str>| cell.unwrap_or_default().to_owned();
            rows.push((text(runs), text(reason)));
        }
    }
    Ok(rows)
}

/// By a flag, of which `auto` knows that there are few groups.
const GROUPED: &str = "SELECT k % 3 = 0, sum(n) FROM t WHERE k > 10 GROUP BY k % 3 = 0";

async fn with_table(compile: &str) -> Result<InProcess> {
    let mut engine = InProcess::start(compile).await?;
    let rows = "SELECT v AS k, v * 2 AS n FROM generate_series(1, 1000) AS s(v)";
    engine.run(&format!("CREATE TABLE t AS {rows}")).await?;
    Ok(engine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compiled_operators_are_explained() -> Result<()> {
    let mut engine = with_table("always").await?;
    let rows = how(&mut engine, GROUPED).await?;
    let known = ["wasm", "scan", "exchange"];
    assert!(
        rows.iter().all(|(runs, _)| known.contains(&runs.as_str())),
        "{rows:?}"
    );
    assert!(
        rows.iter().filter(|(runs, _)| runs == "wasm").count() >= 3,
        "{rows:?}"
    );

    let (_, modules) = engine
        .run(&format!("EXPLAIN WAT {GROUPED}"))
        .await?
        .context("rows")?;
    let texts = modules[0]
        .column_by_name("wat")
        .context("a column \"wat\"")?;
    assert_eq!(texts.len(), 2, "a module for each phase of the aggregation");
    assert!(
        texts
            .as_string::<i32>()
            .iter()
            .flatten()
            .all(|text| text.starts_with("(module"))
    );

    let (schema, analyzed) = engine
        .run(&format!("EXPLAIN ANALYZE {GROUPED}"))
        .await?
        .context("rows")?;
    let text = super::format::rows(&schema, &analyzed).concat().join("\n");
    assert!(
        text.contains("FragmentExec: module=") && text.contains("guest_rows=1.00 K"),
        "{text}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_queries_are_compiled_for_their_next_run() -> Result<()> {
    let mut engine = with_table("auto").await?;
    let first = how(&mut engine, GROUPED).await?;
    assert!(
        first
            .iter()
            .any(|(_, reason)| reason.contains("below the cost of compiling")),
        "{first:?}"
    );
    // Ends with the compilation; the limit is only there to fail.
    let compiled = async {
        while !how(&mut engine, GROUPED)
            .await?
            .iter()
            .any(|(runs, _)| runs == "wasm")
        {
            tokio::task::yield_now().await;
        }
        Ok::<_, anyhow::Error>(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), compiled).await??;
    engine.run("SET murre.compile = 'never'").await?;
    let native = how(&mut engine, GROUPED).await?;
    assert!(native.iter().all(|(runs, _)| runs != "wasm"), "{native:?}");
    assert!(
        native
            .iter()
            .any(|(_, reason)| reason == "murre.compile is never"),
        "{native:?}"
    );
    Ok(())
}
