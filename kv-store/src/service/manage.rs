//! Methods about the store itself: its state, its members, and backups.

use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    io,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Caller, messages as wire, wire::status_to_wire};
use crate::{KvError, LeaderHint, raft::Group, snapshot::write_snapshot};

/// Of a backup, in one message, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNKS_MAX: usize = 4;
/// A learner votes when it lacks fewer entries than this.
const CAUGHT_UP_ENTRIES: u64 = 100;
/// Until a learner has caught up.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(3600);
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(100);

impl Caller {
    pub(super) fn status(self, _: wire::Empty) -> Ready<Result<wire::Status, KvError>> {
        ready(Ok(status_to_wire(self.node.status())))
    }

    /// Makes a group of this member alone.
    pub(super) async fn init(self, _: wire::Empty) -> Result<wire::Empty, KvError> {
        self.role.check_manage()?;
        let members = BTreeMap::from([(self.node.id(), self.node.address().to_owned())]);
        self.node.group().initialize(members).await?;
        Ok(wire::Empty {})
    }

    pub(super) async fn add_member(self, message: wire::NewMember) -> Result<wire::Empty, KvError> {
        self.role.check_manage()?;
        let group = self.node.group();
        let known = group
            .members()
            .into_iter()
            .find(|known| known.id == message.id);
        match known {
            Some(known) if known.address == message.address => {}
            Some(_) => group.set_address(message.id, message.address).await?,
            None => group.add_learner(message.id, message.address).await?,
        }
        if message.promote {
            tokio::spawn(promote_when_caught_up(group.clone(), message.id));
        }
        Ok(wire::Empty {})
    }

    pub(super) async fn promote(self, message: wire::MemberId) -> Result<wire::Empty, KvError> {
        self.role.check_manage()?;
        self.node.group().promote(message.id).await?;
        Ok(wire::Empty {})
    }

    pub(super) async fn remove(self, message: wire::MemberId) -> Result<wire::Empty, KvError> {
        self.role.check_manage()?;
        self.node.group().remove(message.id).await?;
        Ok(wire::Empty {})
    }

    pub(super) async fn transfer(self, message: wire::MemberId) -> Result<wire::Empty, KvError> {
        self.role.check_manage()?;
        let lead = self.node.group().lead();
        if !lead.is_own {
            let leader: Option<LeaderHint> = lead.leader;
            return Err(KvError::NotLeader { leader });
        }
        self.node.group().transfer_lead(message.id).await?;
        Ok(wire::Empty {})
    }

    /// The state as it is now: what was acknowledged before the call is in it.
    pub(super) async fn backup(
        self,
        _: wire::Empty,
    ) -> Result<impl Stream<Item = Result<wire::Chunk, Status>> + use<>, KvError> {
        self.role.check_manage()?;
        self.node.begin().await?;
        let (applied, reader) = self.node.state().frozen()?;
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        tokio::task::spawn_blocking(move || {
            let Some(last) = applied.last else {
                return;
            };
            let mut chunks = Chunks {
                sender: sender.clone(),
                bytes: Vec::new(),
            };
            if let Err(error) = write_snapshot(&*reader, last, &mut chunks) {
                // Whoever reads it must not take it for whole.
                drop(sender.blocking_send(Err(Status::internal(error.to_string()))));
            }
        });
        let chunks = ReceiverStream::new(receiver);
        Ok(chunks.map(|bytes| bytes.map(|bytes| wire::Chunk { bytes })))
    }
}

async fn promote_when_caught_up(group: Group, id: u64) {
    let deadline = tokio::time::Instant::now() + CATCH_UP_TIMEOUT;
    while tokio::time::Instant::now() < deadline && group.lead().is_own {
        tokio::time::sleep(CATCH_UP_INTERVAL).await;
        let last = group.last_index();
        let members = group.members();
        let Some(member) = members.iter().find(|member| member.id == id) else {
            return;
        };
        if member.is_voter {
            return;
        }
        let is_near = |matched| last.saturating_sub(matched) < CAUGHT_UP_ENTRIES;
        if member.matched.is_some_and(is_near) {
            match group.promote(id).await {
                Ok(()) => tracing::info!(member = id, "the learner votes"),
                // Another change of members was under way: look again.
                Err(error) => tracing::warn!(member = id, %error, "the learner does not vote yet"),
            }
        }
    }
}

/// Gathers what is written into messages.
struct Chunks {
    sender: mpsc::Sender<Result<Bytes, Status>>,
    bytes: Vec<u8>,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.sender
            .blocking_send(Ok(bytes))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= CHUNK_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
