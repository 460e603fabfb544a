//! What goes into the log, in one order: the one committer of a member that leads.
//!
//! ```text
//! waiting ──leads──> barrier ──own entry applied──> leading ──a proposal fails, or the lead goes──> draining ──> waiting
//! ```
//!
//! Requests gather in an open entry while another is under way, and a little longer: whoever was just answered comes back
//! soon, and shares the next entry with those who came meanwhile. So entries grow with the load.
//! A session begins behind an entry of its own term. When it ends, every proposal of it has been answered before another
//! begins, so that what a committer registered and what is applied stay the same.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, watch};

use super::{
    gathering::Gathering,
    requests::{CommitWaiter, Request, Waiters},
};
use crate::{
    KvError, Version,
    metrics::{Step, Steps},
    raft::{Committed, Group, GroupError, LeadWatch, ProposeError},
    state::State,
    txn::{
        Admission, Command, CommitRequest, Committer, EntryOutcome, Outcome, encode_entry, outcome,
    },
};

/// An entry is closed behind the command that makes it this long, in bytes.
const ENTRY_BYTES: usize = 1024 * 1024;
/// Commands of an entry, at most.
const ENTRY_COMMANDS_MAX: usize = 4096;
/// Keys and ranges that the committer remembers the last writer of, at most, and commits.
const CONFLICTS_MAX: usize = 1_000_000;
/// Between two tries to begin a session, when nothing says that the lead changed.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Until the node is gone. `serving` says whether a session is on.
pub(super) async fn run(
    group: Group,
    state: Arc<State>,
    requests: mpsc::Receiver<Request>,
    serving: watch::Sender<bool>,
    steps: Steps,
) {
    let lead = group.watch_lead();
    let mut proposer = Proposer {
        group,
        state,
        lead,
        requests,
        committer: Committer::new(CONFLICTS_MAX),
        under_way: None,
        open: Vec::new(),
        open_bytes: 0,
        gathering: Gathering::new(Instant::now()),
        steps,
        waiters: Waiters::default(),
    };
    while let Some(term) = proposer.wait_for_lead().await {
        tracing::info!(term, "this member takes requests");
        serving.send_replace(true);
        let is_over = proposer.lead(term).await;
        serving.send_replace(false);
        proposer.drain().await;
        tracing::info!(term, "this member does not take requests any more");
        if is_over {
            return;
        }
    }
}

/// What an entry was made of, and what became of it.
type Proposal = (Vec<Command>, Result<Committed, GroupError>);

struct Proposer {
    group: Group,
    state: Arc<State>,
    lead: LeadWatch,
    requests: mpsc::Receiver<Request>,
    committer: Committer,
    /// One at a time: more gathers for the next then. A member's work for an entry is that for a dozen commands, and those
    /// it saves are worth more than the wait.
    under_way: Option<BoxFuture<'static, Proposal>>,
    /// The next entry.
    open: Vec<Command>,
    /// About, of the open entry.
    open_bytes: usize,
    gathering: Gathering,
    steps: Steps,
    waiters: Waiters,
}

impl Proposer {
    /// The term of a session, which has begun when this returns. `None` when the node is gone.
    async fn wait_for_lead(&mut self) -> Option<u64> {
        loop {
            if self.group.lead().is_own
                && let Ok(barrier) = self.group.propose(encode_entry(&[]).into()).await
            {
                let start = Version::end_of_entry(barrier.id.index);
                self.committer.begin_term(barrier.id.term, start);
                return Some(barrier.id.term);
            }
            tokio::select! {
                biased;
                changed = self.lead.changed() => {
                    if !changed {
                        return None;
                    }
                }
                request = self.requests.recv() => self.turn_away(request?),
                () = tokio::time::sleep(RETRY_AFTER) => {}
            }
        }
    }

    fn turn_away(&self, request: Request) {
        let leader = self.group.lead().leader;
        request.refuse(KvError::NotLeader { leader });
    }

    /// Returns when the session must end; true when the node is gone.
    async fn lead(&mut self, term: u64) -> bool {
        loop {
            let mut waits = None;
            if !self.open.is_empty() && self.under_way.is_none() {
                let more = || self.gathering.waits(self.open.len(), Instant::now());
                waits = self.has_room().then(more).flatten();
                if waits.is_none() {
                    self.propose();
                }
            }
            let has_room = self.has_room();
            tokio::select! {
                biased;
                proposal = ready(&mut self.under_way) => {
                    self.under_way = None;
                    let (num_done, num_open) = (proposal.0.len(), self.open.len());
                    let took = self.gathering.done(num_done, num_open, Instant::now());
                    self.steps.observe(Step::Round, took);
                    if !self.done(proposal, term) {
                        return false;
                    }
                }
                changed = self.lead.changed() => {
                    let lead = self.group.lead();
                    if !changed || !lead.is_own || lead.term != term {
                        return !changed;
                    }
                }
                request = self.requests.recv(), if has_room => {
                    let Some(request) = request else { return true };
                    self.take(request);
                }
                () = until(waits), if waits.is_some() => {}
            }
        }
    }

    /// Whether the open entry takes more.
    fn has_room(&self) -> bool {
        self.open_bytes < ENTRY_BYTES && self.open.len() < ENTRY_COMMANDS_MAX
    }

