//! Connections of the HTTP port: TLS where the server has it and the client begins with it, else plain.
//!
//! Nothing on this port is secret, so a health check in plain text stays possible.

use std::{io, net::SocketAddr, time::Duration};

use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tracing::debug;

use crate::tls::{TLS_HANDSHAKE, Tls};

/// A connection must say what it is within this time.
const FIRST_BYTE_MAX: Duration = Duration::from_secs(10);
/// Connections that have said what they are and wait to be served.
const READY_MAX: usize = 16;

type Connection = (Either<TcpStream, TlsStream<TcpStream>>, SocketAddr);

/// Without `tls`, a plain listener.
pub(super) struct Doors {
    listener: TcpListener,
    tls: Option<Tls>,
    ready: mpsc::Receiver<Connection>,
    sender: mpsc::Sender<Connection>,
}

impl Doors {
    pub(super) fn new(listener: TcpListener, tls: Option<Tls>) -> Self {
        let (sender, ready) = mpsc::channel(READY_MAX);
        Self {
            listener,
            tls,
            ready,
            sender,
        }
    }
}

impl Listener for Doors {
    type Io = Either<TcpStream, TlsStream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        loop {
            let (stream, peer) = tokio::select! {
                // The sender is held here, so the channel never ends.
                Some(connection) = self.ready.recv() => return connection,
                accepted = Listener::accept(&mut self.listener) => accepted,
            };
            let Some(tls) = self.tls.clone() else {
                return (Either::Left(stream), peer);
            };
            // A client that says nothing keeps nobody else waiting.
            let sender = self.sender.clone();
            tokio::spawn(async move {
                match open(stream, &tls).await {
                    Ok(stream) => drop(sender.send((stream, peer)).await),
                    Err(error) => debug!(%peer, %error, "an HTTP connection was not opened"),
                }
            });
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn open(stream: TcpStream, tls: &Tls) -> io::Result<Either<TcpStream, TlsStream<TcpStream>>> {
    let mut first = [0];
    let read = timeout(FIRST_BYTE_MAX, stream.peek(&mut first)).await;
    match read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))? {
        1 if first == [TLS_HANDSHAKE] => tls.accept_http(stream).await.map(Either::Right),
        _ => Ok(Either::Left(stream)),
    }
}
