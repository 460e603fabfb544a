//! The workers in other processes that are connected now.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::time::timeout;
use worker_wasm::{
    rendezvous::{Way, WorkerId},
    worker::{BUILD, Description, LinkError, WorkerLink, worker_url},
};

/// How often a worker is asked how it is.
const ASK: Duration = Duration::from_secs(1);

/// Those that have come and not gone.
#[derive(Debug, Default)]
pub struct WorkerPool(Mutex<BTreeMap<WorkerId, Member>>);

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
}

impl WorkerPool {
    /// Keeps a worker until its connection is lost. One that does not answer is not taken.
    pub async fn keep(self: Arc<Self>, link: WorkerLink) -> Result<(), LinkError> {
        let description = link.describe().await?;
        let (id, build) = (link.id().clone(), description.build.clone());
        match is_usable(&id, &description) {
            true => tracing::info!(worker = %id, way = way(link.way()), "a worker has come"),
            false => {
                tracing::warn!(worker = %id, %build, own = BUILD, "a worker of another build gets no tasks");
            }
        }
        let member = Member {
            link: link.clone(),
            description,
        };
        self.0.lock().insert(id.clone(), member);
        let _leaves = Leaves {
            pool: &self,
            link: &link,
        };
        loop {
            tokio::select! {
                () = link.lost() => return Ok(()),
                () = tokio::time::sleep(ASK) => {}
            }
            self.ask(&link).await?;
        }
    }

    async fn ask(&self, link: &WorkerLink) -> Result<(), LinkError> {
        let description = link.describe().await?;
        let mut members = self.0.lock();
        let member = members.get_mut(link.id());
        if let Some(member) = member.filter(|member| member.link.is(link)) {
            member.description = description;
        }
        Ok(())
    }

    /// Asks all workers how they are. What one does not answer within a second stays as it was.
    pub async fn refresh(&self) {
        let links: Vec<_> = {
            let members = self.0.lock();
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
        let members = self.0.lock();
        let usable = members
            .iter()
            .filter(|(id, member)| !member.link.is_lost() && is_usable(id, &member.description));
        usable.map(|(_, member)| member.link.clone()).collect()
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<WorkerEntry> {
        let members = self.0.lock();
        let entries = members.iter().map(|(id, member)| {
            let description = &member.description;
            WorkerEntry {
                id: id.to_string(),
                kind: description.kind.clone(),
                way: way(member.link.way()),
                build: description.build.clone(),
                used: is_usable(id, description),
                modules: description.modules,
                modules_received_total: description.modules_received_total,
                tasks_running: description.tasks_running,
                tasks_total: description.tasks_total,
            }
        });
        entries.collect()
    }
}

/// Plans and modules mean the same to it, and plans can name it.
fn is_usable(id: &WorkerId, description: &Description) -> bool {
    description.build == BUILD && worker_url(id).is_some()
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Punched => "punched",
        Way::Relayed => "relayed",
    }
}

/// Takes a worker out, unless it has come again meanwhile.
struct Leaves<'a> {
    pool: &'a WorkerPool,
    link: &'a WorkerLink,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut members = self.pool.0.lock();
        let own = members.get(self.link.id());
        if own.is_some_and(|own| own.link.is(self.link)) {
            members.remove(self.link.id());
            tracing::warn!(worker = %self.link.id(), "a worker has gone");
        }
    }
}