    /// A request, and those behind it that fit into the open entry.
    fn take(&mut self, first: Request) {
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Commit { request, answer } => self.admit(request, answer),
                Request::Ask { id, answer } => {
                    self.waiters.ask(id, answer);
                    self.push(Command::AskOutcome { id }, 0);
                }
                Request::Gc {
                    watermark,
                    outcomes_below,
                } => self.push(
                    Command::Gc {
                        watermark,
                        outcomes_below,
                    },
                    0,
                ),
            }
            next = self
                .has_room()
                .then(|| self.requests.try_recv().ok())
                .flatten();
        }
    }

    fn admit(&mut self, request: CommitRequest, answer: CommitWaiter) {
        let (id, num_bytes) = (request.id, request.num_bytes());
        let state = &self.state;
        // As of the last proposal that was seen to be done: an id is in it, or still with the committer.
        let known = || outcome(&*state.reader(), id);
        let refused = match self.committer.admit(request, known) {
            Ok(Admission::Propose(command)) => {
                self.waiters.commit(id, answer);
                self.push(command, num_bytes);
                return;
            }
            Ok(Admission::InFlight) => {
                self.waiters.commit(id, answer);
                return;
            }
            Ok(Admission::Known(outcome)) => committed(outcome),
            Ok(Admission::Conflict) => Err(KvError::Conflict),
            Ok(Admission::TooOld) => Err(KvError::TooOld),
            Ok(Admission::Refused(limit)) => Err(limit.into()),
            Err(error) => Err(error.into()),
        };
        drop(answer.send(refused));
    }

    fn push(&mut self, command: Command, bytes: usize) {
        self.gathering.pushed(Instant::now());
        self.open.push(command);
        self.open_bytes += bytes;
    }

    fn propose(&mut self) {
        let waited = self.gathering.proposed(Instant::now());
        self.steps.observe(Step::Gather, waited);
        let commands = std::mem::take(&mut self.open);
        self.open_bytes = 0;
        let group = self.group.clone();
        let entry = encode_entry(&commands);
        let proposal = async move {
            let proposed = group.propose(entry.into()).await;
            (commands, proposed)
        };
        self.under_way = Some(proposal.boxed());
    }

    /// Answers who waited for an entry. False when the session must end.
    fn done(&mut self, (commands, proposed): Proposal, term: u64) -> bool {
        match proposed {
            Ok(entry) => {
                let outcomes = entry.outcomes.iter();
                for ((position, command), outcome) in (0..).zip(&commands).zip(outcomes) {
                    let at = Version {
                        epoch: 0,
                        index: entry.id.index,
                        position,
                    };
                    self.applied(entry.id.term, command, *outcome, at);
                }
                entry.id.term == term
            }
            Err(error) => {
                for command in &commands {
                    self.failed(command, &error);
                }
                false
            }
        }
    }

    fn applied(&mut self, term: u64, command: &Command, outcome: EntryOutcome, at: Version) {
        match (command, outcome) {
            (Command::Commit { id, .. }, EntryOutcome::Outcome(outcome)) => {
                self.committer.applied(term, *id, at);
                self.waiters.answer_commit(*id, &committed(outcome));
            }
            (Command::Commit { id, .. }, _) => {
                let not_here = Err(KvError::NotLeader { leader: None });
                self.waiters.answer_commit(*id, &not_here);
            }
            (Command::AskOutcome { id }, EntryOutcome::Outcome(outcome)) => {
                self.waiters.answer_ask(*id, &Ok(outcome));
            }
            (Command::AskOutcome { .. } | Command::Gc { .. }, _) => {}
        }
    }

    fn failed(&mut self, command: &Command, error: &GroupError) {
        match (command, error) {
            (Command::Commit { id, .. }, GroupError::Propose(ProposeError::NotLeader { .. })) => {
                self.waiters.answer_commit(*id, &Err(error.clone().into()));
            }
            (Command::Commit { id, .. }, _) => {
                self.waiters
                    .answer_commit(*id, &Err(KvError::UnknownOutcome { id: *id }));
            }
            (Command::AskOutcome { id }, _) => {
                // Asking again does no harm, so it does not matter whether this one was written.
                let leader = self.group.lead().leader;
                self.waiters
                    .answer_ask(*id, &Err(KvError::NotLeader { leader }));
            }
            (Command::Gc { .. }, _) => {}
        }
    }

    /// Ends a session: nothing of it is under way afterwards.
    async fn drain(&mut self) {
        let leader = self.group.lead().leader;
        let not_proposed = GroupError::from(ProposeError::NotLeader { leader });
        for command in std::mem::take(&mut self.open) {
            self.failed(&command, &not_proposed);
        }
        self.open_bytes = 0;
        self.gathering = Gathering::new(Instant::now());
        while self.under_way.is_some() {
            tokio::select! {
                biased;
                proposal = ready(&mut self.under_way) => {
                    self.under_way = None;
                    // The session is over in any case.
                    self.done(proposal, 0);
                }
                Some(request) = self.requests.recv() => self.turn_away(request),
            }
        }
    }
}

/// Never returns where there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Never returns where there is none.
async fn ready(under_way: &mut Option<BoxFuture<'static, Proposal>>) -> Proposal {
    match under_way {
        Some(proposal) => proposal.await,
        None => std::future::pending().await,
    }
}

fn committed(outcome: Outcome) -> Result<Version, KvError> {
    match outcome {
        Outcome::Committed(version) => Ok(version),
        Outcome::Aborted(at) => Err(KvError::Aborted { at }),
    }
}
