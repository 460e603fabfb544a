//! The first words of a connection: who comes, and may they.

use std::{net::SocketAddr, sync::Arc};

use tokio::{io::AsyncReadExt, net::TcpStream, sync::OwnedSemaphorePermit, time::timeout};
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::{
    Shared, meeting,
    member::{self, Membership},
    registry::SlotClaim,
    spare::{self, Kept},
};
use crate::rendezvous::{
    error::WireError,
    frame::{self, Sealed},
    names::{SlotId, WorkerId},
    stream::ReverseStream,
    tls::Fingerprint,
    wire::{self, Answer, Hello, KNOCK, Purpose, Refusal, Register, Serve, TLS_HANDSHAKE, WAITS},
};

/// Someone who has shown that they may be here.
enum Guest {
    Worker(TlsStream<TcpStream>, Membership),
    Function(TlsStream<TcpStream>, SlotClaim, SlotId),
    Visitor(TcpStream, Sealed),
    Spare(TcpStream, Kept),
}

/// The whole life of one connection. `permit` is held while it is a stranger's.
pub(super) async fn attend(
    tcp: TcpStream,
    public: SocketAddr,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    permit: OwnedSemaphorePermit,
) {
    let greeted = timeout(shared.limits.greeting_max, greet(tcp, tls, &shared)).await;
    drop(permit);
    let guest = match greeted {
        Ok(Ok(Some(guest))) => guest,
        Ok(Ok(None)) => return shared.counters.refused(),
        Ok(Err(error)) => {
            tracing::debug!(%public, %error, "a connection to the rendezvous says nothing sensible");
            return shared.counters.refused();
        }
        Err(_) => return shared.counters.refused(),
    };
    match guest {
        Guest::Worker(tls, membership) => member::serve(tls, membership, &shared).await,
        Guest::Function(tls, claim, slot) => claim.give(ReverseStream::new(tls, slot)),
        Guest::Visitor(tcp, knock) => meeting::attend(tcp, public, knock, &shared).await,
        Guest::Spare(tcp, kept) => spare::attend(tcp, public, kept, &shared).await,
    }
}

/// `None`: they were refused.
async fn greet(
    mut tcp: TcpStream,
    tls: TlsAcceptor,
    shared: &Arc<Shared>,
) -> Result<Option<Guest>, WireError> {
    let io = |source| WireError::Io { source };
    tcp.set_nodelay(true).map_err(io)?;
    let mut first = [0];
    tcp.peek(&mut first).await.map_err(io)?;
    match first[0] {
        TLS_HANDSHAKE => introduce(tls.accept(tcp).await.map_err(io)?.into(), shared).await,
        KNOCK => {
            tcp.read_u8().await.map_err(io)?;
            let knock = Sealed::read(&mut tcp).await?;
            Ok(Some(Guest::Visitor(tcp, knock)))
        }
        WAITS => {
            tcp.read_u8().await.map_err(io)?;
            let kept = spare::admit(&Sealed::read(&mut tcp).await?, shared)?;
            Ok(kept.map(|kept| Guest::Spare(tcp, kept)))
        }
        _ => Err(WireError::Malformed { what: "first byte" }),
    }
}

async fn introduce(
    mut tls: TlsStream<TcpStream>,
    shared: &Arc<Shared>,
) -> Result<Option<Guest>, WireError> {
    let hello: Hello = frame::read(&mut tls).await?;
    let admitted = match hello.purpose {
        Some(Purpose::Register(register)) => register_worker(register, &tls, shared),
        Some(Purpose::Serve(serve)) => claim_slot(&serve, shared),
        None => Err(Refusal::Malformed),
    };
    let refused = admitted.as_ref().err().copied().map(i32::from);
    let spare_key = match &admitted {
        Ok(Admitted::Worker(membership)) => membership.spare_key(),
        Ok(Admitted::Function(..)) | Err(_) => Vec::new(),
    };
    frame::write(&mut tls, &Answer { refused, spare_key }).await?;
    Ok(match admitted {
        Ok(Admitted::Worker(membership)) => Some(Guest::Worker(tls, membership)),
        Ok(Admitted::Function(claim, slot)) => Some(Guest::Function(tls, claim, slot)),
        Err(refusal) => {
            tracing::info!(%refusal, "the rendezvous refuses a connection");
            None
        }
    })
}

enum Admitted {
    Worker(Membership),
    Function(SlotClaim, SlotId),
}

fn register_worker(
    register: Register,
    tls: &TlsStream<TcpStream>,
    shared: &Arc<Shared>,
) -> Result<Admitted, Refusal> {
    let worker = WorkerId::new(register.worker).ok_or(Refusal::Malformed)?;
    let direct = wire::from_text(&register.direct).map_err(|_| Refusal::Malformed)?;
    let certificates = tls.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(|chain| chain.first());
    let fingerprint = Fingerprint::of(certificate.ok_or(Refusal::Malformed)?);
    let admitted = Membership::enter(shared, worker, &register.token, fingerprint, direct);
    admitted.map(Admitted::Worker)
}

fn claim_slot(serve: &Serve, shared: &Shared) -> Result<Admitted, Refusal> {
    let slot = SlotId::new(serve.slot.as_str()).ok_or(Refusal::Malformed)?;
    let claim = shared.registry.claim(&slot, &serve.token)?;
    Ok(Admitted::Function(claim, slot))
}
