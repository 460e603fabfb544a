//! `murre-lambda`: a worker in an AWS Lambda function.
//!
//! A function cannot listen. Each invocation says where a coordinator waits; the function dials it, the connection is turned
//! round, and one invocation runs tasks until nobody has any, or its deadline nears. What it was sent stays for the next one.
//! Errors: what keeps an invocation from working is its answer, and what keeps the process from it ends the process.

#![forbid(unsafe_code)]

mod api;
mod host;

use std::time::Duration;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use worker_wasm::worker::{Invocation, InvocationEnd};

use api::{Event, RuntimeApi};
use host::Host;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Without tasks an invocation ends at the latest so long before its deadline: whoever wants it must hear that it drains.
const DRAIN: Duration = Duration::from_secs(30);
/// The answer has to be given before the deadline.
const ANSWER: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = std::env::var("MURRE_LOG").unwrap_or_else(|_| "info".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter).context("MURRE_LOG is no filter")?)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let api = RuntimeApi::from_environment()?;
    let host = match Host::open() {
        Ok(host) => host,
        Err(error) => {
            api.cannot_start(&format!("{error:#}")).await?;
            return Err(error);
        }
    };
    loop {
        let event = api.next().await?;
        let id = event.request_id.clone();
        match serve(&host, event).await {
            Ok(end) => api.answer(&id, serde_json::to_vec(&end)?).await?,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(request = %id, %error, "the invocation failed");
                api.fail(&id, &error).await?;
            }
        }
    }
}

async fn serve(host: &Host, event: Event) -> anyhow::Result<InvocationEnd> {
    let invocation: Invocation =
        serde_json::from_slice(&event.body).context("the event is none of a murre server's")?;
    let (worker, request) = (&invocation.worker, &event.request_id);
    tracing::info!(worker, %request, rendezvous = invocation.rendezvous, "called");
    let patience = host::patience(event.remaining, DRAIN, ANSWER);
    let end = host.serve(&invocation, patience).await?;
    tracing::info!(worker, ?end, "done");
    Ok(end)
}
