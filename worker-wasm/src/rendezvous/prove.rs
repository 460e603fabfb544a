//! From a TCP connection that may be anyone's to a stream of the peer, and from several of those to one.
//!
//! ```text
//! client                                server          round trips since the connection
//!    ClientHello, names the pairing ----------->        0.5
//!    <------------------- certificate, Finished         1     the client knows the server
//!    certificate, Finished, choice ------------>        1.5   the server knows the client
//! ```
//! TLS 1.3 with both certificates pinned says who the other end is. Which connection of which pairing it is for, says the
//! application protocol (RFC 7301): a MAC under the pairing's key over the pairing and the link. It identifies and does not
//! authenticate: it goes in clear, is the same for all connections of a link, and a server only repeats what it heard.
//!
//! Punching and dialling may give several connections. The client is the first to know the peer, so the client chooses: it
//! says so on one of them, behind its last words of TLS, and closes the others. What was not chosen never becomes a stream
//! at the server. The choice is a MAC under the pairing's key over the exporter of this very session (RFC 8446, section
//! 7.5), so it also proves that the client has the key, and is good nowhere else. The server's proof is its certificate.
//!
//! The client has its stream before the server has heard of it. So a server that has shown its certificate to somebody
//! waits for the choice for a while longer than it would.
//! Before, proofs of the key, the server's choice and an answer to it came after the handshake: 2.5 round trips instead of
//! 1.5.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{Stream, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{self, ClientConfig, CommonState, ConnectionCommon, ServerConfig},
};

use super::{
    error::{ProveError, WayError},
    names::{Link, Role, Side},
    secret::{MAC_BYTES, PairingId, PairingKey},
    tls::{self, Fingerprint, Identity},
};

/// What the name of a connection begins with; a MAC follows.
const PROTOCOL: &[u8] = b"murre-pair/3 ";
/// The label of that MAC.
const LABEL: &str = "connection of a pair";
/// The label of the client's choice: its first bytes, on one connection only. What follows is the stream's.
const CHOICE: &str = "chosen connection of a pair";
/// The label of what TLS exports for it.
const EXPORTER: &[u8] = b"EXPORTER-murre-pair";

/// What one worker of a pairing knows, and so what a connection must prove.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) pairing: PairingId,
    pub(super) key: PairingKey,
    pub(super) side: Side,
    /// For the link on which this worker is the client, and no other.
    client: Arc<ClientConfig>,
    /// For the other link.
    server: Arc<ServerConfig>,
    /// Connections of that link whose client may have chosen already.
    underway: Arc<AtomicUsize>,
}

impl Terms {
    pub(super) fn new(
        pairing: PairingId,
        key: PairingKey,
        side: Side,
        own: &Identity,
        peer: Fingerprint,
    ) -> Result<Self, rustls::Error> {
        let protocol = |role| {
            let link = side.link(role);
            vec![protocol(&key, pairing, link)]
        };
        let mut client = own.client(peer)?;
        client.alpn_protocols = protocol(Role::Client);
        let mut server = own.server(Some(peer))?;
        server.alpn_protocols = protocol(Role::Server);
        Ok(Self {
            pairing,
            key,
            side,
            client: Arc::new(client),
            server: Arc::new(server),
            underway: Arc::default(),
        })
    }
}

/// The application protocol of a connection. Who has the key can name it, and who has heard it repeat it.
fn protocol(key: &PairingKey, pairing: PairingId, link: Link) -> Vec<u8> {
    let mac = key.sign(LABEL, &[&pairing.0, &[link.number()]]);
    [PROTOCOL, &mac].concat()
}

/// What a choice is a MAC over.
struct Session {
    pairing: PairingId,
    link: Link,
    exported: [u8; MAC_BYTES],
}

impl Session {
    /// Of a handshake that has ended; both ends come to the same.
    fn of<Data>(
        tls: &ConnectionCommon<Data>,
        terms: &Terms,
        role: Role,
    ) -> Result<Self, ProveError> {
        let exported = tls.export_keying_material([0; MAC_BYTES], EXPORTER, None);
        let exported = exported.map_err(|error| ProveError::Tls {
            source: io::Error::other(error),
        })?;
        Ok(Self {
            pairing: terms.pairing,
            link: terms.side.link(role),
            exported,
        })
    }

    fn choice(&self, key: &PairingKey) -> [u8; MAC_BYTES] {
        let link = [self.link.number()];
        key.sign(CHOICE, &[&self.pairing.0, &link, &self.exported])
    }

