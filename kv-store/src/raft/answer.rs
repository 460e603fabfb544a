//! What this member answers the others.

use std::{fs::File, future::ready, io::Write, path::PathBuf, pin::pin};

use futures::{Stream, StreamExt, stream};
use openraft::raft::TransferLeaderResponse;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    Group, convert,
    messages::{self as wire, SnapshotChunk},
    state_machine::{Snapshot, snapshot_meta},
    types::TypeConfig,
};
use crate::{
    rpc::{
        self,
        server::{HttpRequest, HttpResponse, exchanged, gathered, unary},
    },
    snapshot::SnapshotData,
    state::Applied,
};

fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

/// Answers a call to the service of [`rpc::raft`]; `None` when its method is not known.
pub(crate) async fn answer(group: &Group, request: HttpRequest) -> Option<HttpResponse> {
    let group = group.clone();
    Some(match request.uri().path() {
        rpc::raft::APPEND => {
            exchanged(request, move |messages| {
                ready(Ok(append_stream(group.clone(), messages)))
            })
            .await
        }
        rpc::raft::VOTE => unary(request, move |message| vote(group.clone(), message)).await,
        rpc::raft::TRANSFER => {
            unary(request, move |message| transfer(group.clone(), message)).await
        }
        rpc::raft::SNAPSHOT => {
            gathered(request, move |chunks| snapshot(group.clone(), chunks)).await
        }
        _ => return None,
    })
}

/// Answers come in the order of the requests, each once its entries are on disk here. The first refusal is the last answer.
fn append_stream(
    group: Group,
    messages: Streaming<wire::AppendRequest>,
) -> impl Stream<Item = Result<wire::AppendAnswer, Status>> + use<> {
    // The first request that makes no sense or does not arrive ends the call: the leader begins another.
    let requests = messages.scan((), |(), message| {
        let request = message.and_then(|message| {
            convert::from_append(message).map_err(|e| Status::invalid_argument(e.to_string()))
        });
        ready(match request {
            Ok(request) => Some(request),
            Err(status) => {
                tracing::debug!(%status, "no more entries come this way");
                None
            }
        })
    });
    let (sender, answers) = mpsc::channel(1);
    // openraft's answers borrow the group, so whatever polls this stream runs them in it.
    let run = async move {
        let mut results = pin!(group.raft.stream_append(requests));
        while let Some(result) = results.next().await {
            let answer = result.map(|result| convert::append_answer(&result));
            if sender.send(answer.map_err(internal)).await.is_err() {
                return;
            }
        }
    };
    let run = stream::once(run).filter_map(|()| ready(None));
    stream::select(ReceiverStream::new(answers), run)
}

async fn vote(group: Group, message: wire::VoteRequest) -> Result<wire::VoteAnswer, Status> {
    let request = convert::from_vote_request(message);
    let answer = if message.is_trial {
        group.raft.pre_vote(request).await
    } else {
        group.raft.vote(request).await
    };
    Ok(convert::vote_answer(&answer.map_err(internal)?))
}

async fn transfer(
    group: Group,
    message: wire::TransferRequest,
) -> Result<wire::TransferAnswer, Status> {
    let request = convert::from_transfer(message);
    let answer = group.raft.handle_transfer_leader(request).await;
    let answer: TransferLeaderResponse<TypeConfig> = answer.map_err(internal)?;
    let accepted = answer.is_ok();
    Ok(wire::TransferAnswer { accepted })
}

async fn snapshot(
    group: Group,
    mut chunks: Streaming<SnapshotChunk>,
) -> Result<wire::SnapshotAnswer, Status> {
    let first = chunks.message().await?;
    let head = first
        .and_then(|chunk| chunk.head)
        .ok_or_else(|| Status::invalid_argument("a snapshot begins with its head"))?;
    let path = receive(&group, chunks).await?;
    let applied = Applied {
        last: Some(head.last.into()),
        membership: head
            .membership
            .map(|entry| (entry.id.into(), entry.payload.to_vec())),
    };
    let snapshot = Snapshot {
        meta: snapshot_meta(&applied).map_err(internal)?,
        snapshot: SnapshotData::File(path),
    };
    let installed = group
        .raft
        .install_full_snapshot(convert::from_vote(head.vote), snapshot)
        .await
        .map_err(internal)?;
    Ok(wire::SnapshotAnswer {
        vote: convert::vote(&installed.vote),
    })
}

/// Into a file of its own: a snapshot whose sender gave up may still be arriving.
async fn receive(group: &Group, mut chunks: Streaming<SnapshotChunk>) -> Result<PathBuf, Status> {
    let path = group.incoming.join(format!("{:016x}", fastrand::u64(..)));
    let mut file = File::create_new(&path).map_err(internal)?;
    loop {
        match chunks.message().await {
            Ok(Some(chunk)) => {
                // Into the page cache; whole only when its end is there, which the reader checks.
                tokio::task::block_in_place(|| file.write_all(&chunk.bytes)).map_err(internal)?;
            }
            Ok(None) => return Ok(path),
            Err(status) => {
                drop(std::fs::remove_file(&path));
                return Err(status);
            }
        }
    }
}
