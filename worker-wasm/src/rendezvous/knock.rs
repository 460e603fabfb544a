//! A worker's side of a meeting at the rendezvous.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time::timeout};

use super::{
    error::{WayError, WireError},
    frame::Sealed,
    names::Link,
    registration::Attempt,
    sockets,
    wire::{self, Errand, KNOCKS, Knock, MET, Met, Refusal},
};

/// Both workers are at the rendezvous.
pub(super) struct Meeting {
    /// To the rendezvous, from the port that punching uses; what comes on it next is the peer's if it is relayed.
    pub(super) tcp: TcpStream,
    /// Where this worker is on its side of a translator.
    pub(super) private: Vec<SocketAddr>,
    /// Where the peer is.
    pub(super) endpoints: Vec<SocketAddr>,
    pub(super) start: Instant,
}

/// Knocks from a fresh local port and waits for the peer.
pub(super) async fn meet(
    attempt: &Attempt,
    errand: Errand,
    link: Link,
    number: u32,
) -> Result<Meeting, WayError> {
    let meeting = try_meet(attempt, errand, link, number);
    let max = attempt.shared.timings.rendezvous_max;
    timeout(max, meeting)
        .await
        .unwrap_or(Err(WayError::TimedOut))
}

async fn try_meet(
    attempt: &Attempt,
    errand: Errand,
    link: Link,
    number: u32,
) -> Result<Meeting, WayError> {
    let shared = &attempt.shared;
    let dialled = Instant::now();
    let connected = sockets::dial_from(0, shared.rendezvous).await;
    let mut tcp = connected.map_err(|source| WayError::Dial { source })?;
    let round_trip = dialled.elapsed();
    let local = tcp
        .local_addr()
        .map_err(|source| WayError::Socket { source })?;
    let others = shared.private_addresses.iter();
    let mut private = vec![local];
    private.extend(others.map(|address| SocketAddr::new(*address, local.port())));
    let terms = &attempt.terms;
    let knock = Knock {
        attempt: number,
        private: wire::to_text(&private),
        round_trip_us: round_trip.as_micros() as u64,
        ..Knock::new(terms.pairing, errand, terms.side, link)
    };
    let knock = Sealed::new(&terms.key, KNOCKS, b"", &knock);
    let wire = |source| WayError::Wire { source };
    knock.knock(&mut tcp).await.map_err(wire)?;
    let answer = Sealed::read(&mut tcp).await.map_err(wire)?;
    let came = Instant::now();
    let met: Met = answer.open(&terms.key, MET, &knock.mac).map_err(wire)?;
    if let Some(refusal) = met.refused {
        let refusal = Refusal::try_from(refusal).unwrap_or(Refusal::Malformed);
        return Err(WayError::Refused { refusal });
    }
    let start = came.checked_add(Duration::from_micros(met.start_after_us));
    let malformed = wire(WireError::Malformed { what: "start time" });
    Ok(Meeting {
        tcp,
        private,
        endpoints: wire::from_text(&met.endpoints).map_err(wire)?,
        start: start.ok_or(malformed)?,
    })
}
