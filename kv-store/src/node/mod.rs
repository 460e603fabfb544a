//! One member of the store: log, state, Raft, and who serves requests from them.
//!
//! ```text
//! commit, outcome ──> proposals (one committer, in one order) ──> Raft ──> applied ──> answers
//! begin           ──> reads (one quorum round for many)       ──> version
//! get, get_range, changes ──────────────────────────────────────> the engine, at a version
//!                     upkeep, each second: sync the engine, purge the log behind it, raise the watermark
//! ```
//!
//! Everything of Raft runs on a runtime of the node's own, so that queries cannot starve it.
//!
//! ```text
//! <folder>/LOCK       held while the node runs
//! <folder>/NODE       its id; it never changes, since the log holds its votes
//! <folder>/wal        the log
//! <folder>/state      the engine
//! <folder>/incoming   snapshots while they arrive
//! ```

mod open;
mod proposals;
mod reads;
mod restore;
mod upkeep;

use std::{fs::File, sync::Arc, time::Duration};

pub use open::{NodeOptions, OpenError};
pub use restore::{RestoreError, restore};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    KvError, Version,
    mvcc::{
        changes::Change,
        read,
        selector::{self, RangeQuery, RangeRows},
    },
    raft::{Group, Lead, MemberStatus},
    state::State,
    txn::{CommitRequest, KeyRange, Outcome, TxnId},
    wal::Wal,
};

/// A running member. Dropping it stops it like a crash would; see [`Node::close`].
pub struct Node {
    id: u64,
    /// Where other members reach it.
    address: String,
    group: Group,
    state: Arc<State>,
    wal: Arc<Wal>,
    proposals: mpsc::Sender<proposals::Request>,
    reads: mpsc::Sender<reads::Waiter>,
    /// This member leads and takes requests.
    serving: watch::Receiver<bool>,
    /// `None` only while dropping.
    runtime: Option<Runtime>,
    /// Its lock keeps other processes out of the folder.
    _lock: File,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    pub id: u64,
    pub lead: Lead,
    pub members: Vec<MemberStatus>,
    /// Of the last entry in its log.
    pub last_index: u64,
    pub applied: Version,
    pub watermark: Version,
    /// Fsyncs of the log since the node started.
    pub num_syncs: u64,
}

fn stopped() -> KvError {
    KvError::Storage {
        detail: "the node is stopping".into(),
    }
}

impl Node {
    /// A version to read at: what was acknowledged before the call is in it.
    pub async fn begin(&self) -> Result<Version, KvError> {
        let (sender, receiver) = oneshot::channel();
        self.reads.send(sender).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }

    /// The value of a key at a version that [`Node::begin`] gave.
    pub fn get(&self, key: &[u8], at: Version) -> Result<Option<Vec<u8>>, KvError> {
        let reader = self.reader(at)?;
        Ok(read::get(&*reader, key, at)?)
    }

    pub fn get_range(&self, query: &RangeQuery, at: Version) -> Result<RangeRows, KvError> {
        let reader = self.reader(at)?;
        Ok(selector::get_range(&*reader, query, at)?)
    }

    fn reader(&self, at: Version) -> Result<Box<dyn crate::engine::Reader + Send>, KvError> {
        let applied = self.state.applied();
        if at > applied {
            return Err(KvError::Future {
                version: at,
                applied,
            });
        }
        let reader = self.state.reader();
        // In the snapshot that is read: versions go only after the watermark has passed them.
        let watermark = crate::txn::watermark(&*reader)?;
        if at < watermark {
            return Err(KvError::Compacted {
                version: at,
                watermark,
            });
        }
        Ok(reader)
    }

    /// Commits a transaction, once: a request with the same id gets the same answer.
    pub async fn commit(&self, request: CommitRequest) -> Result<Version, KvError> {
        crate::txn::check(&request)?;
        let id = request.id;
        let (answer, receiver) = oneshot::channel();
        self.propose(proposals::Request::Commit { request, answer })?;
        receiver.await.map_err(|_| KvError::UnknownOutcome { id })?
    }

    /// What became of a transaction. One that has not committed by now never will.
    pub async fn outcome(&self, id: TxnId) -> Result<Outcome, KvError> {
        let (answer, receiver) = oneshot::channel();
        self.propose(proposals::Request::Ask { id, answer })?;
        receiver.await.map_err(|_| stopped())?
    }

    fn propose(&self, request: proposals::Request) -> Result<(), KvError> {
        self.proposals
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => KvError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => stopped(),
            })
    }

    /// Changes to keys of `range` after version `after`, and the version to ask from next time. Waits until there is
    /// something new, at most `patience`; then nothing changed up to the version returned.
    pub async fn changes(
        &self,
        range: &KeyRange,
        after: Version,
        patience: Duration,
    ) -> Result<(Vec<Change>, Version), KvError> {
        let mut applied = self.state.watch_applied();
        let until = tokio::time::Instant::now() + patience;
        let mut from = after;
        loop {
            applied.borrow_and_update();
            let (changes, upto) = self.state.changes(range, from)?;
            from = upto;
            if !changes.is_empty() {
                return Ok((changes, from));
            }
            let newer = tokio::time::timeout_at(until, applied.changed()).await;
            if !matches!(newer, Ok(Ok(()))) {
                return Ok((Vec::new(), from));
            }
        }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where other members reach it; empty for one that is alone.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            id: self.id,
            lead: self.group.lead(),
            members: self.group.members(),
            last_index: self.group.last_index(),
            applied: self.state.applied(),
            watermark: self.state.watermark(),
            num_syncs: self.wal.num_syncs(),
        }
    }

    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Waits until this member leads and takes requests; false when patience ends before.
    pub(crate) async fn until_serving(&self, patience: Duration) -> bool {
        let mut serving = self.serving.clone();
        let wait = serving.wait_for(|serving| *serving);
        matches!(tokio::time::timeout(patience, wait).await, Ok(Ok(_)))
    }

    /// Stops the member and waits until its files are closed.
    pub async fn close(mut self) {
        self.group.shutdown().await;
        let runtime = self.runtime.take();
        // Waits for tasks that hold the log or the engine; not allowed on an asynchronous thread.
        let stop = move || runtime.map(|runtime| runtime.shutdown_timeout(Duration::from_secs(5)));
        drop(tokio::task::spawn_blocking(stop).await);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
