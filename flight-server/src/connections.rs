//! Connections of Flight clients: accepted, recognised, served by HTTP/2, and drained.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    time::Duration,
};

use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    flight::{ConnectionSession, Front},
    network::NetworkThreads,
    pongs::Pongs,
    socket::Socket,
    tls::{self, TLS_HANDSHAKE, Tls},
};

/// A connection must say what it is within this time.
const FIRST_BYTES_MAX: Duration = Duration::from_secs(10);
/// What a client may send ahead, per stream and per connection; ingest over long links needs it.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// What may wait in a stream's send buffer: about two messages.
const SEND_BUFFER_BYTES: usize = 4 << 20;
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Metadata of a request; JDBC sends unknown URL parameters as headers.
const HEADER_BYTES_MAX: u32 = 64 << 10;
const STREAMS_MAX: u32 = 1024;

/// Serves until `stop`, then waits for the requests in flight.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    tls: Option<Tls>,
    threads: NetworkThreads,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let accepted = Accepted {
                    peer,
                    front: front.clone(),
                    tls: tls.clone(),
                    stop: stop.clone(),
                };
                let token = tasks.token();
                let served = threads.serve(stream, |stream| async move {
                    accepted.serve(stream).await;
                    drop(token);
                });
                if let Err(error) = served {
                    warn!(%error, "a connection could not be served");
                }
            }
            Err(error) => {
                // Usually too many open files: give connections time to close.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// A connection on its way to HTTP/2.
struct Accepted {
    peer: SocketAddr,
    front: Front,
    tls: Option<Tls>,
    stop: CancellationToken,
}

impl Accepted {
    async fn serve(mut self, stream: TcpStream) {
        let socket = match Socket::new(stream) {
            Ok(socket) => socket,
            Err(error) => {
                warn!(peer = %self.peer, %error, "a connection could not be served");
                return;
            }
        };
        match self.tls.take() {
            None if speaks_http2(&socket, self.peer, &self.stop).await => {
                self.requests(socket.clone(), socket, None).await;
            }
            Some(tls) if speaks_tls(&socket, self.peer, &self.stop).await => {
                match tls.accept(socket.clone()).await {
                    Ok(stream) => {
                        let certificate = tls::client_name(&stream);
                        self.requests(stream, socket, certificate).await;
                    }
                    Err(error) => debug!(peer = %self.peer, %error, "a TLS handshake failed"),
                }
            }
            _ => {}
        }
    }

    async fn requests(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        socket: Socket,
        certificate: Option<String>,
    ) {
        let connection = ConnectionSession::new(self.peer, certificate);
        let service = TowerToHyperService::new(self.front.on(connection));
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
            .max_header_list_size(HEADER_BYTES_MAX)
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(30))
            .serve_connection(TokioIo::new(Pongs::new(stream)), service);
        let mut served = pin!(served);
        let mut stop = pin!(self.stop.cancelled());
        let mut stopping = false;
        let ended = poll_fn(|cx| {
            if !stopping && stop.as_mut().poll(cx).is_ready() {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
            socket.in_one_piece(|| served.as_mut().poll(cx))
        })
        .await;
        if let Err(error) = ended {
            debug!(peer = %self.peer, %error, "connection ended");
        }
    }
}

/// Looks at the first bytes, so that the two usual mistakes get a remedy in the log.
async fn speaks_http2(socket: &Socket, peer: SocketAddr, stop: &CancellationToken) -> bool {
    match first_bytes(socket, peer, stop).await {
        None => false,
        Some([TLS_HANDSHAKE, ..]) => {
            warn!(%peer, "a client speaks TLS to this plaintext port: connect with grpc:// instead of grpc+tls://; for JDBC add useEncryption=false to the URL");
            false
        }
        Some(first) if matches!(&first, b"GET" | b"POS" | b"HEA") => {
            warn!(%peer, "a client speaks HTTP/1 to the Flight SQL port: health and metrics are on the HTTP port");
            false
        }
        Some(_) => true,
    }
}

async fn speaks_tls(socket: &Socket, peer: SocketAddr, stop: &CancellationToken) -> bool {
    match first_bytes(socket, peer, stop).await {
        None => false,
        Some([TLS_HANDSHAKE, ..]) => true,
        Some(_) => {
            warn!(%peer, "a client speaks plaintext to this TLS port: connect with grpc+tls:// instead of grpc://; for JDBC leave useEncryption=false away");
            false
        }
    }
}

/// What a client says first, left where it is; `None` where it says nothing.
async fn first_bytes(
    socket: &Socket,
    peer: SocketAddr,
    stop: &CancellationToken,
) -> Option<[u8; 3]> {
    let mut first = [0; 3];
    let read = tokio::select! {
        read = tokio::time::timeout(FIRST_BYTES_MAX, socket.peek(&mut first)) => read,
        () = stop.cancelled() => return None,
    };
    match read {
        Ok(Ok(0)) | Ok(Err(_)) => None,
        Ok(Ok(_)) => Some(first),
        Err(_) => {
            debug!(%peer, "a connection said nothing and was closed");
            None
        }
    }
}

/// Forgets expired tickets and sessions once a minute.
pub(crate) async fn expire(front: Front, stop: CancellationToken) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = minute.tick() => front.expire(),
        }
    }
}

/// Binds the address, with the address in the message where that fails.
pub(crate) async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|e| anyhow::anyhow!("cannot listen on {address} ({name}): {e}"))
}
