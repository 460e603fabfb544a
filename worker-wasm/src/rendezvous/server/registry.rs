//! Who is expected, who is here, and who may meet whom: the rendezvous's memory, behind one lock.
//!
//! Invariant: nothing waits for IO under the lock.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{mpsc, oneshot};

use super::{counters::RendezvousCounters, meeting::Venue, spare::Allowance};
use crate::rendezvous::{
    error::SlotError,
    limits::Limits,
    names::{SlotId, WorkerId},
    secret::{PairingId, PairingKey, Token, random},
    stream::ReverseStream,
    tls::Fingerprint,
    wire::{self, News, NotPaired, Paired, Refusal, Request},
};

/// Invitations that may still cross a request on their way; older ones are taken for seen.
const CROSSING_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Registry {
    shared_token: Option<Token>,
    limits: Limits,
    counters: Arc<RendezvousCounters>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// One-time tokens of workers.
    invited: HashMap<WorkerId, (Token, Instant)>,
    slots: HashMap<SlotId, Slot>,
    members: HashMap<WorkerId, Member>,
    pairings: HashMap<PairingId, (Arc<Venue>, Instant)>,
}

#[derive(Debug)]
struct Slot {
    token: Token,
    since: Instant,
    arrival: oneshot::Sender<ReverseStream>,
}

#[derive(Debug)]
struct Member {
    outbox: mpsc::Sender<News>,
    fingerprint: Fingerprint,
    direct: Vec<SocketAddr>,
    spares: Allowance,
    /// Ever sent to this worker.
    invitations: u64,
    /// Of those, number and peer of the ones that a request may cross.
    crossing: Vec<(u64, WorkerId)>,
}

/// The right to fill a slot.
#[derive(Debug)]
pub(super) struct SlotClaim(oneshot::Sender<ReverseStream>);

impl SlotClaim {
    pub(super) fn give(self, stream: ReverseStream) {
        // Whoever waited may have left: the stream closes.
        drop(self.0.send(stream));
    }
}

