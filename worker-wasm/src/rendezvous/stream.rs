//! What this module is for: streams of bytes to a peer, and to a function.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

use super::{
    counters::{Counters, Way},
    names::{SlotId, WorkerId},
};

/// The two connections of a pair. A worker pulls over one and is pulled from over the other.
#[derive(Debug)]
pub struct Pair {
    pub peer: WorkerId,
    /// This worker is the HTTP/2 client here.
    pub outgoing: PeerStream,
    /// This worker is the HTTP/2 server here.
    pub incoming: PeerStream,
    /// From the pairing to both streams; the time until the rendezvous paired them is not in it.
    pub took: Duration,
}

/// An authenticated and encrypted stream to a peer. Dropping it closes its socket.
pub struct PeerStream {
    tls: TlsStream<TcpStream>,
    way: Way,
    counters: Arc<Counters>,
}

impl PeerStream {
    pub(super) fn new(tls: TlsStream<TcpStream>, way: Way, counters: Arc<Counters>) -> Self {
        counters.way(way).opened();
        Self { tls, way, counters }
    }

    pub fn way(&self) -> Way {
        self.way
    }
}

impl Drop for PeerStream {
    fn drop(&mut self) {
        self.counters.way(self.way).closed();
    }
}

impl fmt::Debug for PeerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerStream")
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tls).poll_read(cx, buffer))?;
        let bytes = buffer.filled().len() - before;
        self.counters.way(self.way).received(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.tls).poll_write(cx, bytes))?;
        self.counters.way(self.way).sent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.tls).poll_write_vectored(cx, slices))?;
        self.counters.way(self.way).sent(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

/// A connection that a function dialled and the coordinator uses as client. Dropping it closes its socket.
pub struct ReverseStream {
    tls: TlsStream<TcpStream>,
    slot: SlotId,
}

impl ReverseStream {
    pub(super) fn new(tls: TlsStream<TcpStream>, slot: SlotId) -> Self {
        Self { tls, slot }
    }

    pub fn slot(&self) -> &SlotId {
        &self.slot
    }
}

impl fmt::Debug for ReverseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReverseStream")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for ReverseStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ReverseStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
