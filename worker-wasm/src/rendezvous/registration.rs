//! A worker's place at the rendezvous: it asks for peers there, and hears who asks for it.
//!
//! ```text
//! connect(peer) --request--> outbox ==TLS==> rendezvous
//!      ^                                          |
//!      +---- answer ---- news <==TLS==------------+
//! invitation() <- queue ---+
//! ```
//! Two workers may ask for each other at once. Then the invitation that one gets is its answer, and the rendezvous drops
//! its request: both know from the count of invitations seen, so one pair comes of it. An invitation that nobody has taken
//! yet is the answer to a request that comes later.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, split},
    net::TcpListener,
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

use super::{
    connect,
    counters::Counters,
    direct::Doorkeeper,
    error::{ConnectError, RendezvousError, WireError},
    frame, hello,
    limits::{ENDPOINTS_MAX, HEARTBEAT, SILENCE_MAX, Timings},
    names::{Side, WorkerId},
    prove::Terms,
    requests::Requests,
    secret::{PairingId, PairingKey, Token},
    spares::Spares,
    stream::Pair,
    tls::{Fingerprint, Identity},
    wire::{self, News, Paired, Purpose, Register, Request, ToRendezvous, ToWorker},
};

/// Requests that may wait to be sent.
const OUTBOX_MAX: usize = 1024;

/// What a worker brings.
#[derive(Debug)]
pub struct WorkerConfig {
    /// "host:port".
    pub rendezvous: String,
    pub rendezvous_fingerprint: Fingerprint,
    pub token: Token,
    pub id: WorkerId,
    /// What peers pin, through the rendezvous.
    pub identity: Identity,
    /// `None`: this worker cannot be dialled.
    pub listener: Option<DirectListener>,
    /// Addresses of this machine at which peers behind the same translator may find it, besides the one it dials from.
    pub private_addresses: Vec<IpAddr>,
    pub timings: Timings,
}

/// Where peers may dial this worker.
#[derive(Debug)]
pub struct DirectListener {
    pub listener: TcpListener,
    /// As peers see it, at most 8 addresses.
    pub announced: Vec<SocketAddr>,
}

/// A worker that the rendezvous knows. Dropping it ends its tasks and leaves; streams that it gave stay.
#[derive(Debug)]
pub struct Registration {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Drop for Registration {
    /// Invitations that nobody has taken lead back to what they wait in.
    fn drop(&mut self) {
        self.shared.requests.lost();
    }
}

/// What a worker's attempts to connect share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: WorkerId,
    pub(super) identity: Identity,
    /// The address that was reached.
    pub(super) rendezvous: SocketAddr,
    pub(super) private_addresses: Vec<IpAddr>,
    pub(super) timings: Timings,
    pub(super) counters: Arc<Counters>,
    pub(super) doorkeeper: Option<Arc<Doorkeeper>>,
    requests: Requests,
    pub(super) spares: Spares,
}

/// One pairing, from this worker's side.
pub(super) struct Attempt {
    pub(super) shared: Arc<Shared>,
    pub(super) terms: Terms,
    pub(super) peer: WorkerId,
    /// Of the peer's certificate, as the rendezvous says; the terms pin it.
    fingerprint: Fingerprint,
    /// Where the peer can be dialled.
    pub(super) peer_direct: Vec<SocketAddr>,
    pub(super) since: Instant,
}

/// A peer wants to be connected. It waits, so [`Invitation::accept`] at once, or drop it.
pub struct Invitation(Attempt);

