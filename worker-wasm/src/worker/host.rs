//! The life of a worker process: registered at its coordinator's rendezvous, connected to the coordinator, and again when
//! either is lost.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, time::sleep};

use super::{
    COORDINATOR, Join,
    core::{Caller, Core},
    peers::Peers,
    worker_url,
};
use crate::rendezvous::{
    ConnectError, DirectListener, Fingerprint, Identity, IdentityError, Refusal, Registration,
    RendezvousError, Timings, WorkerConfig, WorkerId,
};

/// Between two attempts to reach the coordinator.
const RETRY: Duration = Duration::from_millis(500);

/// How a worker process finds its coordinator and is found.
#[derive(Debug)]
pub struct HostConfig {
    /// "host:port" of the coordinator's rendezvous.
    pub rendezvous: String,
    pub join: Join,
    pub id: WorkerId,
    /// Where other workers may dial this one; `None` where they cannot.
    pub listen: Option<SocketAddr>,
    /// As other workers see it; `None`: as it listens.
    pub announce: Option<SocketAddr>,
    /// See [`WorkerConfig`].
    pub private_addresses: Vec<IpAddr>,
}

/// Why a worker cannot go on. A coordinator that is not there is waited for.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("\"{id}\" cannot be a worker's name: it has letters, digits, -, _ and . only")]
    Name { id: WorkerId },
    #[error("cannot make the worker's certificate")]
    Identity(#[from] IdentityError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("{what} of an invocation is malformed")]
    Invocation { what: &'static str },
    #[error("the coordinator refuses this worker")]
    Refused {
        #[source]
        source: RendezvousError,
    },
}

/// Serves until the future is dropped. `connected` is called with each new connection to the coordinator.
pub async fn serve_coordinator(
    core: Core,
    peers: Arc<Peers>,
    config: HostConfig,
    connected: impl Fn(),
) -> Result<Infallible, HostError> {
    if worker_url(&config.id).is_none() {
        return Err(HostError::Name { id: config.id });
    }
    let identity = Identity::generate()?;
    let mut was_registered = false;
    loop {
        let registration = match register(&config, &identity).await {
            Ok(registration) => Arc::new(registration),
            Err(HostError::Refused { source }) if !is_final(&source) => {
                tracing::warn!(error = %source, "the coordinator cannot be reached");
                sleep(RETRY).await;
                continue;
            }
            // By the listener of the place that was lost: who connects to a peer holds on to that place.
            Err(HostError::Listen { address, source })
                if was_registered && source.kind() == io::ErrorKind::AddrInUse =>
            {
                tracing::warn!(%address, "the address to listen on is not free yet");
                sleep(RETRY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        was_registered = true;
        let place = peers.registered(Arc::clone(&registration), core.clone());
        tokio::select! {
            () = take_invitations(&registration, &peers, &core) => {}
            () = stay_connected(&registration, &core, config.join.fingerprint, &connected) => {}
        }
        drop(place);
        // Its listener closes a moment after it.
        drop(registration);
        sleep(RETRY).await;
    }
}

async fn register(config: &HostConfig, identity: &Identity) -> Result<Registration, HostError> {
    let mut listener = None;
    if let Some(address) = config.listen {
        let at = |source| HostError::Listen { address, source };
        let bound = TcpListener::bind(address).await.map_err(at)?;
        let announced = match config.announce {
            Some(announced) => announced,
            None => bound.local_addr().map_err(at)?,
        };
        listener = Some(DirectListener {
            listener: bound,
            announced: vec![announced],
        });
    }
    let worker = WorkerConfig {
        rendezvous: config.rendezvous.clone(),
        rendezvous_fingerprint: config.join.fingerprint,
        token: config.join.token.clone(),
        id: config.id.clone(),
        identity: identity.clone(),
        listener,
        private_addresses: config.private_addresses.clone(),
        timings: Timings::default(),
    };
    let registered = Registration::open(worker).await;
    registered.map_err(|source| HostError::Refused { source })
}

/// Whether trying again is of no use: the coordinator is there and does not want this worker.
fn is_final(error: &RendezvousError) -> bool {
    match error {
        RendezvousError::Refused { refusal, .. } => *refusal == Refusal::Token,
        // A certificate that is not the pinned one; a server that is just going closes the connection instead.
        RendezvousError::Tls { source, .. } => source
            .get_ref()
            .is_some_and(|inner| inner.is::<tokio_rustls::rustls::Error>()),
        _ => false,
    }
}

/// Ends when the rendezvous is lost.
pub(super) async fn take_invitations(registration: &Registration, peers: &Arc<Peers>, core: &Core) {
    while let Some(invitation) = registration.invitation().await {
        tokio::spawn(Arc::clone(peers).accept(invitation, core.clone()));
    }
}

/// Answers the coordinator, and connects to it again when it was lost. Ends when the rendezvous is.
///
/// The coordinator has the rendezvous's own certificate. Its name alone says nothing: whoever has the workers' token may
/// register under it while the server has not, and the coordinator's word is code.
async fn stay_connected(
    registration: &Registration,
    core: &Core,
    pinned: Fingerprint,
    connected: &impl Fn(),
) {
    let coordinator = WorkerId::new(COORDINATOR).expect("the name is valid");
    loop {
        match registration.connect_to(&coordinator, pinned).await {
            Ok(pair) => {
                connected();
                // The coordinator calls, and is not called.
                drop(pair.outgoing);
                let ended = core.serve(Caller::Coordinator, pair.incoming).await;
                let error = ended.err().map(tracing::field::display);
                tracing::warn!(error, "the coordinator's connection ended");
            }
            Err(ConnectError::Lost) => return,
            Err(error) => tracing::warn!(%error, "the coordinator cannot be reached"),
        }
        sleep(RETRY).await;
    }
}
