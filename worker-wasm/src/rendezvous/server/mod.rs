//! The rendezvous: one listener that workers register at, are paired by, and meet at; functions come to it too.
//!
//! One port takes TLS connections (workers and functions) and knocks; the first byte tells which. Until it has shown a
//! token or a pairing's key, a connection counts as a stranger, of which there are few and not for long.
//! Invariant: every task is in the listener's set, so dropping the [`Rendezvous`] closes all sockets.

mod counters;
mod greeting;
mod meeting;
mod member;
mod registry;
mod spare;
mod splice;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::TlsAcceptor;

pub use counters::RendezvousCounters;
use registry::Registry;

use super::{
    error::{ListenError, SlotError},
    limits::Limits,
    names::{SlotId, WorkerId},
    secret::Token,
    sockets,
    stream::ReverseStream,
    tls::{Fingerprint, Identity},
};

/// How often what is too old is thrown away.
const SWEEP: Duration = Duration::from_secs(1);
/// After accepting failed, as it does without file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the front door chooses.
#[derive(Debug)]
pub struct RendezvousConfig {
    pub listen: SocketAddr,
    pub identity: Identity,
    /// Lets any worker register under any free name. `None`: only invited ones.
    pub shared_token: Option<Token>,
    pub limits: Limits,
}

/// A running rendezvous; dropping it closes every connection, relays too.
#[derive(Debug)]
pub struct Rendezvous {
    address: SocketAddr,
    fingerprint: Fingerprint,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What all connections of a rendezvous share.
#[derive(Debug)]
pub(super) struct Shared {
    registry: Registry,
    limits: Limits,
    counters: Arc<RendezvousCounters>,
    strangers: Arc<Semaphore>,
    spares: Arc<Semaphore>,
    relays: Arc<Semaphore>,
}

impl Rendezvous {
    /// Listens when it returns. Must be called within a tokio runtime.
    pub async fn listen(config: RendezvousConfig) -> Result<Self, ListenError> {
        let RendezvousConfig {
            listen,
            identity,
            shared_token,
            limits,
        } = config;
        let bind = |source| ListenError::Bind {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let tls = identity
            .server(None)
            .map_err(|source| ListenError::Tls { source })?;
        let counters = Arc::new(RendezvousCounters::default());
        let shared = Arc::new(Shared {
            registry: Registry::new(shared_token, limits.clone(), Arc::clone(&counters)),
            counters,
            strangers: Arc::new(Semaphore::new(limits.strangers_max)),
            spares: Arc::new(Semaphore::new(limits.spares_max)),
            relays: Arc::new(Semaphore::new(limits.relays_max)),
            limits,
        });
        let mut tasks = JoinSet::new();
        let tls = TlsAcceptor::from(Arc::new(tls));
        tasks.spawn(accept(listener, tls, Arc::clone(&shared)));
        Ok(Self {
            address,
            fingerprint: identity.fingerprint(),
            shared,
            _tasks: tasks,
        })
    }

    /// Where it listens, with the port that it was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What workers and functions must pin.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub fn counters(&self) -> Arc<RendezvousCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// A token that is good once, for this worker, within [`Limits::expected_age_max`]. A second one replaces the first.
    pub fn invite(&self, worker: &WorkerId) -> Result<Token, SlotError> {
        self.shared.registry.invite(worker)
    }

    /// Makes room for a function: give it the token and the slot's id, then wait for its stream.
    pub fn expect(&self, slot: &SlotId) -> Result<ExpectedSlot, SlotError> {
        let (token, arrival) = self.shared.registry.expect(slot)?;
        Ok(ExpectedSlot {
            slot: slot.clone(),
            token,
            arrival,
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        self.shared.registry.close();
    }
}

/// A function is on its way. Dropping this makes its token worthless.
#[derive(Debug)]
pub struct ExpectedSlot {
    slot: SlotId,
    token: Token,
    arrival: oneshot::Receiver<ReverseStream>,
    shared: Arc<Shared>,
}

impl ExpectedSlot {
    /// Good once, within [`Limits::expected_age_max`].
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The connection that the function dialled, with the coordinator as HTTP/2 client on it. Errors when nobody came in
    /// time, or the rendezvous was dropped. May be cancelled and called again.
    pub async fn arrived(&mut self) -> Result<ReverseStream, SlotError> {
        let arrived = (&mut self.arrival).await;
        arrived.map_err(|_| SlotError::Absent {
            slot: self.slot.clone(),
        })
    }
}

impl Drop for ExpectedSlot {
    fn drop(&mut self) {
        self.shared.registry.forget(&self.slot, &self.token);
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut guests = JoinSet::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, public)) => {
                    // A stranger too many is closed at once.
                    if let Ok(permit) = Arc::clone(&shared.strangers).try_acquire_owned() {
                        let public = sockets::plain(public);
                        let guest = greeting::attend(tcp, public, tls.clone(), Arc::clone(&shared), permit);
                        guests.spawn(guest);
                    } else {
                        shared.counters.refused();
                    }
                }
                Err(error) => pause(&error).await,
            },
            Some(_) = guests.join_next() => {}
            _ = sweep.tick() => shared.registry.sweep(),
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "the rendezvous cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
