//! The statements in flight: what `SHOW PROCESSLIST` lists and `KILL` stops.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::Session;

/// Numbers statements from 1 in the order they came, within one run of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the server does for a statement right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    Planning,
    /// Planned, and the client has not asked for the rows.
    Waiting,
    Running,
}

impl ProcessState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Waiting => "waiting",
            Self::Running => "running",
        }
    }
}

/// One statement in flight.
#[derive(Debug)]
pub struct Process {
    pub id: QueryId,
    pub session: String,
    /// Address of the client, or `local`.
    pub client: String,
    /// `None` where nobody has to say who they are.
    pub user: Option<String>,
    /// Without passwords and keys.
    pub sql: String,
    pub cancel: CancellationToken,
    pub started: Instant,
    /// Rows handed to the client so far.
    pub rows_out: AtomicU64,
    live: Mutex<Live>,
}

#[derive(Debug)]
struct Live {
    /// Time from the start to the end of planning; `None` until then.
    planning: Option<Duration>,
    /// Runs in progress: a client may fetch the rows of one ticket twice at a time.
    runs: usize,
    /// When the oldest run in progress began.
    run_started: Instant,
    /// What the last run runs.
    plan: Option<Arc<dyn ExecutionPlan>>,
}

impl Process {
    pub fn state(&self) -> ProcessState {
        let live = self.live.lock();
        match (live.planning, live.runs) {
            (None, 0) => ProcessState::Planning,
            (Some(_), 0) => ProcessState::Waiting,
            _ => ProcessState::Running,
        }
    }

    /// Time the server has spent on the statement: planning and the run in progress, not the client's pause between.
    pub fn elapsed(&self) -> Duration {
        let live = self.live.lock();
        let running = match live.runs {
            0 => Duration::ZERO,
            _ => live.run_started.elapsed(),
        };
        live.planning.unwrap_or_else(|| self.started.elapsed()) + running
    }

    pub(crate) fn planned(&self) {
        let planning = self.started.elapsed();
        self.live.lock().planning.get_or_insert(planning);
    }

    /// Counts a run until the guard is dropped.
    pub(crate) fn run(self: &Arc<Self>, plan: Option<&Arc<dyn ExecutionPlan>>) -> Run {
        let mut live = self.live.lock();
        if live.runs == 0 {
            live.run_started = Instant::now();
        }
        live.runs += 1;
        live.plan = plan.cloned();
        drop(live);
        Run(Arc::clone(self))
    }

    /// The plan a running command has come to.
    pub(crate) fn runs_plan(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.live.lock().plan = Some(Arc::clone(plan));
    }

    /// Share of the input rows that scans have given out, 0 to 1; `None` while nothing is known.
    /// Pruned rows never come out, so a query may end below 1.
    pub fn progress(&self) -> Option<f64> {
        let plan = self.live.lock().plan.clone()?;
        let (mut done, mut all) = (0u64, 0u64);
        sum_scans(&plan, &mut done, &mut all);
        (all > 0).then(|| (done as f64 / all as f64).min(1.0))
    }
}

/// Keeps a statement in the state [`ProcessState::Running`].
#[derive(Debug)]
pub(crate) struct Run(Arc<Process>);

impl Drop for Run {
    fn drop(&mut self) {
        let mut live = self.0.live.lock();
        live.runs -= 1;
        if live.runs == 0 {
            live.plan = None;
        }
    }
}

fn sum_scans(plan: &Arc<dyn ExecutionPlan>, done: &mut u64, all: &mut u64) {
    let children = plan.children();
    if children.is_empty() {
        let rows = plan
            .partition_statistics(None)
            .ok()
            .and_then(|statistics| statistics.num_rows.get_value().copied());
        let out = plan.metrics().and_then(|metrics| metrics.output_rows());
        if plan.output_partitioning().partition_count() > 0
            && let (Some(rows), Some(out)) = (rows, out)
        {
            *all += rows as u64;
            *done += (out as u64).min(rows as u64);
        } else if let Some(rows) = rows {
            *all += rows as u64;
        }
    }
    for child in children {
        sum_scans(child, done, all);
    }
}

/// All statements in flight in this process.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    next: AtomicU64,
    live: Mutex<BTreeMap<QueryId, Arc<Process>>>,
}

impl Processes {
    /// Lists a statement until the returned guard is dropped.
    pub(crate) fn enter(
        self: &Arc<Self>,
        session: &Session,
        client: &str,
        sql: &str,
        cancel: CancellationToken,
    ) -> Listed {
        let owner = (session.id(), session.identity().name.as_deref());
        self.list(owner, client, sql, cancel)
    }

    /// `owner` is the session and its user.
    fn list(
        self: &Arc<Self>,
        owner: (&str, Option<&str>),
        client: &str,
        sql: &str,
        cancel: CancellationToken,
    ) -> Listed {
        let (session, user) = owner;
        let id = QueryId(self.next.fetch_add(1, Ordering::Relaxed) + 1);
        let process = Arc::new(Process {
            id,
            session: session.into(),
            client: client.into(),
            user: user.map(str::to_owned),
            sql: sql.into(),
            cancel,
            started: Instant::now(),
            rows_out: AtomicU64::new(0),
            live: Mutex::new(Live {
                planning: None,
                runs: 0,
                run_started: Instant::now(),
                plan: None,
            }),
        });
        self.live.lock().insert(id, Arc::clone(&process));
        Listed {
            process,
            list: Arc::clone(self),
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Process>> {
        self.live.lock().values().cloned().collect()
    }

    pub(crate) fn get(&self, id: QueryId) -> Option<Arc<Process>> {
        self.live.lock().get(&id).cloned()
    }
}

/// Keeps a statement in the list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) process: Arc<Process>,
    list: Arc<Processes>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.list.live.lock().remove(&self.process.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_runs_until_its_last_run_ends_and_waiting_for_the_client_costs_no_time() {
        let list: Arc<Processes> = Arc::default();
        let listed = list.list(("s", None), "c", "SELECT 1", CancellationToken::new());
        let process = &listed.process;
        assert_eq!(process.state(), ProcessState::Planning);
        process.planned();
        let planning = process.elapsed();
        std::thread::yield_now();
        assert_eq!(process.elapsed(), planning);
        let (first, second) = (process.run(None), process.run(None));
        drop(first);
        assert_eq!(process.state(), ProcessState::Running);
        drop(second);
        assert_eq!(process.state(), ProcessState::Waiting);
        assert_eq!(process.elapsed(), planning);
    }
}
