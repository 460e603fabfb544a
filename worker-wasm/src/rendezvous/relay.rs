//! Through the rendezvous, which splices the two workers' connections.

use futures::{FutureExt, stream};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::{
    error::WayError,
    knock,
    names::Link,
    prove::{first_settled, prove},
    registration::Attempt,
    wire::Errand,
};

pub(super) async fn relay(attempt: &Attempt, link: Link) -> Result<TlsStream<TcpStream>, WayError> {
    let terms = &attempt.terms;
    let timings = &attempt.shared.timings;
    let meeting = knock::meet(attempt, Errand::Relay, link, 0).await?;
    let proven = prove(meeting.tcp, terms, link)
        .map(|proven| proven.map_err(|source| WayError::Prove { source }));
    let connections = stream::once(Box::pin(proven));
    // There is one connection: agreeing on it is not urgent.
    let max = timings.relay_max;
    first_settled(connections, terms, link, max, max).await
}
