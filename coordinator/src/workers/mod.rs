//! Who runs the tasks of a query: the workers there are, and how the first stage reaches them.
//!
//! [`embedded`] is the worker in this process; it asks for nothing that the query does not have already. Those of the
//! [`WorkerPool`] are other processes: [`remote`] sends them modules and plans.

mod embedded;
mod pool;
mod remote;

use std::{collections::HashMap, sync::Arc};

use datafusion::prelude::SessionConfig;
use url::Url;
use worker_wasm::{
    exec::{ModuleSource, Modules},
    module::ModuleHash,
    rendezvous::WorkerId,
    worker::{LinkError, WorkerLink},
};

pub use pool::{FUNCTION, Presence, WorkerEntry, WorkerPool};

use crate::{MurreSettings, QueryContext, QueryError};

/// Tasks of a stage where nobody says how many: between one task and one task there is no boundary, and no worker.
const TASKS_MIN: usize = 2;

/// Which workers run the tasks of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkersKind {
    /// This process.
    Embedded,
    /// Other processes, which come by themselves.
    Remote,
    /// The same, and functions that are called when a query wants them.
    Lambda,
}

impl WorkersKind {
    pub const NAMES: &str = "embedded, remote or lambda";

    pub fn of(text: &str) -> Option<Self> {
        [Self::Embedded, Self::Remote, Self::Lambda]
            .into_iter()
            .find(|kind| text.eq_ignore_ascii_case(kind.name()))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Remote => "remote",
            Self::Lambda => "lambda",
        }
    }
}

/// The workers of one query.
#[derive(Debug, Clone)]
pub(crate) struct Crew {
    tasks_per_stage: usize,
    members: Members,
}

#[derive(Debug, Clone)]
enum Members {
    Embedded,
    Remote(Arc<[WorkerLink]>),
}

impl Crew {
    /// Those that a query asks for, as of now; `None` where its plan is to stay whole.
    pub(crate) fn of(ctx: &QueryContext) -> Option<Self> {
        let settings = MurreSettings::of(ctx.state.config_options());
        let kind = settings.workers.unwrap_or(ctx.engine.config().workers);
        match (kind, settings.tasks_per_stage) {
            (WorkersKind::Embedded, 0) => None,
            (WorkersKind::Embedded, tasks_per_stage) => Some(Self {
                tasks_per_stage,
                members: Members::Embedded,
            }),
            (WorkersKind::Remote | WorkersKind::Lambda, asked) => {
                let mut members = ctx.engine.workers().usable();
                let tasks_per_stage = match asked {
                    0 => members.len().max(TASKS_MIN),
                    asked => asked,
                };
                // No more workers than tasks: another one that goes away is none of this query's concern. Which ones
                // goes round with the number of the query.
                if !members.is_empty() {
                    let first = ctx.id().0 as usize % members.len();
                    members.rotate_left(first);
                    members.truncate(tasks_per_stage);
                }
                Some(Self {
                    tasks_per_stage,
                    members: Members::Remote(members.into()),
                })
            }
        }
    }

    /// The same, where functions are called and waited for if a query asks for some that are not there.
    pub(crate) async fn gathered(self, ctx: &QueryContext) -> Self {
        let settings = MurreSettings::of(ctx.state.config_options());
        let kind = settings.workers.unwrap_or(ctx.engine.config().workers);
        if kind != WorkersKind::Lambda {
            return self;
        }
        ctx.engine.workers().gather().await;
        Self::of(ctx).unwrap_or(self)
    }

    pub(crate) fn tasks_per_stage(&self) -> usize {
        self.tasks_per_stage
    }

    /// Where its workers are, for `datafusion-distributed`. None where no worker has come yet.
    pub(crate) fn urls(&self) -> Vec<Url> {
        match &self.members {
            Members::Embedded => vec![embedded::url()],
            Members::Remote(members) => remote::urls(members),
        }
    }

    /// Sends the modules of a query to the workers that do not have them.
    pub(crate) async fn ensure(&self, modules: &[Arc<Modules>]) -> Result<(), LinkError> {
        match &self.members {
            Members::Embedded => Ok(()),
            Members::Remote(members) => remote::ensure(members, modules).await,
        }
    }

    /// The settings of the first stage, with what it needs to reach the workers of the others.
    pub(crate) fn session(
        &self,
        ctx: &QueryContext,
        config: SessionConfig,
        modules: Arc<QueryModules>,
    ) -> Result<SessionConfig, QueryError> {
        match &self.members {
            Members::Embedded => Ok(embedded::session(ctx, config, modules)),
            Members::Remote(members) => remote::session(config, modules, members)
                .map_err(|source| QueryError::planning(ctx.id(), source)),
        }
    }

    /// Resolves with the name of a worker that is there no more.
    pub(crate) async fn lost(&self) -> WorkerId {
        match &self.members {
            Members::Embedded => std::future::pending().await,
            Members::Remote(members) => remote::lost(members).await,
        }
    }

    /// Whether its workers can go away while the query runs.
    pub(crate) fn can_be_lost(&self) -> bool {
        matches!(self.members, Members::Remote(_))
    }
}

/// The code of one query's fragments, by hash.
#[derive(Debug)]
pub(crate) struct QueryModules(HashMap<ModuleHash, Arc<Modules>>);

impl QueryModules {
    pub(crate) fn new(fragments: &[Arc<Modules>]) -> Self {
        let modules = fragments.iter();
        let modules = modules.map(|modules| (modules.module().hash(), Arc::clone(modules)));
        Self(modules.collect())
    }
}

impl ModuleSource for QueryModules {
    fn modules(&self, hash: &ModuleHash) -> Option<Arc<Modules>> {
        self.0.get(hash).map(Arc::clone)
    }
}
