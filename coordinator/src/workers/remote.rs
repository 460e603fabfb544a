//! Workers in other processes: modules go to them once, by hash, and plans name the modules.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    common::{DataFusionError, Result, exec_datafusion_err},
    prelude::SessionConfig,
};
use datafusion_distributed::{ChannelResolver, DistributedExt, WorkerChannel};
use futures::future::{select_all, try_join_all};
use url::Url;
use worker_wasm::{
    exec::{FragmentCodec, Modules},
    rendezvous::WorkerId,
    worker::{LinkError, WorkerLink, options_header, worker_url},
};

use super::QueryModules;

pub(super) fn urls(members: &[WorkerLink]) -> Vec<Url> {
    let urls = members.iter().map(|link| worker_url(link.id()));
    urls.flatten().collect()
}

/// All of them before any plan: a task waits for its plan ten seconds at most, and code takes its time to make.
pub(super) async fn ensure(
    members: &[WorkerLink],
    modules: &[Arc<Modules>],
) -> std::result::Result<(), LinkError> {
    try_join_all(members.iter().map(|link| link.ensure(modules))).await?;
    Ok(())
}

/// Resolves with the name of one that is there no more. Never without members.
pub(super) async fn lost(members: &[WorkerLink]) -> WorkerId {
    let lost = members.iter().map(|link| {
        Box::pin(async move {
            link.lost().await;
            link.id().clone()
        })
    });
    let lost: Vec<_> = lost.collect();
    match lost.is_empty() {
        true => std::future::pending().await,
        false => select_all(lost).await.0,
    }
}

/// `config` for the first stage of a query whose other stages run on `members`.
pub(super) fn session(
    config: SessionConfig,
    modules: Arc<QueryModules>,
    members: &Arc<[WorkerLink]>,
) -> Result<SessionConfig> {
    let headers = options_header(config.options());
    config
        .with_distributed_user_codec(FragmentCodec::new(modules))
        .with_distributed_channel_resolver(Links(Arc::clone(members)))
        .with_distributed_passthrough_headers(headers)
}

/// Finds the workers of a query.
struct Links(Arc<[WorkerLink]>);

#[async_trait]
impl ChannelResolver for Links {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> std::result::Result<Box<dyn WorkerChannel>, DataFusionError> {
        let mut members = self.0.iter();
        let link = members.find(|link| worker_url(link.id()).as_ref() == Some(url));
        let link = link.ok_or_else(|| exec_datafusion_err!("{url} is no worker of this query"))?;
        Ok(link.client())
    }
}
