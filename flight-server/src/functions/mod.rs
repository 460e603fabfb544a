//! Functions as workers: called when a query wants them and they are not there, as many as the operator allows.
//!
//! ```text
//! a query wants workers -> expect a slot, invite a name -> invoke -> the function dials the rendezvous -> the pool
//! ```
//! A call is one invocation, which serves many tasks and ends by itself; nothing here ends one.

mod invoke;
mod settings;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use coordinator::WorkerPool;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;
use uuid::Uuid;
use worker_wasm::{
    rendezvous::{ExpectedSlot, Rendezvous, ReverseStream, SlotId, Token, Way, WorkerId},
    worker::{Invocation, WorkerLink},
};

use invoke::LambdaFunction;
pub use settings::{LambdaConfig, LambdaSettings};

/// From the call until the function has come: a cold one has to be fetched and started first.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// Calls functions until it is dropped; those that are there lose their connection then, and end.
#[derive(Debug)]
pub(crate) struct Functions {
    _calls: AbortOnDropHandle<()>,
}

impl Functions {
    /// `announced`: "host:port" of the rendezvous as functions see it. Must be called within a tokio runtime.
    pub(crate) fn start(
        rendezvous: Arc<Rendezvous>,
        announced: String,
        pool: Arc<WorkerPool>,
        config: &LambdaConfig,
    ) -> anyhow::Result<Self> {
        pool.expect_functions(config.functions_max);
        let calls = Calls {
            rendezvous,
            announced,
            pool,
            function: LambdaFunction::new(&config.url)?,
            functions_max: config.functions_max,
            idle: config.idle,
            coming: AtomicUsize::new(0),
        };
        let calls = tokio::spawn(Arc::new(calls).go_on());
        Ok(Self {
            _calls: AbortOnDropHandle::new(calls),
        })
    }
}

struct Calls {
    rendezvous: Arc<Rendezvous>,
    announced: String,
    pool: Arc<WorkerPool>,
    function: LambdaFunction,
    functions_max: usize,
    idle: Duration,
    /// Called and not in the pool yet.
    coming: AtomicUsize,
}

impl Calls {
    async fn go_on(self: Arc<Self>) {
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                () = self.pool.functions_missing() => {
                    let there = self.pool.functions() + self.coming.load(Ordering::Relaxed);
                    for _ in there..self.functions_max {
                        let coming = Coming::new(Arc::clone(&self));
                        calls.spawn(Arc::clone(&self).one(coming));
                    }
                }
                Some(_) = calls.join_next() => {}
            }
        }
    }

    async fn one(self: Arc<Self>, coming: Coming) {
        let name = format!("function-{}", Uuid::new_v4().simple());
        if let Err(error) = self.call(&name, coming).await {
            warn!(
                function = name,
                error = format!("{error:#}"),
                "a function is given up"
            );
        }
    }

    /// Calls a function and keeps it in the pool until it goes.
    async fn call(&self, name: &str, coming: Coming) -> anyhow::Result<()> {
        let id = WorkerId::new(name).context("no name for a worker")?;
        let slot = SlotId::new(name).context("no name for a slot")?;
        let mut expected = self.rendezvous.expect(&slot)?;
        let event = Invocation {
            rendezvous: self.announced.clone(),
            fingerprint: self.rendezvous.fingerprint().to_string(),
            worker: name.to_owned(),
            slot_token: text(expected.token())?,
            worker_token: text(&self.rendezvous.invite(&id)?)?,
            idle_ms: self.idle.as_millis().try_into().unwrap_or(u64::MAX),
        };
        let stream = self
            .arrival(&mut expected, serde_json::to_vec(&event)?)
            .await?;
        // It dialled the rendezvous itself.
        let link = WorkerLink::open(id, Way::Direct, stream);
        let presence = self.pool.enter(link).await?;
        drop(coming);
        presence.keep().await?;
        Ok(())
    }

    /// Calls a function with `event`, and waits until it has come. It may come before the call is answered.
    async fn arrival(
        &self,
        expected: &mut ExpectedSlot,
        event: Vec<u8>,
    ) -> anyhow::Result<ReverseStream> {
        let mut called = pin!(self.function.invoke(event));
        let mut answered = false;
        let arrival = async {
            loop {
                tokio::select! {
                    biased;
                    arrived = expected.arrived() => return Ok(arrived?),
                    answer = &mut called, if !answered => {
                        answer?;
                        answered = true;
                    }
                }
            }
        };
        let arrived = timeout(ARRIVAL_MAX, arrival).await;
        arrived.with_context(|| format!("it did not come in {ARRIVAL_MAX:?}"))?
    }
}

fn text(token: &Token) -> anyhow::Result<String> {
    Ok(std::str::from_utf8(token.as_bytes())?.to_owned())
}

/// Counts a function that has been called and is not there yet.
struct Coming(Arc<Calls>);

impl Coming {
    fn new(calls: Arc<Calls>) -> Self {
        calls.coming.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::Relaxed);
    }
}
