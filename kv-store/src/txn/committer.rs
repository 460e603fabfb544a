//! Decides, on the leader, which transactions go into the log.
//!
//! One committer checks, registers and proposes in one order, so log order is the order of its decisions.
//! It belongs to one term: what it admitted may be applied only from an entry of that term (see `Command::Commit`),
//! because a leader that lost and regained its place has not seen what others committed between.

use std::collections::{HashSet, VecDeque};

use super::{
    Command, CommitRequest, ConflictMap, LimitError, Outcome, TxnId, check,
    conflict::{Checked, Written},
};
use crate::{Version, mutant::Mutant};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Goes into the log next, before anything admitted later.
    Propose(Command),
    /// It came before, and this became of it.
    Known(Outcome),
    /// It came before and is in the log's way: its outcome is the first one's.
    InFlight,
    /// Something it read was written since. Nothing of it will happen; a new attempt needs a new id.
    Conflict,
    /// Its read version is older than what is remembered. Like a conflict.
    TooOld,
    /// It breaks a limit.
    Refused(LimitError),
}

#[derive(Debug)]
pub struct Committer {
    term: u64,
    conflicts: ConflictMap,
    conflicts_max: usize,
    /// Admitted and not applied, oldest first.
    in_flight: VecDeque<TxnId>,
    ids: HashSet<TxnId>,
}

impl Committer {
    /// A committer that admits nothing before its first term. `conflicts_max` bounds the memory for conflicts, in keys and
    /// ranges of common lengths, and in commits.
    pub fn new(conflicts_max: usize) -> Self {
        Self {
            term: 0,
            conflicts: ConflictMap::new(Version::MAX, conflicts_max),
            conflicts_max,
            in_flight: VecDeque::new(),
            ids: HashSet::new(),
        }
    }

    /// The node leads from now on: `start` is the version of its own first entry of `term`, which is applied.
    ///
    /// What others committed before is not in the map, so whoever read below `start` is refused.
    pub fn begin_term(&mut self, term: u64, start: Version) {
        self.term = term;
        self.in_flight.clear();
        self.ids.clear();
        if Mutant::KeepConflictMap.is_active() && self.conflicts.forget_in_flight() {
            return;
        }
        self.conflicts = ConflictMap::new(start, self.conflicts_max);
    }

    /// Decides on a request. `known` finds its outcome in the applied state, and is asked only before a refusal: of what goes
    /// into the log, applying it finds the outcome that came before.
    pub fn admit<E>(
        &mut self,
        request: CommitRequest,
        known: impl FnOnce() -> Result<Option<Outcome>, E>,
    ) -> Result<Admission, E> {
        if let Err(limit) = check(&request) {
            return Ok(Admission::Refused(limit));
        }
        if self.ids.contains(&request.id) {
            return Ok(Admission::InFlight);
        }
        let refused = match self.conflicts.check(request.read_version, &request.reads) {
            Checked::Clean => None,
            Checked::Conflict => Some(Admission::Conflict),
            Checked::TooOld => Some(Admission::TooOld),
        };
        if let Some(refused) = refused {
            // What a commit that came before met may be itself.
            return Ok(known()?.map_or(refused, Admission::Known));
        }
        self.conflicts
            .register(request.mutations.iter().map(Written::from));
        self.ids.insert(request.id);
        self.in_flight.push_back(request.id);
        Ok(Admission::Propose(Command::Commit {
            term: self.term,
            id: request.id,
            mutations: request.mutations,
        }))
    }

    /// A command that some committer admitted in `term` was applied. Called for every one, in the order of the log.
    pub fn applied(&mut self, term: u64, id: TxnId, version: Version) {
        if term != self.term {
            return;
        }
        let first = self.in_flight.pop_front();
        debug_assert_eq!(first, Some(id), "log order is the order of admission");
        self.ids.remove(&id);
        self.conflicts.applied(version);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::txn::{KeyRange, Mutation};

    /// Reads and writes one key.
    fn request(id: u8, read_version: Version) -> CommitRequest {
        let (key, value) = (b"/user/a".to_vec(), Vec::new());
        CommitRequest {
            id: TxnId([id; 16]),
            read_version,
            reads: vec![KeyRange::point(key.clone())],
            mutations: vec![Mutation::Set { key, value }],
        }
    }

    #[test]
    fn a_commit_asked_for_again_does_not_conflict_with_itself() {
        let mut committer = Committer::new(100);
        let start = Version::end_of_entry(1);
        committer.begin_term(1, start);
        let admit = |committer: &mut Committer, id, at, known| {
            let known = || Ok::<_, Infallible>(known);
            match committer.admit(request(id, at), known) {
                Ok(admission) => admission,
                Err(never) => match never {},
            }
        };
        let first = admit(&mut committer, 1, start, None);
        assert!(matches!(first, Admission::Propose(_)));
        assert_eq!(admit(&mut committer, 1, start, None), Admission::InFlight);
        let at = Version {
            epoch: 0,
            index: 2,
            position: 0,
        };
        committer.applied(1, TxnId([1; 16]), at);
        let known = Some(Outcome::Committed(at));
        assert_eq!(
            admit(&mut committer, 1, start, known),
            Admission::Known(Outcome::Committed(at))
        );
        assert_eq!(
            admit(&mut committer, 1, Version::MIN, known),
            Admission::Known(Outcome::Committed(at))
        );
        assert_eq!(admit(&mut committer, 2, start, None), Admission::Conflict);
        let clean = admit(&mut committer, 1, at, known);
        assert!(
            matches!(clean, Admission::Propose(_)),
            "applying it will tell"
        );
    }
}
