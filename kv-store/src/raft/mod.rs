//! One Raft group, by openraft. Its types stay in this module.
//!
//! ```text
//! propose ──> openraft ──> LogStore (the node's log) ──fsync──> committed ──> StateMachine (State) ──> outcomes
//!                 │                                                              ^
//!                 └── Network ──> other members: answer::Answers ────────────────┘
//! ```
//!
//! Errors: [`ProposeError`] tells what is certainly not in the log from what may be.
//! Times: a leader is heard every 150 ms; who hears none for a lease and 600 to 900 ms more asks for votes.
//! Source: Ongaro's dissertation, with pre-votes, leader transfer and joint membership changes; see openraft for its ways.

mod answer;
mod append_stream;
mod convert;
mod held_commits;
mod log_store;
pub(crate) mod messages;
mod network;
mod state_machine;
mod types;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

pub(crate) use answer::answer;
use bytes::Bytes;
use futures::FutureExt;
use openraft::{
    ChangeMembers, Config, ReadPolicy, SnapshotPolicy,
    async_runtime::watch::WatchReceiver,
    errors::{
        ClientWriteError, Fatal, ForwardToLeader, InitializeError, LinearizableReadError, RaftError,
    },
};

use self::{
    log_store::LogStore,
    network::Network,
    state_machine::StateMachine,
    types::{Member, Proposal, TypeConfig, entry_id},
};
use crate::{
    metrics::Steps,
    rpc::link::Dialer,
    state::State,
    txn::EntryOutcome,
    wal::{EntryId, GroupId, Wal},
};

type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// Milliseconds.
const HEARTBEAT_INTERVAL: u64 = 150;
const ELECTION_TIMEOUT_MIN: u64 = 600;
const ELECTION_TIMEOUT_MAX: u64 = 900;
/// Between two looks at whether the group has stopped.
const STOPPED_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, thiserror::Error)]
pub enum GroupError {
    #[error("cannot start the group")]
    Start(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The log or the state failed: the node must be started again.
    #[error("the group stopped: {detail}")]
    Stopped { detail: String },
    #[error("the change of members was refused: {detail}")]
    Members { detail: String },
    #[error(transparent)]
    Propose(#[from] ProposeError),
}

/// Whom to ask instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderHint {
    pub id: u64,
    /// `host:port`.
    pub address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// It is in no log and will be in none.
    #[error("this member does not lead")]
    NotLeader { leader: Option<LeaderHint> },
    /// It was in this member's log, and may become committed under another leader.
    #[error("the lead was lost, and the proposal may be committed or not")]
    Unknown,
}

/// A committed entry of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) id: EntryId,
    /// Of its commands.
    pub(crate) outcomes: Vec<EntryOutcome>,
}

/// What this member knows of the lead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lead {
    pub term: u64,
    /// This member leads.
    pub is_own: bool,
    pub leader: Option<LeaderHint>,
    /// The log or the state failed.
    pub is_stopped: bool,
}

/// A member, as the group knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    pub id: u64,
    pub address: String,
    pub is_voter: bool,
    /// Entries up to here are in its log; `None` where nobody knows, which is everywhere but on the leader.
    pub matched: Option<u64>,
}

