//! From a TCP connection that may be anyone's to a stream of the peer, and from several of those to one.
//!
//! ```text
//! client                                server
//!    <------- TLS 1.3, both certificates pinned ------->
//!    proof of the key ------------------------->
//!                                           chooses this connection, or drops it
//!    <------------------------- proof of the key
//!    taken ------------------------------------>
//! ```
//! A proof is a MAC under the pairing's key over the connection's exported secret (RFC 8446, 7.5), so it is good on this
//! connection only. Punching and dialling may give several connections; the server's proof is also its choice, and it
//! gives one at a time, so both ends keep the same.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{self, ClientConfig, ServerConfig},
};

use super::{
    error::{ProveError, WayError},
    names::{Link, Role, Side},
    secret::{MAC_BYTES, PairingId, PairingKey},
    tls::{self, Fingerprint, Identity},
};

const EXPORT_LABEL: &[u8] = b"EXPORTER-murre-pair";
/// The client's last byte before the stream is its user's.
const TAKEN: u8 = b'T';
/// The server waits this long for it. A client that has given up says so by closing, so this ends only for lost ones.
const TAKEN_MAX: Duration = Duration::from_secs(10);

/// What one worker of a pairing knows, and so what a connection must prove.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) pairing: PairingId,
    pub(super) key: PairingKey,
    pub(super) side: Side,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Terms {
    pub(super) fn new(
        pairing: PairingId,
        key: PairingKey,
        side: Side,
        own: &Identity,
        peer: Fingerprint,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            pairing,
            key,
            side,
            client: Arc::new(own.client(peer)?),
            server: Arc::new(own.server(Some(peer))?),
        })
    }

    fn proof(&self, link: Link, role: Role, secret: &[u8]) -> [u8; MAC_BYTES] {
        self.key.sign(label(role), &[&[link.number()], secret])
    }

    fn proves(&self, link: Link, role: Role, secret: &[u8], proof: &[u8]) -> bool {
        self.key
            .verifies(label(role), &[&[link.number()], secret], proof)
    }
}

fn label(role: Role) -> &'static str {
    match role {
        Role::Server => "server of a pair",
        Role::Client => "client of a pair",
    }
}

/// A connection whose other end is the peer, as far as it had to show.
pub(super) struct Proven {
    tls: TlsStream<TcpStream>,
    /// The server's proof is sent only to the connection that it chooses.
    choice: Option<[u8; MAC_BYTES]>,
}

/// Takes as long as the peer does; the caller limits it.
pub(super) async fn prove(tcp: TcpStream, terms: &Terms, link: Link) -> Result<Proven, ProveError> {
    match terms.side.role(link) {
        Role::Server => as_server(tcp, terms, link).await,
        Role::Client => as_client(tcp, terms, link).await,
    }
}

async fn as_server(tcp: TcpStream, terms: &Terms, link: Link) -> Result<Proven, ProveError> {
    let acceptor = TlsAcceptor::from(Arc::clone(&terms.server));
    let accepted = acceptor.accept(tcp).await;
    let mut tls = accepted.map_err(|source| ProveError::Tls { source })?;
    let secret = tls.get_ref().1.export_keying_material(
        [0; MAC_BYTES],
        EXPORT_LABEL,
        Some(&terms.pairing.0),
    );
    let secret = secret.map_err(|source| ProveError::Export { source })?;
    let proof = read_proof(&mut tls).await?;
    if !terms.proves(link, Role::Client, &secret, &proof) {
        return Err(ProveError::Key);
    }
    Ok(Proven {
        tls: tls.into(),
        choice: Some(terms.proof(link, Role::Server, &secret)),
    })
}

async fn as_client(tcp: TcpStream, terms: &Terms, link: Link) -> Result<Proven, ProveError> {
    let connector = TlsConnector::from(Arc::clone(&terms.client));
    let connected = connector.connect(tls::server_name(), tcp).await;
    let mut tls = connected.map_err(|source| ProveError::Tls { source })?;
    let secret = tls.get_ref().1.export_keying_material(
        [0; MAC_BYTES],
        EXPORT_LABEL,
        Some(&terms.pairing.0),
    );
    let secret = secret.map_err(|source| ProveError::Export { source })?;
    write(&mut tls, &terms.proof(link, Role::Client, &secret)).await?;
    let proof = read_proof(&mut tls).await?;
    if !terms.proves(link, Role::Server, &secret, &proof) {
        return Err(ProveError::Key);
    }
    Ok(Proven {
        tls: tls.into(),
        choice: None,
    })
}

impl Proven {
    /// Both ends agree on this connection.
    pub(super) async fn settle(self) -> Result<TlsStream<TcpStream>, ProveError> {
        let mut tls = self.tls;
        let Some(choice) = self.choice else {
            write(&mut tls, &[TAKEN]).await?;
            return Ok(tls);
        };
        let settled = async {
            write(&mut tls, &choice).await?;
            match tls.read_u8().await {
                Ok(TAKEN) => Ok(()),
                Ok(_) => Err(ProveError::Key),
                Err(source) => Err(ProveError::Io { source }),
            }
        };
        let settled = timeout(TAKEN_MAX, settled).await;
        settled.unwrap_or(Err(ProveError::TimedOut)).map(|()| tls)
    }
}

