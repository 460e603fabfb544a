//! The requests of a worker that wait for the rendezvous's answer, and the invitations that wait to be taken.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    error::ConnectError,
    names::WorkerId,
    registration::Attempt,
    wire::{Refusal, Request},
};

/// Invitations that may wait to be taken; more are dropped, and their senders hear that this worker is absent.
const INVITATIONS_MAX: usize = 1024;

pub(super) type Answer = Result<Attempt, Refusal>;

#[derive(Debug)]
pub(super) struct Requests {
    state: Mutex<State>,
    /// An invitation has come, or none comes any more.
    invited: Notify,
}

#[derive(Debug)]
struct State {
    /// `None` when the rendezvous is lost.
    outbox: Option<mpsc::Sender<Request>>,
    /// The number of the latest request.
    latest: u64,
    invitations_seen: u64,
    /// Oldest first. Those whose caller has left stay until they are answered, as the rendezvous counts them too.
    waiting: VecDeque<Waiting>,
    /// Oldest first.
    invitations: VecDeque<Attempt>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    peer: WorkerId,
    answer: oneshot::Sender<Answer>,
}

impl Requests {
    pub(super) fn new(outbox: mpsc::Sender<Request>) -> Self {
        let state = Mutex::new(State {
            outbox: Some(outbox),
            latest: 0,
            invitations_seen: 0,
            waiting: VecDeque::new(),
            invitations: VecDeque::new(),
        });
        Self {
            state,
            invited: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self, peer: &WorkerId) -> Result<oneshot::Receiver<Answer>, ConnectError> {
        // Sent under the lock: what has been seen must be true of this place in the order of messages.
        let mut state = self.state();
        let (answer, answered) = oneshot::channel();
        // Who is wanted may have asked first.
        let mut invitations = state.invitations.iter();
        if let Some(found) = invitations.position(|invitation| invitation.peer == *peer)
            && let Some(invitation) = state.invitations.remove(found)
        {
            drop(answer.send(Ok(invitation)));
            return Ok(answered);
        }
        let number = state.latest + 1;
        let request = Request {
            number,
            peer: peer.to_string(),
            invitations_seen: state.invitations_seen,
        };
        let outbox = state.outbox.as_ref().ok_or(ConnectError::Lost)?;
        outbox.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ConnectError::Busy,
            mpsc::error::TrySendError::Closed(_) => ConnectError::Lost,
        })?;
        state.latest = number;
        state.waiting.push_back(Waiting {
            number,
            peer: peer.clone(),
            answer,
        });
        Ok(answered)
    }

    /// The next invitation; `None` when the rendezvous is lost. May be cancelled and called again.
    pub(super) async fn invitation(&self) -> Option<Attempt> {
        loop {
            let mut invited = pin!(self.invited.notified());
            // From here on nothing is missed.
            invited.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(invitation) = state.invitations.pop_front() {
                    return Some(invitation);
                }
                state.outbox.as_ref()?;
            }
            invited.await;
        }
    }

    /// Gives it to the one who asked, `number` being zero for an invitation. An invitation that nobody asked for waits to
    /// be taken; an answer that nobody waits for any more is dropped.
    pub(super) fn answer(&self, number: u64, attempt: Attempt) {
        let mut state = self.state();
        // What was read before the end may be said after it, and would be kept for nobody.
        if state.outbox.is_none() {
            return;
        }
        let invitation = number == 0;
        if invitation {
            state.invitations_seen += 1;
        }
        let wanted = |waiting: &Waiting| match invitation {
            true => waiting.peer == attempt.peer,
            false => waiting.number == number,
        };
        let found = state.waiting.iter().position(wanted);
        let waiting = found.and_then(|found| state.waiting.remove(found));
        let unasked = match waiting {
            Some(waiting) => waiting.answer.send(Ok(attempt)).err().and_then(Result::ok),
            None => Some(attempt),
        };
        let Some(unasked) = unasked.filter(|_| invitation) else {
            return;
        };
        if state.invitations.len() == INVITATIONS_MAX {
            tracing::warn!(peer = %unasked.peer, "an invitation is dropped");
            return;
        }
        state.invitations.push_back(unasked);
        self.invited.notify_one();
    }

    pub(super) fn refuse(&self, number: u64, refusal: Refusal) {
        let mut state = self.state();
        let found = state
            .waiting
            .iter()
            .position(|waiting| waiting.number == number);
        if let Some(waiting) = found.and_then(|found| state.waiting.remove(found)) {
            // The caller may have left.
            drop(waiting.answer.send(Err(refusal)));
        }
    }

    /// Nobody is answered any more.
    pub(super) fn lost(&self) {
        let mut state = self.state();
        state.outbox = None;
        state.waiting.clear();
        state.invitations.clear();
        self.invited.notify_waiters();
    }
}
