//! A registered worker's connection: its requests in, pairings out, heartbeats both ways.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite, split},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsStream;

use super::{Shared, counters::Open, spare::Allowance};
use crate::rendezvous::{
    error::WireError,
    frame,
    limits::{HEARTBEAT, SILENCE_MAX},
    names::WorkerId,
    tls::Fingerprint,
    wire::{News, Refusal, ToRendezvous, ToWorker},
};

/// News that may wait for a slow worker; requests that would add more are refused.
const OUTBOX_MAX: usize = 4096;

/// A worker's name is taken for as long as this lives.
#[derive(Debug)]
pub(super) struct Membership {
    worker: WorkerId,
    news: mpsc::Receiver<News>,
    shared: Arc<Shared>,
    _open: Open,
}

impl Membership {
    pub(super) fn enter(
        shared: &Arc<Shared>,
        worker: WorkerId,
        token: &[u8],
        fingerprint: Fingerprint,
        direct: Vec<SocketAddr>,
    ) -> Result<Self, Refusal> {
        let (outbox, news) = mpsc::channel(OUTBOX_MAX);
        shared
            .registry
            .enter(&worker, token, outbox, fingerprint, direct)?;
        Ok(Self {
            worker,
            news,
            shared: Arc::clone(shared),
            _open: shared.counters.worker_here(),
        })
    }

    pub(super) fn spare_key(&self) -> Vec<u8> {
        let key = |allowance: &mut Allowance| allowance.key.as_bytes().to_vec();
        let spares = self.shared.registry.spares(self.worker.as_str(), key);
        spares.unwrap_or_default()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.shared.registry.leave(&self.worker);
    }
}

/// Until either end is done or silent.
pub(super) async fn serve(tls: TlsStream<TcpStream>, mut membership: Membership, shared: &Shared) {
    let worker = membership.worker.clone();
    tracing::info!(%worker, "a worker registers");
    let (mut reader, mut writer) = split(tls);
    let ended = tokio::select! {
        ended = hear(&mut reader, &worker, shared) => ended,
        ended = tell(&mut writer, &mut membership.news) => ended,
    };
    match ended {
        Ok(()) => tracing::info!(%worker, "a worker is silent and counts as lost"),
        Err(error) => tracing::info!(%worker, %error, "a worker leaves"),
    }
}

/// `Ok`: the worker has been silent for too long.
async fn hear(
    reader: &mut (impl AsyncRead + Unpin),
    worker: &WorkerId,
    shared: &Shared,
) -> Result<(), WireError> {
    while let Ok(message) = timeout(SILENCE_MAX, frame::read::<ToRendezvous>(reader)).await {
        if let Some(request) = message?.request {
            shared.registry.pair(worker, &request);
        }
    }
    Ok(())
}

async fn tell(
    writer: &mut (impl AsyncWrite + Unpin),
    news: &mut mpsc::Receiver<News>,
) -> Result<(), WireError> {
    loop {
        // Nothing to tell is told too.
        let news = match timeout(HEARTBEAT, news.recv()).await {
            Ok(None) => return Ok(()),
            Ok(news) => news,
            Err(_) => None,
        };
        frame::write(writer, &ToWorker { news }).await?;
    }
}
