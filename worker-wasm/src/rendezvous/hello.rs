//! Coming to the rendezvous over TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::ClientConfig};

use super::{
    error::RendezvousError,
    frame, sockets, tls,
    wire::{Answer, Hello, Purpose, Refusal},
};

/// Dials `address` ("host:port"), says why it comes and is welcome, all within `max`. Also gives the address it reached, and
/// the answer.
pub(super) async fn come(
    address: &str,
    config: ClientConfig,
    purpose: Purpose,
    max: Duration,
) -> Result<(TlsStream<TcpStream>, SocketAddr, Answer), RendezvousError> {
    let come = timeout(max, try_come(address, config, purpose)).await;
    come.unwrap_or_else(|_| {
        let address = address.to_owned();
        Err(RendezvousError::TimedOut { address })
    })
}

async fn try_come(
    address: &str,
    config: ClientConfig,
    purpose: Purpose,
) -> Result<(TlsStream<TcpStream>, SocketAddr, Answer), RendezvousError> {
    let named = || address.to_owned();
    let dialled = dial(address).await;
    let (tcp, reached) = dialled.map_err(|source| RendezvousError::Dial {
        address: named(),
        source,
    })?;
    let connector = TlsConnector::from(Arc::new(config));
    let connected = connector.connect(tls::server_name(), tcp).await;
    let mut tls = connected.map_err(|source| RendezvousError::Tls {
        address: named(),
        source,
    })?;
    let wire = |source| RendezvousError::Wire {
        address: named(),
        source,
    };
    let purpose = Some(purpose);
    frame::write(&mut tls, &Hello { purpose })
        .await
        .map_err(wire)?;
    let answer: Answer = frame::read(&mut tls).await.map_err(wire)?;
    match answer.refused {
        None => Ok((tls, reached, answer)),
        Some(refusal) => Err(RendezvousError::Refused {
            address: named(),
            refusal: Refusal::try_from(refusal).unwrap_or(Refusal::Malformed),
        }),
    }
}

/// The first of the name's addresses that can be reached.
async fn dial(address: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for found in lookup_host(address).await? {
        match sockets::dial(found).await {
            Ok(tcp) => return Ok((tcp, found)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
