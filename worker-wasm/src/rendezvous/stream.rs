//! What this module is for: streams of bytes to a peer, and to a function.

use std::{sync::Arc, time::Duration};

use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::{
    counters::{Counters, Way},
    names::{SlotId, WorkerId},
    watched::{Watch, Watched},
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
pub type PeerStream = Watched<TlsStream<TcpStream>, OnItsWay>;

/// Counts what passes on the way that a stream takes.
#[derive(Debug)]
pub struct OnItsWay {
    way: Way,
    counters: Arc<Counters>,
}

impl OnItsWay {
    pub(crate) fn counting<S>(way: Way, counters: Arc<Counters>, stream: S) -> Watched<S, Self> {
        counters.way(way).opened();
        Watched::by(Self { way, counters }, stream)
    }
}

impl PeerStream {
    pub(super) fn new(tls: TlsStream<TcpStream>, way: Way, counters: Arc<Counters>) -> Self {
        OnItsWay::counting(way, counters, tls)
    }

    pub fn way(&self) -> Way {
        self.watch().way
    }
}

impl Watch for OnItsWay {
    fn received(&self, bytes: usize) {
        self.counters.way(self.way).received(bytes);
    }

    fn sent(&self, bytes: usize) {
        self.counters.way(self.way).sent(bytes);
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.counters.way(self.way).closed();
    }
}

/// A connection that a function dialled and the coordinator uses as client. Dropping it closes its socket.
pub type ReverseStream = Watched<TlsStream<TcpStream>, SlotId>;

impl ReverseStream {
    pub(super) fn new(tls: TlsStream<TcpStream>, slot: SlotId) -> Self {
        Self::by(slot, tls)
    }

    pub fn slot(&self) -> &SlotId {
        self.watch()
    }
}

/// Nobody counts them: a function has one.
impl Watch for SlotId {}
