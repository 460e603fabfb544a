//! What a function keeps between invocations: its worker, with the modules that were sent to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use catalog::nan_safe;
use coordinator::{FUNCTION, open_fragments};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use worker_wasm::{
    rendezvous::Identity,
    worker::{Core, CoreConfig, Invocation, InvocationEnd, Patience, Peers, serve_invocation},
};

/// Of a function that does not say how much memory it has. Megabytes.
const MEMORY_MB: usize = 1024;

pub(crate) struct Host {
    core: Core,
    peers: Arc<Peers>,
    identity: Identity,
}

impl Host {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let modules =
            open_fragments(threads, None, 0).context("this machine cannot run fragments")?;
        // What the code itself and batches on their way take is in the rest.
        let memory_bytes = memory_mb() * (1 << 20) / 4 * 3;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_limit(memory_bytes, 1.0)
            .build_arc()?;
        let config = CoreConfig {
            kind: FUNCTION,
            threads,
            environment,
            modules,
            rewrite: nan_safe,
        };
        let peers = Arc::new(Peers::default());
        Ok(Self {
            core: Core::new(config, Arc::clone(&peers))
                .context("cannot start the threads of tasks")?,
            peers,
            identity: Identity::generate()?,
        })
    }

    pub(crate) async fn serve(
        &self,
        invocation: &Invocation,
        patience: Patience,
    ) -> anyhow::Result<InvocationEnd> {
        let Self {
            core,
            peers,
            identity,
        } = self;
        Ok(serve_invocation(core, peers, identity, invocation, patience).await?)
    }
}

fn memory_mb() -> usize {
    let given = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    let given = given.ok().and_then(|text| text.parse().ok());
    given.unwrap_or(MEMORY_MB)
}

/// Of an invocation that has so much time: it drains for a while before its end, of a short one for a quarter.
pub(crate) fn patience(remaining: Duration, drain: Duration, answer: Duration) -> Patience {
    let now = Instant::now();
    let ends = remaining.saturating_sub(answer);
    Patience {
        drains: now + ends.saturating_sub(drain.min(ends / 4)),
        ends: now + ends,
    }
}