impl Registry {
    pub(super) fn new(
        shared_token: Option<Token>,
        limits: Limits,
        counters: Arc<RendezvousCounters>,
    ) -> Self {
        Self {
            shared_token,
            limits,
            counters,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn invite(&self, worker: &WorkerId) -> Result<Token, SlotError> {
        let mut state = self.state();
        self.room(&state)?;
        let token = Token::generate();
        let invitation = (token.clone(), Instant::now());
        state.invited.insert(worker.clone(), invitation);
        Ok(token)
    }

    pub(super) fn expect(
        &self,
        slot: &SlotId,
    ) -> Result<(Token, oneshot::Receiver<ReverseStream>), SlotError> {
        let mut state = self.state();
        self.room(&state)?;
        let (arrival, arrived) = oneshot::channel();
        match state.slots.entry(slot.clone()) {
            Entry::Occupied(_) => Err(SlotError::Taken { slot: slot.clone() }),
            Entry::Vacant(vacant) => {
                let token = Token::generate();
                vacant.insert(Slot {
                    token: token.clone(),
                    since: Instant::now(),
                    arrival,
                });
                Ok((token, arrived))
            }
        }
    }

    fn room(&self, state: &State) -> Result<(), SlotError> {
        let expected = state.invited.len() + state.slots.len();
        match expected < self.limits.expected_max {
            true => Ok(()),
            false => Err(SlotError::Full),
        }
    }

    /// Of the one who expected it with `token`; a later one of the same name stays.
    pub(super) fn forget(&self, slot: &SlotId, token: &Token) {
        let mut state = self.state();
        let same = |found: &Slot| found.token.matches(token.as_bytes());
        if state.slots.get(slot).is_some_and(same) {
            state.slots.remove(slot);
        }
    }

    pub(super) fn claim(&self, slot: &SlotId, token: &[u8]) -> Result<SlotClaim, Refusal> {
        let mut state = self.state();
        let Entry::Occupied(found) = state.slots.entry(slot.clone()) else {
            return Err(Refusal::Token);
        };
        let young = found.get().since.elapsed() <= self.limits.expected_age_max;
        match young && found.get().token.matches(token) {
            true => Ok(SlotClaim(found.remove().arrival)),
            false => Err(Refusal::Token),
        }
    }

    pub(super) fn enter(
        &self,
        worker: &WorkerId,
        token: &[u8],
        outbox: mpsc::Sender<News>,
        fingerprint: Fingerprint,
        direct: Vec<SocketAddr>,
    ) -> Result<(), Refusal> {
        let mut state = self.state();
        let invited = state.invited.get(worker).is_some_and(|(own, since)| {
            since.elapsed() <= self.limits.expected_age_max && own.matches(token)
        });
        let shared = self.shared_token.as_ref();
        if !invited && !shared.is_some_and(|shared| shared.matches(token)) {
            return Err(Refusal::Token);
        }
        if state.members.contains_key(worker) {
            return Err(Refusal::NameTaken);
        }
        if state.members.len() >= self.limits.workers_max {
            return Err(Refusal::Full);
        }
        if invited {
            state.invited.remove(worker);
        }
        let member = Member {
            outbox,
            fingerprint,
            direct,
            spares: Allowance::new(),
            invitations: 0,
            crossing: Vec::new(),
        };
        state.members.insert(worker.clone(), member);
        Ok(())
    }

    /// What `ask` has to say of a registered worker's right to spare connections.
    pub(super) fn spares<T>(
        &self,
        worker: &str,
        ask: impl FnOnce(&mut Allowance) -> T,
    ) -> Option<T> {
        let worker = WorkerId::new(worker)?;
        let mut state = self.state();
        let member = state.members.get_mut(&worker);
        member.map(|member| ask(&mut member.spares))
    }

    pub(super) fn leave(&self, worker: &WorkerId) {
        self.state().members.remove(worker);
    }

    /// Tells both workers of their pairing, or the one who asked why there is none.
    pub(super) fn pair(&self, worker: &WorkerId, request: &Request) {
        let mut state = self.state();
        if let Err(refusal) = self.try_pair(&mut state, worker, request) {
            self.counters.refused();
            let news = News::NotPaired(NotPaired {
                request: request.number,
                refusal: refusal.into(),
            });
            if let Some(member) = state.members.get(worker) {
                // One that lets its news pile up gives up waiting by itself.
                drop(member.outbox.try_send(news));
            }
        }
    }

    fn try_pair(
        &self,
        state: &mut State,
        worker: &WorkerId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let peer = WorkerId::new(request.peer.as_str()).ok_or(Refusal::Malformed)?;
        if peer == *worker {
            return Err(Refusal::Malformed);
        }
        let asking = state.members.get_mut(worker).ok_or(Refusal::Malformed)?;
        if asking.crossed(&peer, request.invitations_seen) {
            return Ok(());
        }
        if state.pairings.len() >= self.limits.pairings_max {
            return Err(Refusal::Full);
        }
        let (id, key) = (PairingId(random()), PairingKey::generate());
        let asking = state.members.get(worker).ok_or(Refusal::Malformed)?;
        let asked = state.members.get(&peer).ok_or(Refusal::PeerUnknown)?;
        let paired = |request, name: &WorkerId, other: &Member| {
            News::Paired(Paired {
                request,
                pairing: id.0.to_vec(),
                key: key.as_bytes().to_vec(),
                peer: name.to_string(),
                peer_fingerprint: other.fingerprint.as_bytes().to_vec(),
                peer_direct: wire::to_text(&other.direct),
            })
        };
        let (answer, invitation) = (
            paired(request.number, &peer, asked),
            paired(0, worker, asking),
        );
        // Both have room, or neither hears of it.
        let full = |_| Refusal::Full;
        let answers = asking.outbox.try_reserve().map_err(full)?;
        let invitations = asked.outbox.try_reserve().map_err(full)?;
        answers.send(answer);
        invitations.send(invitation);
        if let Some(asked) = state.members.get_mut(&peer) {
            asked.invited_by(worker);
        }
        let venue = Arc::new(Venue::new(key));
        state.pairings.insert(id, (venue, Instant::now()));
        self.counters.paired();
        Ok(())
    }

    pub(super) fn venue(&self, pairing: PairingId) -> Option<Arc<Venue>> {
        let state = self.state();
        let (venue, _) = state.pairings.get(&pairing)?;
        Some(Arc::clone(venue))
    }

    /// Nobody is expected any more, and whoever waits for someone hears it.
    pub(super) fn close(&self) {
        *self.state() = State::default();
    }

    /// Throws away what is too old.
    pub(super) fn sweep(&self) {
        let Limits {
            expected_age_max,
            pairing_age_max,
            ..
        } = self.limits;
        let mut state = self.state();
        state
            .invited
            .retain(|_, (_, since)| since.elapsed() <= expected_age_max);
        state
            .slots
            .retain(|_, slot| slot.since.elapsed() <= expected_age_max);
        state
            .pairings
            .retain(|_, (_, since)| since.elapsed() <= pairing_age_max);
    }
}

impl Member {
    /// Whether an invitation by `peer` was sent that this worker had not seen when it asked for the same. It fulfils one
    /// request: the worker gives it to the oldest one that waits for `peer`.
    fn crossed(&mut self, peer: &WorkerId, seen: u64) -> bool {
        self.crossing.retain(|(number, _)| *number > seen);
        let found = self.crossing.iter().position(|(_, by)| by == peer);
        found.map(|found| self.crossing.remove(found)).is_some()
    }

    fn invited_by(&mut self, peer: &WorkerId) {
        self.invitations += 1;
        if self.crossing.len() == CROSSING_MAX {
            self.crossing.remove(0);
        }
        self.crossing.push((self.invitations, peer.clone()));
    }
}