/// This member's part of the group. Clones share it.
#[derive(Clone)]
pub(crate) struct Group {
    id: u64,
    raft: Raft,
    /// Where snapshots arrive.
    incoming: PathBuf,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Says when [`Group::lead`] or the members may have changed.
pub(crate) struct LeadWatch(
    openraft::type_config::alias::WatchReceiverOf<
        TypeConfig,
        openraft::metrics::RaftServerMetrics<TypeConfig>,
    >,
);

impl LeadWatch {
    /// False when the group was shut down.
    pub(crate) async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

/// What stands in the log when a group is made of these members, all of them voters.
pub(crate) fn alone(members: BTreeMap<u64, String>) -> Vec<u8> {
    let voters = members.keys().copied().collect();
    let members: BTreeMap<_, _> = members
        .into_iter()
        .map(|(id, address)| (id, Member { address }))
        .collect();
    let membership = types::Membership::new(vec![voters], members);
    types::encode_membership(&membership.expect("every voter is a member"))
}

/// A vote of this member for itself in a term, as it stands in the log.
pub(crate) fn vote_of(term: u64, id: u64) -> Vec<u8> {
    types::encode_vote(&types::Vote::new(term, id))
}

fn config() -> Result<Arc<Config>, GroupError> {
    let config = Config {
        cluster_name: "murre".into(),
        heartbeat_interval: HEARTBEAT_INTERVAL,
        election_timeout_min: ELECTION_TIMEOUT_MIN,
        election_timeout_max: ELECTION_TIMEOUT_MAX,
        // The node asks for them, when it wants the engine synced.
        snapshot_policy: SnapshotPolicy::Never,
        // The node purges, see `Group::purge`.
        max_in_snapshot_log_to_keep: u64::MAX,
        // Followers write while the leader writes.
        broadcast_submitted_on_append: Some(true),
        enable_pre_vote: Some(true),
        // A leader that comes back has to be elected: its state may be behind what it had answered.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    config
        .validate()
        .map(Arc::new)
        .map_err(|error| GroupError::Start(Arc::new(error)))
}

fn stopped(fatal: &Fatal<TypeConfig>) -> GroupError {
    GroupError::Stopped {
        detail: fatal.to_string(),
    }
}

fn not_leader(forward: ForwardToLeader<TypeConfig>) -> ProposeError {
    let leader = forward.leader_id.zip(forward.leader_node);
    ProposeError::NotLeader {
        leader: leader.map(|(id, member)| LeaderHint {
            id,
            address: member.address,
        }),
    }
}

fn write_error(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> GroupError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            not_leader(forward).into()
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => ProposeError::Unknown.into(),
        RaftError::APIError(
            error @ (ClientWriteError::ChangeMembershipError(_)
            | ClientWriteError::PreconditionFailed(_)),
        ) => GroupError::Members {
            detail: error.to_string(),
        },
        RaftError::Fatal(fatal) => stopped(&fatal),
    }
}

impl Group {
    /// Starts this member, on the current runtime.
    pub(crate) async fn open(
        id: u64,
        wal: Arc<Wal>,
        group: GroupId,
        state: Arc<State>,
        incoming: PathBuf,
        dialer: Dialer,
        steps: Steps,
    ) -> Result<Self, GroupError> {
        let raft = Raft::new(
            id,
            config()?,
            Network {
                dialer,
                steps: steps.clone(),
            },
            LogStore::new(wal, group, steps.clone()),
            StateMachine::new(state, steps),
        );
        let raft = raft
            .await
            .map_err(|fatal| GroupError::Start(Arc::new(fatal)))?;
        Ok(Self { id, raft, incoming })
    }

    /// Makes the group of these members, by id and address. Only where there was none.
    pub(crate) async fn initialize(
        &self,
        members: BTreeMap<u64, String>,
    ) -> Result<(), GroupError> {
        let member = |(id, address)| (id, Member { address });
        let members: BTreeMap<_, _> = members.into_iter().map(member).collect();
        self.raft
            .initialize(members)
            .await
            .map_err(|error| match error {
                RaftError::APIError(InitializeError::NotAllowed(_)) => GroupError::Members {
                    detail: "this member is in a group already".into(),
                },
                RaftError::APIError(error) => GroupError::Members {
                    detail: error.to_string(),
                },
                RaftError::Fatal(fatal) => stopped(&fatal),
            })
    }

    /// Whether there is a group that this member knows of.
    pub(crate) async fn is_initialized(&self) -> Result<bool, GroupError> {
        self.raft
            .is_initialized()
            .await
            .map_err(|fatal| stopped(&fatal))
    }

    /// Puts an entry into the log and waits until it is applied here.
    pub(crate) async fn propose(&self, entry: Bytes) -> Result<Committed, GroupError> {
        let written = self.raft.client_write(Proposal(entry)).await;
        let written = written.map_err(write_error)?;
        Ok(Committed {
            id: entry_id(&written.log_id),
            outcomes: written.data,
        })
    }

