//! Connections to the rendezvous that are there before a meeting needs one: it begins a round trip sooner.
//!
//! Each is dialled from a fresh local port and has said whose it is, so the rendezvous keeps it open without a word. The
//! first thing said on it afterwards is a knock. One that has grown old is replaced, because translators forget
//! connections that say nothing. One that has died unseen costs the meeting little (see `knock`), so nothing asks it whether
//! it lives.
//! Invariant: a spare is used once, or closed.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    error::WireError,
    frame::Sealed,
    names::WorkerId,
    secret::PairingKey,
    sockets,
    wire::{SPARES, WAITS, WELCOME, Wait},
};

/// Older ones are replaced, before the rendezvous closes them (`Limits::spare_age_max`). Translators keep silent connections
/// for minutes at least.
const AGE_MAX: Duration = Duration::from_secs(60);
/// How often is looked for old ones.
const LOOK: Duration = Duration::from_secs(10);
/// After one could not be had; twice as long each time that follows, as the rendezvous may be full.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Spares {
    /// Oldest first.
    ready: Mutex<Vec<Spare>>,
    /// One was taken.
    taken: Notify,
    /// The number of the latest one.
    latest: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Spare {
    pub(super) tcp: TcpStream,
    /// That connecting it took.
    pub(super) round_trip: Duration,
    since: Instant,
}

impl Spare {
    /// Whether it may still be used, as far as can be known here.
    fn is_good(&self) -> bool {
        let silent = matches!(
            self.tcp.try_read(&mut [0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock
        );
        silent && self.since.elapsed() < AGE_MAX
    }
}

impl Spares {
    fn ready(&self) -> MutexGuard<'_, Vec<Spare>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: one has to be dialled.
    pub(super) fn take(&self) -> Option<Spare> {
        let mut ready = self.ready();
        let spare = ready.iter().rposition(Spare::is_good);
        let spare = ready.remove(spare?);
        self.taken.notify_one();
        Some(spare)
    }

    /// Has `count` of them ready. Ends never.
    pub(super) async fn keep(
        &self,
        count: usize,
        rendezvous: SocketAddr,
        worker: &WorkerId,
        key: &PairingKey,
        max: Duration,
    ) {
        let mut again = AGAIN;
        loop {
            let missing = {
                let mut ready = self.ready();
                ready.retain(Spare::is_good);
                count.saturating_sub(ready.len())
            };
            let opening = (0..missing).map(|_| {
                let number = self.latest.fetch_add(1, Relaxed) + 1;
                timeout(max, open(rendezvous, worker, number, key))
            });
            let opened = join_all(opening).await;
            let mut failed = false;
            for spare in opened {
                match spare {
                    Ok(Ok(spare)) => self.ready().push(spare),
                    Ok(Err(error)) => {
                        tracing::debug!(%worker, %error, "no spare connection to the rendezvous");
                        failed = true;
                    }
                    Err(_) => failed = true,
                }
            }
            if failed {
                // Whatever is taken meanwhile.
                sleep(again).await;
                again = (2 * again).min(AGAIN_MAX);
            } else {
                again = AGAIN;
                // Nobody takes what there is none of, so this is no busy loop.
                let _ = timeout(LOOK, self.taken.notified()).await;
            }
        }
    }
}

async fn open(
    rendezvous: SocketAddr,
    worker: &WorkerId,
    number: u64,
    key: &PairingKey,
) -> Result<Spare, WireError> {
    let io = |source| WireError::Io { source };
    let since = Instant::now();
    let mut tcp = sockets::dial_from(0, rendezvous).await.map_err(io)?;
    let round_trip = since.elapsed();
    let wait = Wait {
        worker: worker.to_string(),
        number,
    };
    let wait = Sealed::new(key, SPARES, b"", &wait);
    tcp.write_u8(WAITS).await.map_err(io)?;
    wait.write(&mut tcp).await?;
    // One that the rendezvous does not keep is closed.
    match tcp.read_u8().await.map_err(io)? {
        WELCOME => Ok(Spare {
            tcp,
            round_trip,
            since,
        }),
        _ => Err(WireError::Malformed { what: "welcome" }),
    }
}
