//! A worker's side of a meeting at the rendezvous.
//!
//! A connection that was ready may have died unseen, as translators forget them. The rendezvous says at once that it has
//! heard a knock; where it does not, the worker also knocks on a fresh connection, and goes on with the one that is answered.
//! So a dead one costs [`HEARD_MAX`] and a round trip, and never the pair.

use std::{
    future::pending,
    net::SocketAddr,
    pin::pin,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt, net::TcpStream, sync::Notify, time::timeout};

use super::{
    error::{WayError, WireError},
    frame::Sealed,
    names::Link,
    registration::Attempt,
    sockets,
    wire::{self, Errand, HEARD, KNOCKS, Knock, MET, Met, Refusal},
};

/// How long the rendezvous may take to hear a knock on a connection that was ready, besides two round trips.
const HEARD_MAX: Duration = Duration::from_millis(300);

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

/// Knocks from a fresh local port, on a connection that is there where there is one, and waits for the peer.
pub(super) async fn meet(
    attempt: &Attempt,
    errand: Errand,
    link: Link,
    number: u32,
) -> Result<Meeting, WayError> {
    let call = Call {
        attempt,
        errand,
        link,
        number,
    };
    let max = attempt.shared.timings.rendezvous_max;
    timeout(max, call.meet())
        .await
        .unwrap_or(Err(WayError::TimedOut))
}

/// What a worker wants at the rendezvous.
struct Call<'a> {
    attempt: &'a Attempt,
    errand: Errand,
    link: Link,
    number: u32,
}

impl Call<'_> {
    async fn meet(&self) -> Result<Meeting, WayError> {
        let Some(spare) = self.attempt.shared.spares.take() else {
            return self.dial(false).await;
        };
        let patience = 2 * spare.round_trip + HEARD_MAX;
        let heard = Notify::new();
        let mut ready = pin!(self.knock(spare.tcp, spare.round_trip, false, &heard));
        let unheard = async {
            if timeout(patience, heard.notified()).await.is_ok() {
                pending::<()>().await;
            }
        };
        let met = tokio::select! {
            met = &mut ready => Some(met),
            () = unheard => None,
        };
        match met {
            Some(Err(WayError::Wire { .. })) => self.dial(true).await,
            Some(met) => met,
            None => {
                let mut fresh = pin!(self.dial(true));
                // The first knock may only be late, and its peer be told of it already. Where both ends are met twice, both
                // go on with the first.
                tokio::select! {
                    biased;
                    met = &mut ready => match met {
                        Ok(met) => Ok(met),
                        // Also refused, where the fresh one has overtaken it.
                        Err(_) => fresh.await,
                    },
                    met = &mut fresh => met,
                }
            }
        }
    }

    async fn dial(&self, again: bool) -> Result<Meeting, WayError> {
        let dialled = Instant::now();
        let connected = sockets::dial_from(0, self.attempt.shared.rendezvous).await;
        let tcp = connected.map_err(|source| WayError::Dial { source })?;
        self.knock(tcp, dialled.elapsed(), again, &Notify::new())
            .await
    }

    /// `heard` is told when the rendezvous has heard it.
    async fn knock(
        &self,
        mut tcp: TcpStream,
        round_trip: Duration,
        again: bool,
        heard: &Notify,
    ) -> Result<Meeting, WayError> {
        let Attempt { shared, terms, .. } = self.attempt;
        let local = tcp
            .local_addr()
            .map_err(|source| WayError::Socket { source })?;
        let others = shared.private_addresses.iter();
        let mut private = vec![local];
        private.extend(others.map(|address| SocketAddr::new(*address, local.port())));
        let knock = Knock {
            attempt: self.number,
            private: wire::to_text(&private),
            round_trip_us: round_trip.as_micros() as u64,
            again,
            ..Knock::new(terms.pairing, self.errand, terms.side, self.link)
        };
        let knock = Sealed::new(&terms.key, KNOCKS, b"", &knock);
        let wire = |source| WayError::Wire { source };
        knock.knock(&mut tcp).await.map_err(wire)?;
        let first = tcp.read_u8().await;
        if first.map_err(|source| wire(WireError::Io { source }))? != HEARD {
            let what = "answer to a knock";
            return Err(wire(WireError::Malformed { what }));
        }
        heard.notify_one();
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
}