    /// Returns when a quorum said, after the call, that this member still leads, and what was committed by then is applied.
    pub(crate) async fn confirm_lead(&self) -> Result<(), GroupError> {
        let confirmed = self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await;
        confirmed.map(drop).map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
                not_leader(forward).into()
            }
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => {
                ProposeError::NotLeader { leader: None }.into()
            }
            RaftError::Fatal(fatal) => stopped(&fatal),
        })
    }

    pub(crate) fn lead(&self) -> Lead {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let leader = metrics.current_leader.and_then(|id| {
            let member = metrics.membership_config.get_node(&id)?;
            Some(LeaderHint {
                id,
                address: member.address.clone(),
            })
        });
        Lead {
            term: metrics.vote.leader_id.term,
            is_own: metrics.state.is_leader(),
            leader,
            is_stopped: self.raft.metrics().borrow_watched().running_state.is_err(),
        }
    }

    pub(crate) fn watch_lead(&self) -> LeadWatch {
        LeadWatch(self.raft.server_metrics())
    }

    /// Asks for votes now instead of waiting.
    pub(crate) async fn campaign(&self) -> Result<(), GroupError> {
        let asked = self.raft.trigger().elect(false).await;
        asked.map_err(|fatal| stopped(&fatal))
    }

    /// Syncs the engine, and lets the log be purged behind it. Returns before that is done.
    pub(crate) async fn persist(&self) -> Result<(), GroupError> {
        let asked = self.raft.trigger().snapshot().await;
        asked.map_err(|fatal| stopped(&fatal))
    }

    /// Lets the log forget entries before this index, as far as the engine has them on disk. Returns before that is done.
    pub(crate) async fn purge(&self, before: u64) -> Result<(), GroupError> {
        let Some(upto) = before.checked_sub(2) else {
            // Entry 1 is openraft's entry 0.
            return Ok(());
        };
        let asked = self.raft.trigger().purge_log(upto).await;
        asked.map_err(|fatal| stopped(&fatal))
    }

    /// Returns when the log or the state has failed, and says how; the member must be started again then.
    pub(crate) async fn until_stopped(&self) -> String {
        let mut metrics = self.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_watched().running_state {
                return fatal.to_string();
            }
            // They change several times with each entry, and whoever waits for that is woken as often.
            if let Some(Err(_)) = metrics.changed().now_or_never() {
                return "its task ended".into();
            }
            tokio::time::sleep(STOPPED_AFTER).await;
        }
    }

    pub(crate) async fn transfer_lead(&self, to: u64) -> Result<(), GroupError> {
        let asked = self.raft.trigger().transfer_leader(to).await;
        asked.map_err(|fatal| stopped(&fatal))
    }

    /// Adds a member that gets the log and does not vote. Does not wait until it has caught up.
    pub(crate) async fn add_learner(&self, id: u64, address: String) -> Result<(), GroupError> {
        let added = self.raft.add_learner(id, Member { address }, false).await;
        added.map(drop).map_err(write_error)
    }

    /// Lets a learner vote.
    pub(crate) async fn promote(&self, id: u64) -> Result<(), GroupError> {
        self.change(ChangeMembers::AddVoterIds([id].into())).await
    }

    /// A voter or a learner leaves.
    pub(crate) async fn remove(&self, id: u64) -> Result<(), GroupError> {
        let metrics = self.raft.metrics();
        let is_voter = metrics
            .borrow_watched()
            .membership_config
            .voter_ids()
            .any(|voter| voter == id);
        let ids = [id].into();
        self.change(if is_voter {
            ChangeMembers::RemoveVoters(ids)
        } else {
            ChangeMembers::RemoveNodes(ids)
        })
        .await
    }

    async fn change(&self, change: ChangeMembers<u64, Member>) -> Result<(), GroupError> {
        let changed = self.raft.change_membership(change, false).await;
        changed.map(drop).map_err(write_error)
    }

    /// Changes where members are reached.
    pub(crate) async fn set_address(&self, id: u64, address: String) -> Result<(), GroupError> {
        let members = [(id, Member { address })].into();
        self.change(ChangeMembers::SetNodes(members)).await
    }

    pub(crate) fn members(&self) -> Vec<MemberStatus> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
        let members = metrics.membership_config.nodes();
        let members = members.map(|(id, member)| MemberStatus {
            id: *id,
            address: member.address.clone(),
            is_voter: voters.contains(id),
            matched: metrics.replication.as_ref().and_then(|replication| {
                let matched = replication.get(id)?.as_ref()?;
                Some(entry_id(matched).index)
            }),
        });
        members.collect()
    }

    /// Index of the last entry in this member's log.
    pub(crate) fn last_index(&self) -> u64 {
        let metrics = self.raft.metrics();
        let last = metrics.borrow_watched().last_log_index;
        last.map_or(0, |index| index + 1)
    }

    /// Ends all of the group's tasks.
    pub(crate) async fn shutdown(&self) {
        // A task that panicked has said so itself.
        drop(self.raft.shutdown().await);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::{Stream, StreamExt, stream};
    use openraft::{
        StorageError,
        storage::{EntryResponder, RaftStateMachine},
        testing::log::{StoreBuilder, Suite},
    };

    use super::{
        state_machine::{Snapshot, SnapshotMeta},
        types::{LogId, StoredMembership},
        *,
    };
    use crate::{
        disk::RealDisk, metrics::Metrics, snapshot::SnapshotData, wal::Entry, wal::LogOptions,
    };

    /// The suite applies entries without those before them, which the state refuses: this puts empty ones in their place.
    struct Filling(StateMachine, Arc<State>);

    impl RaftStateMachine<TypeConfig> for Filling {
        type SnapshotData = SnapshotData;
        type SnapshotBuilder = StateMachine;

        async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
            self.0.applied_state().await
        }

        async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
        where
            Strm: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
        {
            while let Some(entry) = entries.next().await {
                let EntryId { term, index } = entry_id(&entry.as_ref().expect("an entry").0.log_id);
                let empty = |index| Entry {
                    id: EntryId { term, index },
                    payload: Bytes::new(),
                };
                let missing: Vec<_> = (self.1.applied().index + 1..index).map(empty).collect();
                self.1.apply(&missing).map_err(io::Error::other)?;
                self.0.apply(stream::iter([entry])).await?;
            }
            Ok(())
        }

        async fn get_snapshot_builder(&mut self) -> StateMachine {
            self.0.get_snapshot_builder().await
        }

        async fn install_snapshot(
            &mut self,
            meta: &SnapshotMeta,
            snapshot: SnapshotData,
        ) -> io::Result<()> {
            self.0.install_snapshot(meta, snapshot).await
        }

        async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
            self.0.get_current_snapshot().await
        }
    }

    struct Fresh;

    impl StoreBuilder<TypeConfig, LogStore, Filling, tempfile::TempDir> for Fresh {
        async fn build(
            &self,
        ) -> Result<(tempfile::TempDir, LogStore, Filling), StorageError<TypeConfig>> {
            let folder = tempfile::tempdir().expect("a folder");
            let options = LogOptions {
                segment_bytes_max: 64 * 1024,
                salt: 1,
            };
            let wal = Wal::open(Arc::new(RealDisk), &folder.path().join("wal"), options);
            let (state, _) = State::open(folder.path().join("engine"), None).expect("a folder");
            let steps = Metrics::new().steps();
            let wal = Arc::new(wal.expect("a folder"));
            let log = LogStore::new(wal, GroupId(1), steps.clone());
            let state = Arc::new(state);
            let filling = Filling(StateMachine::new(Arc::clone(&state), steps), state);
            Ok((folder, log, filling))
        }
    }

    /// openraft's own tests of what it demands of a log and a state.
    #[tokio::test(flavor = "multi_thread")]
    async fn log_and_state_keep_the_rules_of_openraft() {
        Suite::test_all(Fresh)
            .await
            .expect("every test of the suite");
    }
}
