//! The life of one invocation of a function: it comes to the coordinator and serves on the connection that it dialled, until
//! nobody wants it, the coordinator goes, or its own end is near.
//!
//! ```text
//! invoked -> registered (for peers) -> dialled, turned round -> tasks .. -> draining -> no task left -> answered
//! ```
//! Before it ends by itself it says that it is draining, and goes on for as long as somebody may not have heard of that.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{
    HostError,
    core::{Caller, Core},
    host::take_invitations,
    peers::Peers,
    worker_url,
};
use crate::rendezvous::{
    Fingerprint, Identity, Registration, ReverseConfig, SlotId, Timings, Token, WorkerConfig,
    WorkerId, dial_reversed,
};

/// How often is looked for tasks.
const LOOK: Duration = Duration::from_millis(50);
/// Without a task for this long after it has said so, a draining function may go: a coordinator asks how it is each
/// second, and a query that chose it just before has sent its plans by then.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a coordinator says to a function when it calls it. As JSON, it is the invocation's event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invocation {
    /// "host:port" of the coordinator's rendezvous.
    pub rendezvous: String,
    /// Of its certificate, in hexadecimal.
    pub fingerprint: String,
    /// The function's name among workers, and that of the slot it is to fill.
    pub worker: String,
    /// Good once, for the slot.
    pub slot_token: String,
    /// Good once, for a place among workers.
    pub worker_token: String,
    /// Without tasks for so long, the function ends. Milliseconds.
    pub idle_ms: u64,
}

/// How long an invocation may go on.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From then on it drains.
    pub drains: Instant,
    /// By then it is over, whatever runs.
    pub ends: Instant,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InvocationEnd {
    /// Nobody had work for it.
    Idle,
    /// Its time was up, and no task was left.
    Drained,
    /// Its time was up, and tasks ran.
    Cut,
    /// The coordinator or its rendezvous went.
    Left,
}

/// Serves until then. Errors: [`HostError`], when the coordinator is not there or refuses.
pub async fn serve_invocation(
    core: &Core,
    peers: &Arc<Peers>,
    identity: &Identity,
    invocation: &Invocation,
    patience: Patience,
) -> Result<InvocationEnd, HostError> {
    let called = Called::read(invocation)?;
    let refused = |source| HostError::Refused { source };
    // A place among workers first: whoever gets the connection may send a task that reads from a peer at once.
    let worker = called.worker(identity.clone());
    let registration = Registration::open(worker).await.map_err(refused)?;
    let registration = Arc::new(registration);
    let place = peers.registered(Arc::clone(&registration), core.clone());
    let stream = dial_reversed(called.reverse()).await.map_err(refused)?;
    core.drain(false);
    let idle = Duration::from_millis(invocation.idle_ms);
    let end = tokio::select! {
        served = core.serve(Caller::Coordinator, stream) => {
            let error = served.err().map(tracing::field::display);
            tracing::info!(error, "the coordinator's connection ended");
            InvocationEnd::Left
        }
        () = take_invitations(&registration, peers, core) => InvocationEnd::Left,
        end = drained(core, idle, patience) => end,
    };
    drop(place);
    Ok(end)
}

/// An [`Invocation`], understood.
struct Called {
    rendezvous: String,
    fingerprint: Fingerprint,
    id: WorkerId,
    slot: SlotId,
    slot_token: Token,
    worker_token: Token,
}

impl Called {
    fn read(invocation: &Invocation) -> Result<Self, HostError> {
        let malformed = |what| HostError::Invocation { what };
        let id = WorkerId::new(invocation.worker.as_str());
        let id = id.filter(|id| worker_url(id).is_some());
        Ok(Self {
            rendezvous: invocation.rendezvous.clone(),
            fingerprint: Fingerprint::parse(&invocation.fingerprint)
                .ok_or(malformed("fingerprint"))?,
            id: id.ok_or(malformed("worker"))?,
            slot: SlotId::new(invocation.worker.as_str()).ok_or(malformed("worker"))?,
            slot_token: Token::new(invocation.slot_token.as_str())
                .ok_or(malformed("slot_token"))?,
            worker_token: Token::new(invocation.worker_token.as_str())
                .ok_or(malformed("worker_token"))?,
        })
    }

