//! Two connections made one.
//!
//! Back-pressure: a direction holds `relay_buffer_bytes`, and reads no more until they are written; the sockets' own
//! buffers are the kernel's to limit. So a reader that stops stops its writer.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{io::copy_bidirectional_with_sizes, net::TcpStream, time::sleep};

use super::counters::RendezvousCounters;
use crate::rendezvous::{
    limits::Limits,
    watched::{Watch, Watched},
};

/// Until both ends are done, one breaks, or nothing has come for `relay_idle_max`.
pub(super) async fn splice(
    a: TcpStream,
    b: TcpStream,
    limits: &Limits,
    counters: &Arc<RendezvousCounters>,
) -> io::Result<()> {
    let carried = AtomicU64::new(0);
    let end = |tcp| {
        let bytes = &carried;
        let counters = counters.as_ref();
        Watched::by(Carried { bytes, counters }, tcp)
    };
    let (mut a, mut b) = (end(a), end(b));
    let bytes = limits.relay_buffer_bytes.max(1);
    tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut a, &mut b, bytes, bytes) => copied.map(|_| ()),
        () = idle(&carried, limits.relay_idle_max) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Returns when nothing was carried for `max`, or a little longer.
async fn idle(carried: &AtomicU64, max: Duration) {
    let mut seen = carried.load(Relaxed);
    loop {
        sleep(max).await;
        let now = carried.load(Relaxed);
        if now == seen {
            return;
        }
        seen = now;
    }
}

/// Who counts what a relay carries.
struct Carried<'a> {
    bytes: &'a AtomicU64,
    counters: &'a RendezvousCounters,
}

impl Watch for Carried<'_> {
    fn sent(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.counters.relayed(bytes);
    }
}