/// The first of `connections` that both ends settle on, chosen within `max` of now; the client waits for the choice for
/// `grace` longer.
pub(super) async fn first_settled(
    connections: impl Stream<Item = Result<Proven, WayError>>,
    role: Role,
    max: Duration,
    grace: Duration,
) -> Result<TlsStream<TcpStream>, WayError> {
    let mut connections = pin!(connections);
    let wait = match role {
        Role::Server => max,
        // The server's choice may be on its way.
        Role::Client => max + grace,
    };
    let deadline = Instant::now() + wait;
    let mut failure = WayError::Unreachable;
    loop {
        let proven = match timeout_at(deadline, connections.next()).await {
            Ok(Some(proven)) => proven,
            Ok(None) => return Err(failure),
            Err(_) => return Err(WayError::TimedOut),
        };
        let settled = match proven {
            Ok(proven) => proven.settle().await,
            Err(error) => {
                failure = error;
                continue;
            }
        };
        match settled {
            Ok(tls) => return Ok(tls),
            Err(source) => failure = WayError::Prove { source },
        }
    }
}

async fn write(stream: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) -> Result<(), ProveError> {
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    written.await.map_err(|source| ProveError::Io { source })
}

async fn read_proof(
    stream: &mut (impl AsyncReadExt + Unpin),
) -> Result<[u8; MAC_BYTES], ProveError> {
    let mut proof = [0; MAC_BYTES];
    let read = stream.read_exact(&mut proof).await;
    read.map_err(|source| ProveError::Io { source })?;
    Ok(proof)
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    struct Worker {
        identity: Identity,
        key: PairingKey,
        pins: Fingerprint,
    }

    /// Two workers that are right about each other.
    fn workers() -> (Worker, Worker) {
        let identities = [(); 2].map(|()| Identity::generate().unwrap());
        let key = PairingKey::generate();
        let [a, b] = [0, 1].map(|own: usize| Worker {
            identity: identities[own].clone(),
            key: key.clone(),
            pins: identities[1 - own].fingerprint(),
        });
        (a, b)
    }

    /// What the server of the first connection, and its client, come to.
    async fn check(
        server: Worker,
        client: Worker,
    ) -> [Result<TlsStream<TcpStream>, ProveError>; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let end = |worker: Worker, side, tcp| async move {
            let Worker {
                identity,
                key,
                pins,
            } = worker;
            let terms = Terms::new(PairingId([1; 16]), key, side, &identity, pins).unwrap();
            let proven = prove(tcp, &terms, Link::First).await?;
            proven.settle().await
        };
        let both = async {
            tokio::join!(
                end(server, Side::Smaller, accepted),
                end(client, Side::Larger, dialled)
            )
        };
        timeout(LONG, both)
            .await
            .expect("both ends come to an end")
            .into()
    }

    #[tokio::test]
    async fn two_workers_that_are_right_about_each_other_agree() {
        let (server, client) = workers();
        let [server, client] = check(server, client).await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        client.write_all(b"rows").await.unwrap();
        client.flush().await.unwrap();
        let mut read = [0; 4];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"rows");
    }

    #[tokio::test]
    async fn a_client_with_another_certificate_is_refused() {
        let (server, mut client) = workers();
        client.identity = Identity::generate().unwrap();
        let [server, client] = check(server, client).await;
        assert!(matches!(server, Err(ProveError::Tls { .. })), "{server:?}");
        assert!(client.is_err());
    }

    #[tokio::test]
    async fn a_server_with_another_certificate_is_refused() {
        let (server, mut client) = workers();
        client.pins = client.identity.fingerprint();
        let [server, client] = check(server, client).await;
        assert!(matches!(client, Err(ProveError::Tls { .. })), "{client:?}");
        assert!(server.is_err());
    }

    #[tokio::test]
    async fn a_client_with_another_key_is_refused() {
        let (server, mut client) = workers();
        client.key = PairingKey::generate();
        let [server, client] = check(server, client).await;
        assert!(matches!(server, Err(ProveError::Key)), "{server:?}");
        assert!(client.is_err());
    }

    #[tokio::test]
    async fn a_client_does_not_believe_a_proof_of_its_own_kind() {
        let terms = |side| {
            let (worker, _) = workers();
            Terms::new(
                PairingId([1; 16]),
                worker.key,
                side,
                &worker.identity,
                worker.pins,
            )
            .unwrap()
        };
        let terms = terms(Side::Smaller);
        let secret = [9; 32];
        let reflected = terms.proof(Link::First, Role::Client, &secret);
        assert!(!terms.proves(Link::First, Role::Server, &secret, &reflected));
        assert!(!terms.proves(Link::Second, Role::Client, &secret, &reflected));
        assert!(terms.proves(Link::First, Role::Client, &secret, &reflected));
    }
}
