//! A worker as others call it, over one connection. When that is lost, so is the link.

use std::{fmt, io, sync::Arc, time::Duration};

use datafusion_distributed::{
    WorkerChannel,
    grpc::{BoxCloneSyncChannel, create_worker_client},
};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::messages::{
    DESCRIBE, Describe, Description, Done, Hashes, MESSAGE_BYTES_MAX, MISSING, Missing, PUT, Put,
    PutModule,
};
use crate::{
    exec::Modules,
    rendezvous::{Watch, Watched, Way, WorkerId},
};

/// Bytes of a stream that may be under way; of a connection four times as many.
pub(super) const WINDOW_BYTES: u32 = 8 << 20;
/// How often an end that hears nothing asks whether the other is there.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// An end that does not answer to that within this time is gone.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The answer to a short question.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Sending modules and making code of them.
const PUT_MAX: Duration = Duration::from_secs(120);

/// Calling a worker.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("worker {worker} is lost")]
    Lost { worker: WorkerId },
    #[error("worker {worker} does not answer within {limit:?}")]
    Silent { worker: WorkerId, limit: Duration },
    #[error("worker {worker} refuses: {detail}")]
    Refused { worker: WorkerId, detail: String },
}

/// One connection to a worker; clones share it.
#[derive(Clone)]
pub struct WorkerLink {
    id: WorkerId,
    way: Way,
    channel: Channel,
    lost: CancellationToken,
    /// Held while modules are sent, so that each is sent once.
    sending: Arc<Mutex<()>>,
}

impl WorkerLink {
    /// This end is the HTTP/2 client. Must be called within a tokio runtime, which then drives the connection.
    pub fn open(
        id: WorkerId,
        way: Way,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let lost = CancellationToken::new();
        let watch = lost.clone().drop_guard();
        let mut stream = Some(TokioIo::new(Watched::by(watch, stream)));
        let once = tower::service_fn(move |_: http::Uri| {
            let stream = stream.take();
            // A second stream would be to a worker that has been told nothing.
            let gone = || io::Error::other("the connection to the worker is lost");
            std::future::ready(stream.ok_or_else(gone))
        });
        let channel = Endpoint::from_static("http://worker")
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(4 * WINDOW_BYTES)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(once);
        Self {
            id,
            way,
            channel,
            lost,
            sending: Arc::default(),
        }
    }

    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// Whether both are the same connection.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sending, &other.sending)
    }

    pub fn way(&self) -> Way {
        self.way
    }

    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Resolves when the connection is gone.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// For plans and rows.
    pub fn client(&self) -> Box<dyn WorkerChannel> {
        create_worker_client(BoxCloneSyncChannel::new(self.channel.clone()))
    }

    /// Sends the modules that the worker does not have, with their code where it is the worker's too. Gives how many it did
    /// not have.
    pub async fn ensure(&self, modules: &[Arc<Modules>]) -> Result<usize, LinkError> {
        if modules.is_empty() {
            return Ok(0);
        }
        let _sending = self.sending.lock().await;
        let hashes = modules.iter().map(|of| of.module().hash().to_vec());
        let hashes = Hashes {
            hashes: hashes.collect(),
        };
        let missing: Missing = self.call(MISSING, hashes, ANSWER_MAX).await?;
        let wanted = |of: &&Arc<Modules>| {
            let hash = of.module().hash();
            missing.hashes.iter().any(|missing| *missing == hash)
        };
        let wanted: Vec<_> = modules.iter().filter(wanted).cloned().collect();
        let count = wanted.len();
        if count > 0 {
            let modules = with_code(wanted, missing.target).await;
            let _: Done = self.call(PUT, Put { modules }, PUT_MAX).await?;
        }
        Ok(count)
    }

    pub async fn describe(&self) -> Result<Description, LinkError> {
        self.call(DESCRIBE, Describe {}, ANSWER_MAX).await
    }

    async fn call<Q, A>(
        &self,
        method: &'static str,
        message: Q,
        limit: Duration,
    ) -> Result<A, LinkError>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let call = async {
            let mut grpc = tonic::client::Grpc::new(self.channel.clone())
                .max_encoding_message_size(MESSAGE_BYTES_MAX);
            let ready = grpc.ready().await;
            ready.map_err(|error| Status::unavailable(error.to_string()))?;
            let path = http::uri::PathAndQuery::from_static(method);
            let codec = ProstCodec::<Q, A>::default();
            grpc.unary(Request::new(message), path, codec).await
        };
        let worker = || self.id.clone();
        match timeout(limit, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) if self.is_lost() || status.code() == Code::Unavailable => {
                Err(LinkError::Lost { worker: worker() })
            }
            Ok(Err(status)) => Err(LinkError::Refused {
                worker: worker(),
                detail: status.message().to_owned(),
            }),
            Err(_) => Err(LinkError::Silent {
                worker: worker(),
                limit,
            }),
        }
    }
}

/// Off the connection's threads: for a target that is not this process's, code is made.
async fn with_code(modules: Vec<Arc<Modules>>, target: String) -> Vec<PutModule> {
    let put = tokio::task::spawn_blocking(move || {
        let put = modules.iter().map(|of| PutModule {
            module: of.module().bytes().to_vec(),
            artefact: of.artefact_for(&target).unwrap_or_default(),
        });
        put.collect()
    });
    put.await.expect("making code does not panic")
}

impl fmt::Debug for WorkerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLink")
            .field("id", &self.id)
            .field("way", &self.way)
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

/// Whoever drives the connection drops the stream, and this with it, when that has ended.
impl Watch for DropGuard {}