impl Registration {
    /// Registers, and listens for peers if it has a listener. Must be called within a tokio runtime.
    pub async fn open(config: WorkerConfig) -> Result<Self, RendezvousError> {
        let WorkerConfig {
            rendezvous,
            rendezvous_fingerprint,
            token,
            id,
            identity,
            listener,
            private_addresses,
            timings,
        } = config;
        let client = identity
            .client(rendezvous_fingerprint)
            .map_err(|source| RendezvousError::Identity { source })?;
        let announced = listener
            .as_ref()
            .map(|listener| wire::to_text(&listener.announced));
        let register = Purpose::Register(Register {
            worker: id.to_string(),
            token: token.as_bytes().to_vec(),
            direct: announced.unwrap_or_default(),
        });
        let (tls, reached, answer) =
            hello::come(&rendezvous, client, register, timings.rendezvous_max).await?;
        let (outbox, requests) = mpsc::channel(OUTBOX_MAX);
        let mut tasks = JoinSet::new();
        let doorkeeper = listener.map(|direct| {
            let doorkeeper = Arc::new(Doorkeeper::default());
            tasks.spawn(Arc::clone(&doorkeeper).keep(direct.listener));
            doorkeeper
        });
        let shared = Arc::new(Shared {
            id,
            identity,
            rendezvous: reached,
            private_addresses: private_addresses
                .into_iter()
                .take(ENDPOINTS_MAX - 1)
                .collect(),
            timings,
            counters: Arc::default(),
            doorkeeper,
            requests: Requests::new(outbox),
            spares: Spares::default(),
        });
        // Who can be dialled seldom punches.
        let wanted = shared.doorkeeper.is_none() && shared.timings.spares > 0;
        if let Some(key) = PairingKey::from_slice(&answer.spare_key).filter(|_| wanted) {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move {
                let Timings {
                    spares,
                    rendezvous_max,
                    ..
                } = shared.timings;
                let keeping =
                    shared
                        .spares
                        .keep(spares, shared.rendezvous, &shared.id, &key, rendezvous_max);
                keeping.await;
            });
        }
        let (reader, writer) = split(tls);
        let talking = Arc::clone(&shared);
        tasks.spawn(async move {
            let ended = tokio::select! {
                ended = hear(reader, &talking) => ended,
                ended = tell(writer, requests) => ended,
            };
            talking.requests.lost();
            let error = ended.err().map(tracing::field::display);
            tracing::warn!(worker = %talking.id, error, "the connection to the rendezvous is lost");
        });
        Ok(Self {
            shared,
            _tasks: tasks,
        })
    }

    pub fn id(&self) -> &WorkerId {
        &self.shared.id
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Two streams to `peer`, by the best way that works for both. `peer` gets an invitation, unless it asks for this
    /// worker at the same time. Dropping the future closes whatever was opened.
    pub async fn connect(&self, peer: &WorkerId) -> Result<Pair, ConnectError> {
        let attempt = self.ask(peer).await?;
        Box::pin(connect::connect(&attempt)).await
    }

    /// As [`Registration::connect`], to nobody but the holder of that certificate, whoever has the name at the rendezvous.
    pub async fn connect_to(
        &self,
        peer: &WorkerId,
        pinned: Fingerprint,
    ) -> Result<Pair, ConnectError> {
        let attempt = self.ask(peer).await?;
        if attempt.fingerprint != pinned {
            return Err(ConnectError::Another { peer: peer.clone() });
        }
        Box::pin(connect::connect(&attempt)).await
    }

    /// The rendezvous pairs this worker with `peer`.
    async fn ask(&self, peer: &WorkerId) -> Result<Attempt, ConnectError> {
        if *peer == self.shared.id {
            let worker = peer.clone();
            return Err(ConnectError::Itself { worker });
        }
        let answer = self.shared.requests.ask(peer)?;
        let answered = timeout(self.shared.timings.rendezvous_max, answer).await;
        let answered = answered.map_err(|_| ConnectError::TimedOut { peer: peer.clone() })?;
        let attempt = answered.map_err(|_| ConnectError::Lost)?;
        attempt.map_err(|refusal| ConnectError::NotPaired {
            peer: peer.clone(),
            refusal,
        })
    }

    /// The next peer that wants to be connected; `None` when the rendezvous is lost, and this worker has to register anew.
    /// May be cancelled and called again.
    pub async fn invitation(&self) -> Option<Invitation> {
        self.shared.requests.invitation().await.map(Invitation)
    }
}

impl Invitation {
    pub fn peer(&self) -> &WorkerId {
        &self.0.peer
    }

    /// Two streams to the peer. Dropping the future closes whatever was opened.
    pub async fn accept(self) -> Result<Pair, ConnectError> {
        Box::pin(connect::connect(&self.0)).await
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Invitation").field(&self.0.peer).finish()
    }
}

impl Attempt {
    fn new(paired: &Paired, shared: &Arc<Shared>) -> Result<Self, WireError> {
        let malformed = WireError::Malformed { what: "pairing" };
        let read = || {
            let id = PairingId(paired.pairing.as_slice().try_into().ok()?);
            let key = PairingKey::from_slice(&paired.key)?;
            let peer = WorkerId::new(paired.peer.as_str())?;
            let side = Side::of(&shared.id, &peer)?;
            let fingerprint = Fingerprint::from_slice(&paired.peer_fingerprint)?;
            let terms = Terms::new(id, key, side, &shared.identity, fingerprint).ok()?;
            Some((terms, peer, fingerprint))
        };
        let (terms, peer, fingerprint) = read().ok_or(malformed)?;
        Ok(Self {
            shared: Arc::clone(shared),
            terms,
            peer,
            fingerprint,
            peer_direct: wire::from_text(&paired.peer_direct)?,
            since: Instant::now(),
        })
    }
}

/// `Ok`: the rendezvous has been silent for too long.
async fn hear(mut reader: impl AsyncRead + Unpin, shared: &Arc<Shared>) -> Result<(), WireError> {
    while let Ok(message) = timeout(SILENCE_MAX, frame::read::<ToWorker>(&mut reader)).await {
        match message?.news {
            Some(News::Paired(paired)) => {
                let attempt = Attempt::new(&paired, shared)?;
                shared.requests.answer(paired.request, attempt);
            }
            Some(News::NotPaired(refused)) => {
                shared.requests.refuse(refused.request, refused.refusal());
            }
            None => {}
        }
    }
    Ok(())
}

async fn tell(
    mut writer: impl AsyncWrite + Unpin,
    mut requests: mpsc::Receiver<Request>,
) -> Result<(), WireError> {
    loop {
        let request: Result<Option<Request>, _> = timeout(HEARTBEAT, requests.recv()).await;
        let request = match request {
            Ok(None) => return Ok(()),
            Ok(request) => request,
            Err(_) => None,
        };
        frame::write(&mut writer, &ToRendezvous { request }).await?;
    }
}
