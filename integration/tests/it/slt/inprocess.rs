//! Murre in process: an engine on a folder of its own.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use catalog::{DataFolder, ObjectStores, Secrets, Users, disk::RealDisk, local::LocalTableStore};
use coordinator::{Answer, EngineConfig, Session, StatementOptions};
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
