//! The requests of a worker that wait for the rendezvous's answer.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    error::ConnectError,
    names::WorkerId,
    registration::Attempt,
    wire::{Refusal, Request},
};

pub(super) type Answer = Result<Attempt, Refusal>;

#[derive(Debug)]
pub(super) struct Requests {
    state: Mutex<State>,
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
        });
        Self { state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self, peer: &WorkerId) -> Result<oneshot::Receiver<Answer>, ConnectError> {
        // Sent under the lock: what has been seen must be true of this place in the order of messages.
        let mut state = self.state();
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
        let (answer, answered) = oneshot::channel();
        state.latest = number;
        state.waiting.push_back(Waiting {
            number,
            peer: peer.clone(),
            answer,
        });
        Ok(answered)
    }

    /// Gives it to the one who asked, `number` being zero for an invitation. Gives an invitation back that nobody asked
    /// for; an answer that nobody waits for any more is dropped.
    pub(super) fn answer(&self, number: u64, attempt: Attempt) -> Option<Attempt> {
        let mut state = self.state();
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
            Some(waiting) => waiting.answer.send(Ok(attempt)).err()?.ok(),
            None => Some(attempt),
        };
        unasked.filter(|_| invitation)
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
    }
}
