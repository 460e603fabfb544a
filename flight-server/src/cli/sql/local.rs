//! The engine in this process, on a data folder.

use std::{path::Path, sync::Arc};

use coordinator::{Engine, Session, StatementOptions, query::Answer};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    connection::{ResultSet, StatementError},
    progress::Watcher,
};

/// A session of an engine in this process.
#[derive(Debug)]
pub(crate) struct Local {
    engine: Arc<Engine>,
    session: Arc<Session>,
}

impl Local {
    pub(crate) fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let engine = crate::local_engine::open(data_dir, tokio::runtime::Handle::current())?;
        Ok(Self {
            session: engine.session(),
            engine,
        })
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<ResultSet, StatementError> {
        let prepared = self
            .session
            .prepare(sql, StatementOptions::default())
            .await?;
        Ok(match prepared.run(None).await? {
            Answer::Rows(rows) => ResultSet {
                schema: rows.schema(),
                batches: rows.map_err(StatementError::from).boxed(),
                rows_changed: None,
            },
            Answer::Done(outcome) => ResultSet {
                schema: outcome.schema,
                batches: stream::iter(outcome.batches.into_iter().map(Ok)).boxed(),
                rows_changed: outcome.rows_changed,
            },
        })
    }

    pub(crate) fn watcher(&self) -> Watcher {
        Watcher::Local {
            engine: Arc::clone(&self.engine),
            session: self.session.id().to_owned(),
        }
    }
}
