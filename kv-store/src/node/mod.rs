//! One member of the store: log, state, Raft, and who serves requests from them.
//!
//! ```text
//! commit, outcome ──> proposals (one committer, in one order) ──> Raft ──> applied ──> answers
//! begin           ──> reads (one quorum round for many)       ──> version
//! get, get_range, changes ──────────────────────────────────────> the engine, at a version
//!                     upkeep, each second: sync the engine, purge the log behind it, raise the watermark
//! ```
//!
//! Everything of Raft, and the service over the network, runs on a runtime of the node's own, so that queries cannot starve
//! it. Its threads read and write the engine and the log themselves; only what takes long goes to other threads.
//!
//! ```text
//! <folder>/LOCK       held while the node runs
//! <folder>/NODE       its id; it never changes, since the log holds its votes
//! <folder>/wal        the log
//! <folder>/state      the engine
//! <folder>/incoming   snapshots while they arrive
//! ```

mod gathering;
mod open;
mod pace;
mod proposals;
mod reads;
mod requests;
mod restore;
mod upkeep;
mod watching;

use std::{
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

pub use open::{NodeOptions, OpenError};
use parking_lot::Mutex;
pub(crate) use restore::Rebuilding;
pub use restore::{RestoreError, restore};
use tokio::{
    runtime::{Handle, Runtime},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::pace::Pace;
use crate::{
    KvError, Version,
    archive::{Archived, Progress},
    engine::Direction,
    metrics::Metrics,
    mvcc::{
        read,
        selector::{self, RangeQuery, RangeRows},
    },
    raft::{Group, Lead, MemberStatus},
    state::State,
    txn::{CLEARED_KEYS_MAX, CommitRequest, LimitError, Mutation, Outcome, TxnId},
    wal::Wal,
};

/// For what reads or writes files when the member stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running member. Dropping it stops it like a crash would; see [`Node::close`].
pub struct Node {
    id: u64,
    /// Where other members reach it.
    address: String,
    group: Group,
    state: Arc<State>,
    wal: Arc<Wal>,
    metrics: Metrics,
    /// Stays empty without an archive.
    archive: Progress,
    proposals: mpsc::Sender<requests::Request>,
    reads: mpsc::Sender<reads::Waiter>,
    /// This member leads and takes requests.
    serving: watch::Receiver<bool>,
    /// Of reads of single keys for callers elsewhere.
    pace: Pace,
    /// Of `runtime`.
    handle: Handle,
    /// `None` from when the member stops.
    runtime: Mutex<OwnRuntime>,
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
    /// Of the first entry in its log, or behind the last that was purged.
    pub first_index: u64,
    /// Of the last entry in its log.
    pub last_index: u64,
    pub applied: Version,
    pub watermark: Version,
    /// Fsyncs of the log since the node started.
    pub num_syncs: u64,
    /// How far the archive is; only of a member that uploads to one.
    pub archived: Option<Archived>,
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
        let given = receiver.await.map_err(|_| stopped())?;
        self.metrics.began(given.is_ok());
        given
    }

    /// The value of a key at a version that [`Node::begin`] gave.
    pub fn get(&self, key: &[u8], at: Version) -> Result<Option<Vec<u8>>, KvError> {
        let reader = self.reader(at)?;
        self.metrics.read_key();
        Ok(read::get(&*reader, key, at)?)
    }

    pub fn get_range(&self, query: &RangeQuery, at: Version) -> Result<RangeRows, KvError> {
        Ok(self.get_page(query, at, usize::MAX)?.0)
    }

    /// See [`selector::get_page`].
    pub(crate) fn get_page(
        &self,
        query: &RangeQuery,
        at: Version,
        bytes_max: usize,
    ) -> Result<(RangeRows, bool), KvError> {
        let reader = self.reader(at)?;
        self.metrics.read_range();
        Ok(selector::get_page(&*reader, query, at, bytes_max)?)
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
        // After the view was taken: versions go only when the watermark has passed them.
        let watermark = self.state.watermark();
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
        let start = Instant::now();
        let committed = self.commit_checked(request).await;
        self.metrics.committed(&committed, start.elapsed());
        committed
    }

    async fn commit_checked(&self, request: CommitRequest) -> Result<Version, KvError> {
        crate::txn::check(&request)?;
        self.check_clears(&request).await?;
        let id = request.id;
        let (answer, receiver) = oneshot::channel();
        self.propose(requests::Request::Commit { request, answer })?;
        receiver.await.map_err(|_| KvError::UnknownOutcome { id })?
    }

    /// Whether the ranges to clear hold more keys now than a transaction may clear. More may come until it commits: the limit
    /// is there to bound the work, not to be exact.
    async fn check_clears(&self, request: &CommitRequest) -> Result<(), KvError> {
        let is_clear = |mutation: &Mutation| matches!(mutation, Mutation::ClearRange { .. });
        if !request.mutations.iter().any(is_clear) {
            return Ok(());
        }
        let ranges: Vec<_> = request
            .mutations
            .iter()
            .filter(|mutation| is_clear(mutation))
            .map(Mutation::write_range)
            .collect();
        let state = Arc::clone(&self.state);
        let count = move || {
            let (at, reader) = (state.applied(), state.reader());
            let rows = ranges.iter().flat_map(|range| {
                read::rows(&*reader, &range.begin..&range.end, at, Direction::Forward)
            });
            let num_keys = rows
                .take(CLEARED_KEYS_MAX + 1)
                .try_fold(0, |num, row| row.map(|_| num + 1))?;
            if num_keys > CLEARED_KEYS_MAX {
                return Err(LimitError::ClearsTooMuch.into());
            }
            Ok(())
        };
        let counted = tokio::task::spawn_blocking(count).await;
        counted.map_err(|error| KvError::Storage {
            detail: error.to_string(),
        })?
    }

    /// What became of a transaction. One that has not committed by now never will.
    pub async fn outcome(&self, id: TxnId) -> Result<Outcome, KvError> {
        let (answer, receiver) = oneshot::channel();
        self.propose(requests::Request::Ask { id, answer })?;
        let answer = receiver.await.map_err(|_| stopped())?;
        self.metrics.asked(&answer);
        answer
    }

    fn propose(&self, request: requests::Request) -> Result<(), KvError> {
        self.proposals
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => KvError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => stopped(),
            })
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
            first_index: self.wal.indexes(open::GROUP).start,
            last_index: self.group.last_index(),
            applied: self.state.applied(),
            watermark: self.state.watermark(),
            num_syncs: self.wal.num_syncs(),
            archived: self.archive.archived(),
        }
    }

    /// What the member has counted, in the text format of Prometheus.
    pub fn metrics(&self) -> Vec<u8> {
        let num_failures = self.archive.num_failures();
        self.metrics.text(&self.status(), num_failures)
    }

    /// Runs something beside Raft, on the node's own runtime; nowhere once the member stops.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle.spawn(task)
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

    /// Returns when the log or the state has failed, and says how. The member answers nothing any more, and must be started
    /// again.
    pub async fn until_failed(&self) -> String {
        self.group.until_stopped().await
    }

    /// Stops the member, whoever else holds it: what runs on its runtime ends, connections too, and calls that come later are
    /// refused. Waits until its state needs no journal; the log and the folder's lock are let go of with the last handle.
    /// Called twice, the second call returns at once.
    pub async fn close(&self) {
        let mut runtime = OwnRuntime(self.runtime.lock().0.take());
        if runtime.0.is_none() {
            return;
        }
        self.group.shutdown().await;
        let state = Arc::clone(&self.state);
        // Waits for tasks that hold the log or the engine; not allowed on an asynchronous thread.
        let stop = move || {
            if let Some(runtime) = runtime.0.take() {
                runtime.shutdown_timeout(STOP_TIMEOUT);
            }
            if let Err(error) = state.settle() {
                tracing::warn!(%error, "the next opening reads the engine's journal");
            }
        };
        drop(tokio::task::spawn_blocking(stop).await);
    }
}

/// A runtime that goes away wherever it is dropped, also on one of its own threads, where tokio's own would panic.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
