//! The replicated state, as Raft drives it.
//!
//! The state is on disk by itself, so a snapshot is nothing but a promise: making one syncs the engine, and then the log may
//! be purged up to there. Its contents are read from the engine when a member needs them.

use std::{io, sync::Arc, time::Instant};

use futures::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine},
};

use super::types::{
    LogId, StoredMembership, TypeConfig, decode_membership, entry_id, log_id, to_log,
};
use crate::{
    metrics::{Step, Steps},
    snapshot::SnapshotData,
    state::{Applied, State, StateError},
};

/// Entries that become one batch of the engine, at most.
const BATCH_ENTRIES_MAX: usize = 128;

pub(crate) type Snapshot = openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotData>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;

/// Handle on the node's state. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StateMachine {
    state: Arc<State>,
    steps: Steps,
}

impl StateMachine {
    pub(crate) fn new(state: Arc<State>, steps: Steps) -> Self {
        Self { state, steps }
    }
}

fn to_io(error: StateError) -> io::Error {
    io::Error::other(error)
}

/// What Raft knows of a state: its last entry, and its members.
fn meta(applied: &Applied) -> io::Result<(Option<LogId>, StoredMembership)> {
    let membership = match &applied.membership {
        None => StoredMembership::default(),
        Some((id, bytes)) => {
            let membership = decode_membership(bytes)
                .ok_or_else(|| io::Error::other("the state holds a malformed membership"))?;
            StoredMembership::new(Some(log_id(*id)), membership)
        }
    };
    Ok((applied.last.map(log_id), membership))
}

pub(crate) fn snapshot_meta(applied: &Applied) -> io::Result<SnapshotMeta> {
    let (last_log_id, last_membership) = meta(applied)?;
    Ok(SnapshotMeta {
        last_log_id,
        last_membership,
    })
}

fn snapshot(state: &State) -> io::Result<Snapshot> {
    let (applied, reader) = state.frozen().map_err(to_io)?;
    Ok(Snapshot {
        meta: snapshot_meta(&applied)?,
        snapshot: SnapshotData::Live { applied, reader },
    })
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let state = Arc::clone(&self.state);
        let build = move || {
            // First the contents, then the sync, which covers at least them.
            let snapshot = snapshot(&state)?;
            state.persist().map_err(to_io)?;
            Ok(snapshot)
        };
        tokio::task::spawn_blocking(build)
            .await
            .map_err(io::Error::other)?
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        meta(&self.state.applied_state().map_err(to_io)?)
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(BATCH_ENTRIES_MAX);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.into_iter().collect::<io::Result<Vec<_>>>()?;
            let in_log: Vec<_> = chunk.iter().map(|(entry, _)| to_log(entry)).collect();
            let begun = Instant::now();
            let applied = self.state.apply(&in_log).map_err(to_io)?;
            self.steps.observe(Step::Apply, begun.elapsed());
            for ((entry, responder), applied) in chunk.into_iter().zip(applied) {
                debug_assert_eq!(entry_id(&entry.log_id), applied.id);
                if let Some(responder) = responder {
                    responder.send(applied.outcomes);
                }
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _: &SnapshotMeta,
        snapshot: SnapshotData,
    ) -> Result<(), io::Error> {
        let state = Arc::clone(&self.state);
        tokio::task::spawn_blocking(move || state.install(snapshot).map_err(to_io))
            .await
            .map_err(io::Error::other)?
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let snapshot = snapshot(&self.state)?;
        Ok(Some(snapshot).filter(|snapshot| snapshot.meta.last_log_id.is_some()))
    }
}
