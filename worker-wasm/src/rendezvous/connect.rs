//! Which way a pair takes: the best one that works for both of its connections.

use std::sync::Arc;

use futures::future::try_join;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::{
    counters::Way,
    direct,
    error::{ConnectError, WayError},
    names::{Link, Role},
    punch,
    registration::Attempt,
    relay,
    stream::{Pair, PeerStream},
    wire::Refusal,
};

/// Tries the ways in their order. Both workers do so with the same limits and meet at the rendezvous for each punch and
/// relay, so they come to the same one.
pub(super) async fn connect(attempt: &Attempt) -> Result<Pair, ConnectError> {
    let counters = &attempt.shared.counters;
    let mut failure = WayError::NotOffered;
    for way in Way::ALL {
        let links = try_join(
            by(way, attempt, Link::First),
            by(way, attempt, Link::Second),
        );
        match links.await {
            Ok((first, second)) => {
                let stream = |tls| PeerStream::new(tls, way, Arc::clone(counters));
                let (first, second) = (stream(first), stream(second));
                let (incoming, outgoing) = match attempt.terms.side.role(Link::First) {
                    Role::Server => (first, second),
                    Role::Client => (second, first),
                };
                let (peer, took) = (attempt.peer.clone(), attempt.since.elapsed());
                tracing::debug!(worker = %attempt.shared.id, %peer, %way, ?took, "a pair is connected");
                return Ok(Pair {
                    peer,
                    outgoing,
                    incoming,
                    took,
                });
            }
            Err(WayError::NotOffered) => {}
            Err(error) => {
                counters.way(way).failed();
                let peer = &attempt.peer;
                tracing::debug!(worker = %attempt.shared.id, %peer, %way, %error, "a way leads nowhere");
                if is_absent(&error) {
                    return Err(ConnectError::PeerAbsent { peer: peer.clone() });
                }
                failure = error;
            }
        }
    }
    Err(ConnectError::NoWay {
        peer: attempt.peer.clone(),
        source: failure,
    })
}

async fn by(way: Way, attempt: &Attempt, link: Link) -> Result<TlsStream<TcpStream>, WayError> {
    match way {
        Way::Direct => direct::dial(attempt, link).await,
        Way::Punched => punch::punch(attempt, link).await,
        Way::Relayed => relay::relay(attempt, link).await,
    }
}

/// The other ways would wait for it in vain too.
fn is_absent(error: &WayError) -> bool {
    let refusal = Refusal::PeerAbsent;
    matches!(error, WayError::Refused { refusal: found } if *found == refusal)
}
