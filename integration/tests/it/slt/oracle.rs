//! The oracle: plain single-node DataFusion, with the names a Murre user sees.
//!
//! Where Murre and this engine differ, the `.slt` record says `skipif datafusion`.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{Engine, TARGET_PARTITIONS};

/// One empty DataFusion session.
pub(super) struct Oracle {
    ctx: SessionContext,
}

impl Oracle {
    pub(super) fn new() -> Self {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema("murre", "public")
            .with_create_default_catalog_and_schema(true)
            .with_information_schema(true)
            .with_target_partitions(TARGET_PARTITIONS)
            // The server's: plans show it.
            .with_batch_size(16_384);
        // A path in FROM is a table, as in Murre.
        Self {
            ctx: SessionContext::new_with_config(config).enable_url_table(),
        }
    }
}

#[async_trait]
impl Engine for Oracle {
    async fn run(&mut self, sql: &str) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>> {
        let frame = self.ctx.sql(sql).await?;
        let plan = frame.create_physical_plan().await?;
        let schema = plan.schema();
        let batches = datafusion::physical_plan::collect(plan, self.ctx.task_ctx()).await?;
        // DDL has no columns.
        Ok((!schema.fields().is_empty()).then(|| (Arc::clone(&schema), batches)))
    }
}
