//! Where the two workers of a pairing meet, once per connection and try: to be told where the other is, or to be spliced.
//!
//! The first to come waits, and is served together with the second by the first one's task.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{io::AsyncWriteExt, net::TcpStream, sync::oneshot, time::timeout};

use super::{Shared, splice::splice};
use crate::rendezvous::{
    error::WireError,
    frame::Sealed,
    limits::ENDPOINTS_MAX,
    names::{Link, Side},
    secret::PairingKey,
    wire::{self, Errand, HEARD, Knock, Met, Refusal},
};

/// A start time is not moved by more than this, whatever a worker says about its round trip.
const HEAD_START_MAX: Duration = Duration::from_millis(250);
/// Knocks to one pairing that may wait at once: two connections, each being punched and relayed.
const WAITING_MAX: usize = 8;
/// A worker keeps its connection while it punches, for this long at most.
const PUNCH_MAX: Duration = Duration::from_secs(10);

/// One of the meetings of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Meeting {
    errand: Errand,
    link: Link,
    attempt: u32,
}

/// All meetings of one pairing.
#[derive(Debug)]
pub(super) struct Venue {
    key: PairingKey,
    waiting: Mutex<HashMap<Meeting, Waiting>>,
}

/// The one who came first.
#[derive(Debug)]
struct Waiting {
    side: Side,
    /// See [`Knock::again`].
    again: bool,
    second: oneshot::Sender<Visitor>,
}

/// One worker's knock, with the connection that it came on.
#[derive(Debug)]
struct Visitor {
    tcp: TcpStream,
    public: SocketAddr,
    private: Vec<SocketAddr>,
    round_trip: Duration,
    /// What answers are bound to.
    mac: [u8; 32],
}

impl Venue {
    pub(super) fn new(key: PairingKey) -> Self {
        let waiting = Mutex::default();
        Self { key, waiting }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Meeting, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one who waits for `side`'s worker, or a place to wait for the other. `None`: the place is taken.
    fn meet(&self, meeting: Meeting, side: Side, again: bool) -> Option<Place> {
        let mut waiting = self.waiting();
        match waiting.remove(&meeting) {
            Some(first) if first.second.is_closed() => {}
            Some(first) if first.side != side => return Some(Place::Second(first.second)),
            // Once only, so that who repeats a knock does not displace the one who made it.
            Some(first) if again && !first.again => {}
            Some(first) => {
                waiting.insert(meeting, first);
                return None;
            }
            None => {}
        }
        waiting.retain(|_, first| !first.second.is_closed());
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let (second, arrival) = oneshot::channel();
        let first = Waiting {
            side,
            again,
            second,
        };
        waiting.insert(meeting, first);
        Some(Place::First(arrival))
    }
}

enum Place {
    First(oneshot::Receiver<Visitor>),
    Second(oneshot::Sender<Visitor>),
}

impl Visitor {
    async fn answer(&mut self, key: &PairingKey, met: &Met) -> Result<(), WireError> {
        let answer = Sealed::new(key, wire::MET, &self.mac, met);
        answer.write(&mut self.tcp).await
    }

