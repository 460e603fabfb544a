//! Two connections made one.
//!
//! Back-pressure: a direction holds `relay_buffer_bytes`, and reads no more until they are written; the sockets' own
//! buffers are the kernel's to limit. So a reader that stops stops its writer.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes},
    net::TcpStream,
    time::sleep,
};

use super::counters::RendezvousCounters;
use crate::rendezvous::limits::Limits;

/// Until both ends are done, one breaks, or nothing has come for `relay_idle_max`.
pub(super) async fn splice(
    a: TcpStream,
    b: TcpStream,
    limits: &Limits,
    counters: &Arc<RendezvousCounters>,
) -> io::Result<()> {
    let carried = AtomicU64::new(0);
    let end = |tcp| Counted {
        tcp,
        carried: &carried,
        counters: counters.as_ref(),
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

struct Counted<'a> {
    tcp: TcpStream,
    carried: &'a AtomicU64,
    counters: &'a RendezvousCounters,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, bytes))?;
        self.carried.fetch_add(written as u64, Relaxed);
        self.counters.relayed(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
