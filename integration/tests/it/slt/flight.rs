//! Murre over Flight SQL: a real server, the Rust client.

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::TryStreamExt;
use std::sync::Arc;
use tempfile::TempDir;

use super::{Engine, TARGET_PARTITIONS};
use crate::server::{Client, Server, said};

pub(super) struct Flight {
    client: Client,
    _server: Server,
    _dir: TempDir,
}

impl Flight {
    pub(super) async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let threads = TARGET_PARTITIONS.to_string();
        let server = Server::start_with(&dir.path().join("data"), &["--threads", &threads])?;
        Ok(Self {
            client: server.client().await?,
            _server: server,
            _dir: dir,
        })
    }
}

impl Flight {
    async fn answer(&mut self, sql: &str) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>> {
        let info = self.client.execute(sql.to_owned(), None).await?;
        let schema = Arc::new(info.clone().try_decode_schema()?);
        if schema.fields().is_empty() {
            return Ok(None);
        }
        let mut batches = Vec::new();
        for endpoint in info.endpoint {
            let stream = self
                .client
                .do_get(endpoint.ticket.unwrap_or_default())
                .await?;
            batches.extend(stream.try_collect::<Vec<_>>().await?);
        }
        for batch in &batches {
            anyhow::ensure!(
                batch.schema() == schema,
                "the stream's schema is not the one announced"
            );
        }
        Ok(Some((schema, batches)))
    }
}

#[async_trait]
impl Engine for Flight {
    async fn run(&mut self, sql: &str) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>> {
        self.answer(sql).await.map_err(said)
    }
}
