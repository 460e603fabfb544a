//! TCP hole punching: both workers connect to each other at once, so each translator has seen its own worker ask.
//!
//! Each try has a fresh local port, whose connection to the rendezvous shows its public endpoint and stays open meanwhile.
//! From the same port the worker connects to all endpoints of the peer, and listens, as the peer's first packet may come
//! before its own has left. A packet that a translator drops does no harm: the other direction's gets through, and TCP
//! completes a simultaneous open from it.
//!
//! From the pairing to both connections, in round trips; they are punched side by side:
//! ```text
//! before  now
//!   1      -    connect to the rendezvous           now there before (`spares`), else as before
//!   1      1    knock, and hear where the peer is
//!   1      1    simultaneous open
//!   2.5    1.5  TLS until the server knows the client and its choice (`prove`)
//!   5.5    3.5
//! ```
//! Source: Ford, Srisuresh, Kegel: "Peer-to-Peer Communication Across Network Address Translators", USENIX 2005, section
//! 4. We differ in trying private and public endpoints at once, and in keeping the connection that the TLS client chooses.

use std::{net::SocketAddr, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until},
};
use tokio_rustls::TlsStream;

use super::{
    error::WayError,
    knock::{self, Meeting},
    names::Link,
    prove::{Proven, Terms, first_settled, prove},
    registration::Attempt,
    sockets,
    wire::{Errand, Refusal},
};

/// Between two connects to an endpoint that refuses: its worker may not listen yet.
const AGAIN: Duration = Duration::from_millis(10);
/// Strangers that connect to the port are heard at once, up to this many.
const HEARD_MAX: usize = 8;

pub(super) async fn punch(attempt: &Attempt, link: Link) -> Result<TlsStream<TcpStream>, WayError> {
    let mut failure = WayError::NotOffered;
    for number in 0..attempt.shared.timings.punch_tries {
        match try_once(attempt, link, number).await {
            Ok(tls) => return Ok(tls),
            // Without the peer, or without the rendezvous, more tries are in vain.
            Err(error @ (WayError::Dial { .. } | WayError::Wire { .. })) => return Err(error),
            Err(
                error @ WayError::Refused {
                    refusal: Refusal::PeerAbsent,
                },
            ) => return Err(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn try_once(
    attempt: &Attempt,
    link: Link,
    number: u32,
) -> Result<TlsStream<TcpStream>, WayError> {
    let terms = &attempt.terms;
    let timings = &attempt.shared.timings;
    let Meeting {
        tcp,
        private,
        endpoints,
        start,
    } = knock::meet(attempt, Errand::Punch, link, number).await?;
    let local = private[0];
    let listener = sockets::listen_beside(local);
    let listener = listener.map_err(|source| WayError::Socket { source })?;
    let dials: Vec<_> = endpoints
        .into_iter()
        .filter(|endpoint| !private.contains(endpoint))
        .filter(|endpoint| endpoint.is_ipv4() == local.is_ipv4())
        .map(|endpoint| stream::once(Box::pin(dial(local.port(), endpoint, terms, link))))
        .collect();
    let connections = stream::select(
        stream::select_all(dials),
        Box::pin(hear(listener, terms, link)),
    );
    sleep_until(Instant::from_std(start)).await;
    let settled = first_settled(connections, terms, link, timings.punch_max, timings.grace).await;
    drop(tcp);
    settled
}

/// Until the endpoint is the peer; the caller limits it.
async fn dial(
    port: u16,
    endpoint: SocketAddr,
    terms: &Terms,
    link: Link,
) -> Result<Proven, WayError> {
    loop {
        if let Ok(tcp) = sockets::dial_from(port, endpoint).await {
            match prove(tcp, terms, link).await {
                Ok(proven) => return Ok(proven),
                Err(error) => tracing::trace!(%endpoint, %error, "an endpoint is not the peer"),
            }
        }
        sleep(AGAIN).await;
    }
}

/// Whoever connects and is the peer. Ends never.
fn hear<'a>(
    listener: TcpListener,
    terms: &'a Terms,
    link: Link,
) -> impl Stream<Item = Result<Proven, WayError>> + 'a {
    let accepted = stream::unfold(listener, |listener| async move {
        let tcp = listener.accept().await.map(|(tcp, _)| tcp);
        Some((tcp, listener))
    });
    accepted
        .map(move |tcp| async move {
            let tcp = tcp.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
            match tcp {
                Ok(tcp) => prove(tcp, terms, link).await.ok().map(Ok),
                Err(_) => {
                    sleep(AGAIN).await;
                    None
                }
            }
        })
        .buffer_unordered(HEARD_MAX)
        .filter_map(|proven| async move { proven })
}
