//! From this member to the others.

use std::{future::Future, io, pin::pin, time::Duration};

use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt,
    future::{self, BoxFuture, Either, select},
    stream::{self, BoxStream},
};
use openraft::{
    RaftNetworkFactory,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::{RPCOption, RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
        TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::{
    append_stream::{Call, append_stream},
    convert, messages as wire,
    state_machine::Snapshot,
    types::{Member, TypeConfig, Vote},
};
use crate::{
    metrics::Steps,
    rpc::{self, Link, link::Dialer},
    snapshot::{SnapshotData, write_snapshot},
};

pub(super) type RpcError = RPCError<TypeConfig>;
/// To requests of a stream.
type Answers<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>;

/// Of a snapshot, in one message, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Chunks between the disk and the network, at most.
const CHUNKS_MAX: usize = 4;
/// A snapshot that takes longer is given up.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Dials members.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) dialer: Dialer,
    pub(crate) steps: Steps,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, _: u64, member: &Member) -> Peer {
        Peer {
            link: self.dialer.link(&member.address).map_err(|e| e.to_string()),
            steps: self.steps.clone(),
            call: None,
        }
    }
}

/// One other member.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Or why there can be none: its address is no address.
    link: Result<Link, String>,
    steps: Steps,
    /// For entries and heartbeats, when nothing waits for an answer in it.
    call: Option<Call>,
}

pub(super) fn to_error(status: &Status) -> RpcError {
    match status.code() {
        // Nobody is there: wait before the next try.
        Code::Unavailable => Unreachable::new(status).into(),
        _ => NetworkError::new(status).into(),
    }
}

pub(super) fn senseless() -> RpcError {
    NetworkError::from_string("the answer makes no sense").into()
}

impl Peer {
    fn link(&self) -> Result<&Link, RpcError> {
        self.link
            .as_ref()
            .map_err(|why| Unreachable::from_string(why).into())
    }

    async fn call<Q, A>(
        &self,
        method: &'static str,
        message: Q,
        option: &RPCOption,
    ) -> Result<A, RpcError>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let answer = self.link()?.unary(method, message, option.soft_ttl());
        answer.await.map_err(|status| to_error(&status))
    }

    async fn ask_for_vote(
        &self,
        request: VoteRequest<TypeConfig>,
        is_trial: bool,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let message = convert::vote_request(&request, is_trial);
        let answer = self.call(rpc::raft::VOTE, message, &option).await?;
        Ok(convert::from_vote_answer(answer))
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotData;

    fn stream_append<'s, S>(
        &'s mut self,
        requests: S,
        _: RPCOption,
    ) -> BoxFuture<'s, Result<Answers<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let link = match self.link() {
            Ok(link) => link.clone(),
            Err(error) => return future::ready(Err(error)).boxed(),
        };
        let answers = append_stream(&mut self.call, link, self.steps.clone(), requests);
        future::ready(Ok(answers.boxed())).boxed()
    }

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let entries = request.entries.last();
        let last = entries.map(|last| last.log_id).or(request.prev_log_id);
        let mut answers = self.stream_append(stream::iter([request]), option).await?;
        match answers.next().await.ok_or_else(senseless)?? {
            Ok(upto) if upto != last => Ok(AppendEntriesResponse::PartialSuccess(upto)),
            result => Ok(result.into()),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(request, false, option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(request, true, option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let link = self.link()?.clone();
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        // When this future is dropped or the call fails, the receiver goes, and the writer stops at its next chunk.
        tokio::task::spawn_blocking(move || send_snapshot(&vote, snapshot.snapshot, sender));
        let send = link.gathered(rpc::raft::SNAPSHOT, ReceiverStream::new(receiver));
        let send = pin!(tokio::time::timeout(SNAPSHOT_TIMEOUT, send));
        let answer: wire::SnapshotAnswer = match select(send, pin!(cancel)).await {
            Either::Left((Ok(answer), _)) => answer.map_err(|status| to_error(&status))?,
            Either::Left((Err(late), _)) => return Err(NetworkError::new(&late).into()),
            Either::Right((closed, _)) => return Err(closed.into()),
        };
        Ok(SnapshotResponse::new(convert::from_vote(answer.vote)))
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let message = convert::transfer(&request);
        let answer: wire::TransferAnswer = self.call(rpc::raft::TRANSFER, message, &option).await?;
        if answer.accepted {
            Ok(Ok(()))
        } else {
            Err(NetworkError::from_string("the member does not take over the lead").into())
        }
    }
}

/// Gathers what is written into messages.
struct Chunks {
    sender: mpsc::Sender<wire::SnapshotChunk>,
    bytes: Vec<u8>,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let chunk = wire::SnapshotChunk { head: None, bytes };
        self.sender
            .blocking_send(chunk)
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

/// Reads the state and sends it. A failure cuts the stream short, and the receiver sees that the end is missing.
fn send_snapshot(vote: &Vote, data: SnapshotData, sender: mpsc::Sender<wire::SnapshotChunk>) {
    let SnapshotData::Live { applied, reader } = data else {
        tracing::warn!("a snapshot that came from another member is not sent on");
        return;
    };
    let Some(last) = applied.last else {
        return;
    };
    let membership = applied.membership.map(|(id, payload)| wire::LogEntry {
        id: id.into(),
        payload: payload.into(),
    });
    let head = wire::SnapshotChunk {
        head: Some(wire::SnapshotHead {
            vote: convert::vote(vote),
            last: last.into(),
            membership,
        }),
        bytes: Bytes::new(),
    };
    if sender.blocking_send(head).is_err() {
        return;
    }
    let mut chunks = Chunks {
        sender,
        bytes: Vec::new(),
    };
    match write_snapshot(&*reader, last, &mut chunks) {
        Ok(num_pairs) => tracing::info!(num_pairs, log_index = last.index, "snapshot sent"),
        Err(error) => tracing::warn!(%error, "snapshot not sent"),
    }
}
