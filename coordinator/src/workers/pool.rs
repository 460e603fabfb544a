//! The workers in other processes that are connected now.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};
use worker_wasm::{
    rendezvous::{Way, WorkerId},
    worker::{BUILD, Description, LinkError, WorkerLink, worker_url},
};

/// How often a worker is asked how it is.
const ASK: Duration = Duration::from_secs(1);

/// What a function says that it is hosted by.
pub const FUNCTION: &str = "function";
/// How long a query waits for functions where there is no worker at all.
const GATHER_MAX: Duration = Duration::from_secs(10);
/// The same where there are some workers.
const GATHER_MORE_MAX: Duration = Duration::from_secs(2);

/// Those that have come and not gone.
#[derive(Debug, Default)]
pub struct WorkerPool {
    members: Mutex<BTreeMap<WorkerId, Member>>,
    /// Functions that are to be there when a query wants workers.
    functions_max: AtomicUsize,
    /// A query wants functions that are not there.
    wanted: Notify,
    /// A worker has come.
    came: Notify,
}

#[derive(Debug)]
struct Member {
    link: WorkerLink,
    /// As it last said.
    description: Description,
}

/// A worker as `SHOW WORKERS` tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerEntry {
    pub id: String,
    /// What hosts it.
    pub kind: String,
    /// How its connection was made: "direct", "punched" or "relayed".
    pub way: &'static str,
    pub build: String,
    /// Whether it gets tasks: only workers of this build do.
    pub used: bool,
    pub modules: u64,
    pub modules_received_total: u64,
    pub tasks_running: u64,
    pub tasks_total: u64,
    /// Modules that it made code of itself; the others came with their code.
    pub modules_compiled_total: u64,
    /// Streams to and from other workers since it started, by [`Way::ALL`].
    pub streams_total: [u64; Way::ALL.len()],
    pub streams_open: u64,
    /// To other workers, since it started.
    pub sent_bytes_total: u64,
    /// Reserved by its tasks.
    pub memory_bytes: u64,
}

impl WorkerPool {
    /// Keeps a worker until its connection is lost. One that does not answer is not taken.
    pub async fn keep(&self, link: WorkerLink) -> Result<(), LinkError> {
        self.enter(link).await?.keep().await
    }

    /// Takes a worker in. One that does not answer is not taken.
    pub async fn enter(&self, link: WorkerLink) -> Result<Presence<'_>, LinkError> {
        let description = link.describe().await?;
        let (id, build) = (link.id().clone(), description.build.clone());
        let member = Member {
            link: link.clone(),
            description,
        };
        match is_usable(&id, &member) {
            true => tracing::info!(worker = %id, way = way(link.way()), "a worker has come"),
            false => {
                tracing::warn!(worker = %id, %build, own = BUILD, "a worker of another build gets no tasks");
            }
        }
        self.members.lock().insert(id.clone(), member);
        self.came.notify_waiters();
        Ok(Presence { pool: self, link })
    }

    /// From now on queries wait for so many functions, and [`Self::functions_missing`] says when.
    pub fn expect_functions(&self, functions_max: usize) {
        self.functions_max.store(functions_max, Ordering::Relaxed);
    }

    /// Functions that get tasks.
    pub fn functions(&self) -> usize {
        let members = self.members.lock();
        let functions = members
            .iter()
            .filter(|(id, member)| is_usable(id, member) && member.description.kind == FUNCTION);
        functions.count()
    }

    /// Resolves when a query wants functions that are not there.
    pub async fn functions_missing(&self) {
        self.wanted.notified().await;
    }

    /// Waits for the functions that are to be there, for a while.
    pub(crate) async fn gather(&self) {
        let start = Instant::now();
        loop {
            let came = self.came.notified();
            if self.functions() >= self.functions_max.load(Ordering::Relaxed) {
                return;
            }
            self.wanted.notify_one();
            let patience = match self.usable().is_empty() {
                true => GATHER_MAX,
                false => GATHER_MORE_MAX,
            };
            if timeout_at(start + patience, came).await.is_err() {
                return;
            }
        }
    }

    async fn ask(&self, link: &WorkerLink) -> Result<(), LinkError> {
        let description = link.describe().await?;
        let mut members = self.members.lock();
        let member = members.get_mut(link.id());
        if let Some(member) = member.filter(|member| member.link.is(link)) {
            member.description = description;
        }
        Ok(())
    }

    /// Asks all workers how they are. What one does not answer within a second stays as it was.
    pub async fn refresh(&self) {
        let links: Vec<_> = {
            let members = self.members.lock();
            members.values().map(|member| member.link.clone()).collect()
        };
        let asked = links.iter().map(|link| timeout(ASK, self.ask(link)));
        for (link, asked) in links.iter().zip(join_all(asked).await) {
            if !matches!(asked, Ok(Ok(()))) {
                tracing::debug!(worker = %link.id(), "a worker does not say how it is");
            }
        }
    }

    /// Those that get tasks.
    pub(crate) fn usable(&self) -> Vec<WorkerLink> {
        let members = self.members.lock();
        let usable = members.iter().filter(|(id, member)| is_usable(id, member));
        usable.map(|(_, member)| member.link.clone()).collect()
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<WorkerEntry> {
        let members = self.members.lock();
        let entries = members.iter().map(|(id, member)| {
            let description = &member.description;
            WorkerEntry {
                id: id.to_string(),
                kind: description.kind.clone(),
                way: way(member.link.way()),
                build: description.build.clone(),
                used: is_usable(id, member),
                modules: description.modules,
                modules_received_total: description.modules_received_total,
                tasks_running: description.tasks_running,
                tasks_total: description.tasks_total,
                modules_compiled_total: description.modules_compiled_total,
                streams_total: std::array::from_fn(|way| {
                    description.ways.get(way).map_or(0, |of| of.streams_total)
                }),
                streams_open: description.ways.iter().map(|of| of.streams_open).sum(),
                sent_bytes_total: description.ways.iter().map(|of| of.sent_bytes_total).sum(),
                memory_bytes: description.memory_bytes,
            }
        });
        entries.collect()
    }
}

/// It is there and stays, plans and modules mean the same to it, and plans can name it.
fn is_usable(id: &WorkerId, member: &Member) -> bool {
    let Description {
        build, draining, ..
    } = &member.description;
    build == BUILD && !draining && !member.link.is_lost() && worker_url(id).is_some()
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Punched => "punched",
        Way::Relayed => "relayed",
    }
}

/// A worker in the pool. Dropping this takes it out, unless it has come again meanwhile.
#[derive(Debug)]
pub struct Presence<'a> {
    pool: &'a WorkerPool,
    link: WorkerLink,
}

impl Presence<'_> {
    /// Until its connection is lost, or it does not answer.
    pub async fn keep(self) -> Result<(), LinkError> {
        loop {
            tokio::select! {
                () = self.link.lost() => return Ok(()),
                () = tokio::time::sleep(ASK) => {}
            }
            self.pool.ask(&self.link).await?;
        }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let mut members = self.pool.members.lock();
        let own = members.get(self.link.id());
        if own.is_some_and(|own| own.link.is(&self.link)) {
            members.remove(self.link.id());
            tracing::warn!(worker = %self.link.id(), "a worker has gone");
        }
    }
}
