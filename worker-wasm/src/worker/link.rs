//! A worker as others call it, over one connection. When that is lost, so is the link.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use datafusion_distributed::{
    WorkerChannel,
    grpc::{BoxCloneSyncChannel, create_worker_client},
};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
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
    DESCRIBE, Describe, Description, Done, Hashes, MESSAGE_BYTES_MAX, MISSING, PUT, Put,
};
use crate::{
    exec::Modules,
    rendezvous::{PeerStream, Way, WorkerId},
};

/// Bytes of a stream that may be under way; of a connection four times as many.
pub(super) const WINDOW_BYTES: u32 = 8 << 20;
/// How often an end that hears nothing asks whether the other is there.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
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
    pub fn open(id: WorkerId, stream: PeerStream) -> Self {
        let way = stream.way();
        let lost = CancellationToken::new();
        let mut stream = Some(TokioIo::new(Watched {
            stream,
            _lost: lost.clone().drop_guard(),
        }));
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

    /// Sends the modules that the worker does not have. Gives how many it did not.
    pub async fn ensure(&self, modules: &[Arc<Modules>]) -> Result<usize, LinkError> {
        if modules.is_empty() {
            return Ok(0);
        }
        let _sending = self.sending.lock().await;
        let hashes = modules.iter().map(|of| of.module().hash().to_vec());
        let hashes = Hashes {
            hashes: hashes.collect(),
        };
        let missing: Hashes = self.call(MISSING, hashes, ANSWER_MAX).await?;
        let wanted = |of: &&Arc<Modules>| {
            let hash = of.module().hash();
            missing.hashes.iter().any(|missing| *missing == hash)
        };
        let put: Vec<_> = modules.iter().filter(wanted).collect();
        if put.is_empty() {
            return Ok(0);
        }
        let count = put.len();
        let put = put.into_iter().map(|of| of.module().bytes().to_vec());
        let put = Put {
            modules: put.collect(),
        };
        let _: Done = self.call(PUT, put, PUT_MAX).await?;
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

impl fmt::Debug for WorkerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLink")
            .field("id", &self.id)
            .field("way", &self.way)
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

/// A stream that says when it is dropped: whoever drives the connection drops it when that has ended.
struct Watched {
    stream: PeerStream,
    _lost: DropGuard,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