    /// Takes the same time wherever the two differ.
    fn is_chosen(&self, key: &PairingKey, choice: &[u8]) -> bool {
        let link = [self.link.number()];
        key.verifies(CHOICE, &[&self.pairing.0, &link, &self.exported], choice)
    }
}

/// A connection whose other end is the peer.
pub(super) struct Proven {
    tls: TlsStream<TcpStream>,
    /// The client is to say it; the server has heard it.
    choice: Option<[u8; MAC_BYTES]>,
}

/// Counts a connection while its client may have chosen it and its server does not know.
struct Underway<'a>(&'a AtomicUsize);

impl<'a> Underway<'a> {
    fn on(terms: &'a Terms) -> Self {
        terms.underway.fetch_add(1, Relaxed);
        Self(&terms.underway)
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Takes as long as the peer does, at the server until the client has chosen; the caller limits it.
pub(super) async fn prove(tcp: TcpStream, terms: &Terms, link: Link) -> Result<Proven, ProveError> {
    match terms.side.role(link) {
        Role::Server => as_server(tcp, terms).await,
        Role::Client => as_client(tcp, terms).await,
    }
}

async fn as_server(tcp: TcpStream, terms: &Terms) -> Result<Proven, ProveError> {
    let _underway = Underway::on(terms);
    let acceptor = TlsAcceptor::from(Arc::clone(&terms.server));
    let accepted = acceptor.accept(tcp).await;
    let mut tls = accepted.map_err(|source| ProveError::Tls { source })?;
    check_protocol(tls.get_ref().1, &terms.server.alpn_protocols)?;
    let session = Session::of(tls.get_ref().1, terms, Role::Server)?;
    let mut choice = [0; MAC_BYTES];
    let read = tls.read_exact(&mut choice).await;
    read.map_err(|source| ProveError::Io { source })?;
    match session.is_chosen(&terms.key, &choice) {
        true => Ok(Proven {
            tls: tls.into(),
            choice: None,
        }),
        false => Err(ProveError::Choice),
    }
}

async fn as_client(tcp: TcpStream, terms: &Terms) -> Result<Proven, ProveError> {
    let connector = TlsConnector::from(Arc::clone(&terms.client));
    let connected = connector.connect(tls::server_name(), tcp).await;
    let tls = connected.map_err(|source| ProveError::Tls { source })?;
    check_protocol(tls.get_ref().1, &terms.client.alpn_protocols)?;
    let session = Session::of(tls.get_ref().1, terms, Role::Client)?;
    Ok(Proven {
        choice: Some(session.choice(&terms.key)),
        tls: tls.into(),
    })
}

/// TLS refuses another name, but not an end that names nothing.
fn check_protocol(tls: &CommonState, expected: &[Vec<u8>]) -> Result<(), ProveError> {
    let agreed = tls.alpn_protocol();
    match agreed.is_some_and(|agreed| expected.iter().any(|expected| expected == agreed)) {
        true => Ok(()),
        false => Err(ProveError::Pairing),
    }
}

impl Proven {
    /// Both ends agree on this connection; another may follow only where this is an error.
    pub(super) async fn settle(mut self) -> Result<TlsStream<TcpStream>, ProveError> {
        if let Some(choice) = self.choice {
            let told = async {
                self.tls.write_all(&choice).await?;
                self.tls.flush().await
            };
            told.await.map_err(|source| ProveError::Io { source })?;
        }
        Ok(self.tls)
    }
}

/// The first of `connections` that both ends settle on, chosen within `max` of now. Where a client may have chosen by then,
/// its server waits for the choice for `grace` longer.
pub(super) async fn first_settled(
    connections: impl Stream<Item = Result<Proven, WayError>>,
    terms: &Terms,
    link: Link,
    max: Duration,
    grace: Duration,
) -> Result<TlsStream<TcpStream>, WayError> {
    let mut connections = pin!(connections);
    let mut deadline = Instant::now() + max;
    let mut graces = match terms.side.role(link) {
        Role::Server => 1,
        Role::Client => 0,
    };
    let mut failure = WayError::Unreachable;
    loop {
        let proven = match timeout_at(deadline, connections.next()).await {
            Ok(Some(proven)) => proven,
            Ok(None) => return Err(failure),
            Err(_) if graces > 0 && terms.underway.load(Relaxed) > 0 => {
                graces -= 1;
                deadline += grace;
                continue;
            }
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

#[cfg(test)]
mod tests;
