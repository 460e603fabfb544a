//! The store inside of another process: one member, alone, without a network.
//!
//! The folder is a member's folder: served by a node later, it grows into a cluster.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use crate::{
    KvError, Version,
    mvcc::{
        changes::Change,
        selector::{RangeQuery, RangeRows},
    },
    node::{Node, NodeOptions, NodeStatus, OpenError},
    transaction::{Retry, Store, Transaction, TransactionError, run_transaction},
    txn::{CommitRequest, KeyRange, Outcome, TxnId},
};

/// The first member of a group that may come.
pub const FIRST_ID: u64 = 1;
/// A member alone leads as soon as its log has been read.
const LEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Handle on an open store. Clones share it; when the last is dropped, the store stops as in a crash, which loses nothing.
#[derive(Debug, Clone)]
pub struct Embedded {
    node: Arc<Node>,
}

impl Embedded {
    /// Opens the store in `folder`, making it where there is none.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        let options = NodeOptions::new(folder.as_ref(), FIRST_ID);
        Self::open_with(options).await
    }

    /// Like [`Embedded::open`], with other times or another id.
    pub async fn open_with(mut options: NodeOptions) -> Result<Self, OpenError> {
        options.alone = true;
        let node = Node::open(options).await?;
        if !node.until_serving(LEAD_TIMEOUT).await {
            return Err(OpenError::NotAlone);
        }
        let node = Arc::new(node);
        Ok(Self { node })
    }

    /// Runs `body` in a transaction until it commits. See [`run_transaction`].
    pub async fn run_transaction<T, E, F, Fut>(&self, body: F) -> Result<T, E>
    where
        E: TransactionError,
        F: FnMut(Transaction<Self>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run_transaction(self, Retry::default(), body).await
    }

    /// Changes to keys of `range` after version `after`, and the version to ask from next time. Waits for news, at most
    /// `patience`.
    pub async fn watch(
        &self,
        range: &KeyRange,
        after: Version,
        patience: Duration,
    ) -> Result<(Vec<Change>, Version), KvError> {
        self.node.changes(range, after, patience).await
    }

    pub fn status(&self) -> NodeStatus {
        self.node.status()
    }

    /// Stops the store and waits until its files are closed; with other handles still there it only lets go of this one.
    pub async fn close(self) {
        if let Some(node) = Arc::into_inner(self.node) {
            node.close().await;
        }
    }
}

impl Store for Embedded {
    async fn begin(&self) -> Result<Version, KvError> {
        self.node.begin().await
    }

    async fn get(&self, key: &[u8], at: Version) -> Result<Option<Vec<u8>>, KvError> {
        self.node.get(key, at)
    }

    async fn get_range(&self, query: &RangeQuery, at: Version) -> Result<RangeRows, KvError> {
        self.node.get_range(query, at)
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, KvError> {
        self.node.commit(request).await
    }

    async fn outcome(&self, id: TxnId) -> Result<Outcome, KvError> {
        self.node.outcome(id).await
    }
}