    /// Returns when the worker closes its connection; it has nothing to say on it.
    async fn gone(&self) {
        // Whatever it says is too early: it counts as gone.
        let _ = self.tcp.peek(&mut [0]).await;
    }
}

/// A knock's whole life.
pub(super) async fn attend(tcp: TcpStream, public: SocketAddr, knock: Sealed, shared: &Shared) {
    if let Err(error) = try_attend(tcp, public, knock, shared).await {
        tracing::debug!(%public, %error, "two workers do not meet");
        shared.counters.refused();
    }
}

async fn try_attend(
    tcp: TcpStream,
    public: SocketAddr,
    sealed: Sealed,
    shared: &Shared,
) -> Result<(), WireError> {
    let malformed = |what| WireError::Malformed { what };
    let unchecked: Knock = sealed.unchecked()?;
    let pairing = unchecked.pairing().ok_or(malformed("pairing"))?;
    let venue = shared.registry.venue(pairing);
    let venue = venue.ok_or(malformed("pairing"))?;
    let knock: Knock = sealed.open(&venue.key, wire::KNOCKS, b"")?;
    let meeting = Meeting {
        errand: knock.errand(),
        link: knock.link(),
        attempt: knock.attempt,
    };
    let mut visitor = Visitor {
        tcp,
        public,
        private: wire::from_text(&knock.private)?,
        round_trip: Duration::from_micros(knock.round_trip_us),
        mac: sealed.mac,
    };
    if !matches!(meeting.errand, Errand::Punch | Errand::Relay) {
        return Err(malformed("errand"));
    }
    let told = visitor.tcp.write_u8(HEARD).await;
    told.map_err(|source| WireError::Io { source })?;
    let arrival = match venue.meet(meeting, knock.side(), knock.again) {
        Some(Place::First(second)) => second,
        Some(Place::Second(first)) => {
            // The first one may leave in this very moment: then both connections close.
            drop(first.send(visitor));
            return Ok(());
        }
        None => return refuse(visitor, &venue.key, Refusal::Full).await,
    };
    let other = tokio::select! {
        other = timeout(shared.limits.meeting_max, arrival) => other,
        () = visitor.gone() => return Ok(()),
    };
    let mut other = match other {
        Ok(Ok(other)) => other,
        // The same worker has knocked again, and no longer listens here.
        Ok(Err(_)) => return Ok(()),
        Err(_) => return refuse(visitor, &venue.key, Refusal::PeerAbsent).await,
    };
    match meeting.errand {
        Errand::Relay => relay(visitor, other, &venue.key, shared).await,
        _ => introduce(&mut visitor, &mut other, &venue.key).await,
    }
}

async fn refuse(mut visitor: Visitor, key: &PairingKey, refusal: Refusal) -> Result<(), WireError> {
    let refused = Some(refusal.into());
    let met = Met {
        refused,
        ..Met::default()
    };
    visitor.answer(key, &met).await
}

/// Tells each where the other is. The one that the news reaches earlier waits for the difference.
async fn introduce(a: &mut Visitor, b: &mut Visitor, key: &PairingKey) -> Result<(), WireError> {
    let met = |to: &Visitor, other: &Visitor| {
        let mut endpoints = vec![other.public];
        endpoints.extend(other.private.iter().take(ENDPOINTS_MAX - 1));
        let later = other.round_trip.saturating_sub(to.round_trip) / 2;
        Met {
            refused: None,
            endpoints: wire::to_text(&endpoints),
            start_after_us: later.min(HEAD_START_MAX).as_micros() as u64,
        }
    };
    let (to_a, to_b) = (met(a, b), met(b, a));
    let told = tokio::join!(a.answer(key, &to_a), b.answer(key, &to_b));
    told.0.and(told.1)?;
    // Their translators keep the port for as long as these connections are open.
    let gone = async { tokio::join!(a.gone(), b.gone()) };
    let _ = timeout(PUNCH_MAX, gone).await;
    Ok(())
}

async fn relay(
    mut a: Visitor,
    mut b: Visitor,
    key: &PairingKey,
    shared: &Shared,
) -> Result<(), WireError> {
    let Ok(_permit) = Arc::clone(&shared.relays).try_acquire_owned() else {
        let refused = tokio::join!(refuse(a, key, Refusal::Full), refuse(b, key, Refusal::Full));
        return refused.0.and(refused.1);
    };
    let _open = shared.counters.relay_open();
    let met = Met::default();
    let told = tokio::join!(a.answer(key, &met), b.answer(key, &met));
    told.0.and(told.1)?;
    let spliced = splice(a.tcp, b.tcp, &shared.limits, &shared.counters).await;
    spliced.map_err(|source| WireError::Io { source })
}
