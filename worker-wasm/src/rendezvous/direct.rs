//! Dialling a peer's own address, and being dialled.
//!
//! A dialled worker learns from the knock which pairing a connection is for, as it may be of the TLS client of that pair.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsStream;

use super::{
    error::{ProveError, WayError, WireError},
    frame::Sealed,
    names::Link,
    prove::{Proven, first_settled, prove},
    registration::Attempt,
    secret::{PairingId, PairingKey},
    sockets,
    wire::{Errand, KNOCK, Knock},
};

/// The label of a knock at a worker's own door.
const DIRECT: &str = "direct knock";
/// From a connection to a valid knock.
const KNOCK_MAX: Duration = Duration::from_secs(5);
/// Connections that have not knocked yet; more are closed.
const STRANGERS_MAX: usize = 256;
/// Connections for one end of a pair that wait to be looked at.
const ARRIVALS_MAX: usize = 4;
/// Before dialling a peer again that hung up: it may not know of the pairing yet.
const AGAIN: Duration = Duration::from_millis(10);

pub(super) async fn dial(attempt: &Attempt, link: Link) -> Result<TlsStream<TcpStream>, WayError> {
    let terms = &attempt.terms;
    let timings = &attempt.shared.timings;
    let doorkeeper = attempt.shared.doorkeeper.as_ref();
    if attempt.peer_direct.is_empty() && doorkeeper.is_none() {
        return Err(WayError::NotOffered);
    }
    let arrivals = doorkeeper.map(|doorkeeper| doorkeeper.expect(attempt, link));
    let arrived = stream::unfold(arrivals, |arrivals| async move {
        let mut arrivals = arrivals?;
        let tcp = arrivals.receiver.recv().await?;
        Some((tcp, Some(arrivals)))
    });
    let arrived = arrived
        .map(|tcp| async move {
            let proven = prove(tcp, terms, link).await;
            proven.map_err(|source| WayError::Prove { source })
        })
        .buffer_unordered(ARRIVALS_MAX);
    let dials: Vec<_> = attempt
        .peer_direct
        .iter()
        .map(|endpoint| stream::once(Box::pin(dial_one(*endpoint, attempt, link))))
        .collect();
    let connections = stream::select(stream::select_all(dials), Box::pin(arrived));
    first_settled(connections, terms, link, timings.direct_max, timings.grace).await
}

/// Until the peer answers, or cannot be dialled.
async fn dial_one(endpoint: SocketAddr, attempt: &Attempt, link: Link) -> Result<Proven, WayError> {
    let terms = &attempt.terms;
    let knock = Knock::new(terms.pairing, Errand::Direct, terms.side, link);
    let knock = Sealed::new(&terms.key, DIRECT, b"", &knock);
    loop {
        let dialled = sockets::dial(endpoint).await;
        let mut tcp = dialled.map_err(|_| WayError::Unreachable)?;
        let proven = match knock.knock(&mut tcp).await {
            Ok(()) => prove(tcp, terms, link).await,
            Err(source) => Err(ProveError::Knock { source }),
        };
        match proven {
            Ok(proven) => return Ok(proven),
            Err(error) => tracing::trace!(%endpoint, %error, "an address is not the peer's"),
        }
        sleep(AGAIN).await;
    }
}

/// Knows which connections a worker's listener is to be dialled for.
#[derive(Debug, Default)]
pub(super) struct Doorkeeper {
    expected: Mutex<HashMap<(PairingId, Link), Expected>>,
}

#[derive(Debug)]
struct Expected {
    key: PairingKey,
    arrivals: mpsc::Sender<TcpStream>,
}

/// What comes for one end of a pair; forgotten when dropped.
struct Arrivals {
    doorkeeper: Arc<Doorkeeper>,
    expected: (PairingId, Link),
    receiver: mpsc::Receiver<TcpStream>,
}

impl Doorkeeper {
    fn expected(&self) -> MutexGuard<'_, HashMap<(PairingId, Link), Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(self: &Arc<Self>, attempt: &Attempt, link: Link) -> Arrivals {
        let (arrivals, receiver) = mpsc::channel(ARRIVALS_MAX);
        let expected = (attempt.terms.pairing, link);
        let key = attempt.terms.key.clone();
        self.expected().insert(expected, Expected { key, arrivals });
        Arrivals {
            doorkeeper: Arc::clone(self),
            expected,
            receiver,
        }
    }

    /// Ends never; its connections end with it.
    pub(super) async fn keep(self: Arc<Self>, listener: TcpListener) {
        let mut strangers = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) if strangers.len() < STRANGERS_MAX => {
                        let doorkeeper = Arc::clone(&self);
                        strangers.spawn(async move {
                            match timeout(KNOCK_MAX, doorkeeper.admit(tcp)).await {
                                Ok(Ok(())) => {}
                                Ok(Err(error)) => tracing::debug!(%error, "nobody known knocks"),
                                Err(_) => tracing::debug!("someone does not knock"),
                            }
                        });
                    }
                    Ok(_) => tracing::warn!("too many do not knock"),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a peer's connection");
                        sleep(AGAIN).await;
                    }
                },
                Some(_) = strangers.join_next() => {}
            }
        }
    }

    async fn admit(&self, mut tcp: TcpStream) -> Result<(), WireError> {
        let io = |source| WireError::Io { source };
        let malformed = |what| WireError::Malformed { what };
        tcp.set_nodelay(true).map_err(io)?;
        if tcp.read_u8().await.map_err(io)? != KNOCK {
            return Err(malformed("first byte"));
        }
        let sealed = Sealed::read(&mut tcp).await?;
        let knock: Knock = sealed.unchecked()?;
        let pairing = knock.pairing().ok_or(malformed("pairing"))?;
        let arrivals = {
            let expected = self.expected();
            let found = expected.get(&(pairing, knock.link()));
            let found = found.ok_or(malformed("pairing"))?;
            sealed.open::<Knock>(&found.key, DIRECT, b"")?;
            found.arrivals.clone()
        };
        // One too many, or one too late, is closed.
        drop(arrivals.try_send(tcp));
        Ok(())
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.doorkeeper.expected().remove(&self.expected);
    }
}
