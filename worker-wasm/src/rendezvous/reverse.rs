//! A function cannot listen, so it dials and then serves on what it dialled.

use std::time::Duration;

use super::{
    error::RendezvousError,
    hello,
    names::SlotId,
    secret::Token,
    stream::ReverseStream,
    tls::{self, Fingerprint},
    wire::{Purpose, Serve},
};

/// What the invocation brings.
#[derive(Debug, Clone)]
pub struct ReverseConfig {
    /// "host:port".
    pub rendezvous: String,
    pub rendezvous_fingerprint: Fingerprint,
    pub slot: SlotId,
    pub token: Token,
    /// From dialling to the rendezvous's welcome.
    pub dial_max: Duration,
}

/// The connection turned round: who called this is to be the HTTP/2 server on it. Its other end comes out of
/// [`super::ExpectedSlot::arrived`].
pub async fn dial_reversed(config: ReverseConfig) -> Result<ReverseStream, RendezvousError> {
    let ReverseConfig {
        rendezvous,
        rendezvous_fingerprint,
        slot,
        token,
        dial_max,
    } = config;
    let client = tls::anonymous_client(rendezvous_fingerprint)
        .map_err(|source| RendezvousError::Identity { source })?;
    let serve = Purpose::Serve(Serve {
        slot: slot.to_string(),
        token: token.as_bytes().to_vec(),
    });
    let (tls, ..) = hello::come(&rendezvous, client, serve, dial_max).await?;
    Ok(ReverseStream::new(tls.into(), slot))
}