    fn worker(&self, identity: Identity) -> WorkerConfig {
        WorkerConfig {
            rendezvous: self.rendezvous.clone(),
            rendezvous_fingerprint: self.fingerprint,
            token: self.worker_token.clone(),
            id: self.id.clone(),
            identity,
            // Nobody reaches a function from outside.
            listener: None,
            private_addresses: Vec::new(),
            timings: Timings::default(),
        }
    }

    fn reverse(self) -> ReverseConfig {
        ReverseConfig {
            rendezvous: self.rendezvous,
            rendezvous_fingerprint: self.fingerprint,
            slot: self.slot,
            token: self.slot_token,
            dial_max: Timings::default().rendezvous_max,
        }
    }
}

/// Resolves when the function may go.
async fn drained(core: &Core, idle_max: Duration, patience: Patience) -> InvocationEnd {
    let mut state = Attendance::new(Instant::now());
    loop {
        sleep(LOOK).await;
        let seen = state.look(Instant::now(), core.tasks_running(), idle_max, patience);
        match seen {
            Seen::Wanted => {}
            Seen::Draining => core.drain(true),
            Seen::Over(end) => return end,
        }
    }
}

/// When a function had its last task, and why it drains.
struct Attendance {
    /// When a task was last seen, or the draining said.
    busy: Instant,
    draining: Option<InvocationEnd>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Wanted,
    Draining,
    Over(InvocationEnd),
}

impl Attendance {
    fn new(now: Instant) -> Self {
        Self {
            busy: now,
            draining: None,
        }
    }

    fn look(&mut self, now: Instant, tasks: u64, idle_max: Duration, patience: Patience) -> Seen {
        if now >= patience.ends {
            return Seen::Over(match tasks {
                0 => InvocationEnd::Drained,
                _ => InvocationEnd::Cut,
            });
        }
        if tasks > 0 {
            self.busy = now;
        }
        let quiet = now.saturating_duration_since(self.busy);
        match self.draining {
            Some(end) if quiet >= FAREWELL => return Seen::Over(end),
            Some(_) => return Seen::Draining,
            None if now >= patience.drains => self.draining = Some(InvocationEnd::Drained),
            None if quiet >= idle_max => self.draining = Some(InvocationEnd::Idle),
            None => return Seen::Wanted,
        }
        self.busy = now;
        Seen::Draining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    /// What is seen at these seconds, with so many tasks.
    fn check(looks: &[(u64, u64, Seen)]) {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let patience = Patience {
            drains: at(60),
            ends: at(100),
        };
        let mut state = Attendance::new(start);
        for (seconds, tasks, expected) in looks {
            let seen = state.look(at(*seconds), *tasks, IDLE, patience);
            assert_eq!(seen, *expected, "at {seconds} s with {tasks} tasks");
        }
    }

    #[test]
    fn a_function_without_tasks_drains_and_goes() {
        check(&[
            (5, 1, Seen::Wanted),
            (14, 0, Seen::Wanted),
            (15, 0, Seen::Draining),
            (17, 0, Seen::Draining),
            (18, 0, Seen::Over(InvocationEnd::Idle)),
        ]);
    }

    #[test]
    fn a_task_that_came_while_it_drained_is_waited_for() {
        check(&[
            (10, 0, Seen::Draining),
            (12, 1, Seen::Draining),
            (14, 1, Seen::Draining),
            (16, 0, Seen::Draining),
            (17, 0, Seen::Over(InvocationEnd::Idle)),
        ]);
    }

    #[test]
    fn near_its_deadline_a_function_drains_and_at_the_end_it_is_cut() {
        check(&[
            (59, 1, Seen::Wanted),
            (60, 1, Seen::Draining),
            (99, 1, Seen::Draining),
            (100, 1, Seen::Over(InvocationEnd::Cut)),
        ]);
        check(&[
            (55, 1, Seen::Wanted),
            (60, 0, Seen::Draining),
            (63, 0, Seen::Over(InvocationEnd::Drained)),
        ]);
    }
}
