//! How many streams and bytes took each way.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// How the bytes of a stream travel, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// One worker dialled the other's own address.
    Direct,
    /// Both are behind address translation and connected to each other at once.
    Punched,
    /// The rendezvous carries the bytes.
    Relayed,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Direct, Way::Punched, Way::Relayed];

    /// The label of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::Punched => "punched",
            Way::Relayed => "relayed",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Of one worker's streams, by way. Every field only grows, but `streams_open`.
#[derive(Debug, Default)]
pub struct Counters {
    direct: WayCounters,
    punched: WayCounters,
    relayed: WayCounters,
}

/// One reading; bytes are those of the streams' users, without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WayCounts {
    pub streams_total: u64,
    pub streams_open: u64,
    pub sent_bytes_total: u64,
    pub received_bytes_total: u64,
    /// Attempts that ended without a stream: the next way was taken, or the connect failed.
    pub failed_total: u64,
}

#[derive(Debug, Default)]
pub(super) struct WayCounters {
    streams_total: AtomicU64,
    streams_closed: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    failed_total: AtomicU64,
}

impl Counters {
    pub fn of(&self, way: Way) -> WayCounts {
        let counters = self.way(way);
        // Closed before opened, so that the difference is never negative.
        let closed = counters.streams_closed.load(Relaxed);
        let streams_total = counters.streams_total.load(Relaxed);
        WayCounts {
            streams_total,
            streams_open: streams_total.saturating_sub(closed),
            sent_bytes_total: counters.sent_bytes.load(Relaxed),
            received_bytes_total: counters.received_bytes.load(Relaxed),
            failed_total: counters.failed_total.load(Relaxed),
        }
    }

    pub(super) fn way(&self, way: Way) -> &WayCounters {
        match way {
            Way::Direct => &self.direct,
            Way::Punched => &self.punched,
            Way::Relayed => &self.relayed,
        }
    }
}

impl WayCounters {
    pub(super) fn opened(&self) {
        self.streams_total.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.streams_closed.fetch_add(1, Relaxed);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed_total.fetch_add(1, Relaxed);
    }
}
