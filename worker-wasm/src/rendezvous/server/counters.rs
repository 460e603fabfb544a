//! What goes on at a rendezvous.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// All but the open ones only grow.
#[derive(Debug, Default)]
pub struct RendezvousCounters {
    workers: AtomicU64,
    spares: AtomicU64,
    pairings_total: AtomicU64,
    refused_total: AtomicU64,
    relays: AtomicU64,
    relays_total: AtomicU64,
    relayed_bytes: AtomicU64,
}

impl RendezvousCounters {
    /// Workers that are registered now.
    pub fn workers(&self) -> u64 {
        self.workers.load(Relaxed)
    }

    /// Connections that workers keep ready now.
    pub fn spares(&self) -> u64 {
        self.spares.load(Relaxed)
    }

    pub fn pairings_total(&self) -> u64 {
        self.pairings_total.load(Relaxed)
    }

    /// Connections and requests that were not let in or not answered with what they asked for.
    pub fn refused_total(&self) -> u64 {
        self.refused_total.load(Relaxed)
    }

    /// Relayed connections that are open now.
    pub fn relays(&self) -> u64 {
        self.relays.load(Relaxed)
    }

    pub fn relays_total(&self) -> u64 {
        self.relays_total.load(Relaxed)
    }

    /// In both directions, with the TLS that the workers put around.
    pub fn relayed_bytes_total(&self) -> u64 {
        self.relayed_bytes.load(Relaxed)
    }

    pub(super) fn paired(&self) {
        self.pairings_total.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused_total.fetch_add(1, Relaxed);
    }

    pub(super) fn relayed(&self, bytes: usize) {
        self.relayed_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn worker_here(self: &Arc<Self>) -> Open {
        self.workers.fetch_add(1, Relaxed);
        Open(Arc::clone(self), |counters| &counters.workers)
    }

    pub(super) fn spare_here(self: &Arc<Self>) -> Open {
        self.spares.fetch_add(1, Relaxed);
        Open(Arc::clone(self), |counters| &counters.spares)
    }

    pub(super) fn relay_open(self: &Arc<Self>) -> Open {
        self.relays_total.fetch_add(1, Relaxed);
        self.relays.fetch_add(1, Relaxed);
        Open(Arc::clone(self), |counters| &counters.relays)
    }
}

/// Counts one down when dropped.
#[derive(Debug)]
pub(super) struct Open(
    Arc<RendezvousCounters>,
    fn(&RendezvousCounters) -> &AtomicU64,
);

impl Drop for Open {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Relaxed);
    }
}
