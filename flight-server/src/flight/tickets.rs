//! Tickets that were given out and not yet forgotten.
//!
//! A ticket is 128 random bits: its user may redeem it, on any connection, until all its rows have been sent. To others
//! it is unknown.
//! Flight promises no second time; a client whose connection broke may try again for a while. A ticket that is never
//! redeemed expires, and when there are too many, the oldest of whoever has most of them goes. They must go: a ticket keeps what its statement
//! reads, temporary tables and the files of tables that have since been replaced.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::datatypes::SchemaRef;
use arrow_flight::CancelStatus;
use coordinator::{Identity, Outcome, Prepared, ProcessState};
use parking_lot::Mutex;
use uuid::Uuid;

use super::limits::FlightLimits;

/// A ticket is kept this long after it was redeemed.
const REDEEMED_MAX: Duration = Duration::from_secs(30);

/// What a ticket gives.
#[derive(Debug, Clone)]
pub(super) enum Ticketed {
    /// A query, run at each redemption unless it was begun ahead of the first.
    Query(Arc<Prepared>),
    /// A command that has run already; redeeming it only reads the answer.
    Done(Arc<Outcome>),
}

impl Ticketed {
    /// The answer of a command. Rows that the client was told no columns of are left out.
    pub(super) fn done(mut outcome: Outcome, schema: &SchemaRef) -> Self {
        if schema.fields().is_empty() {
            outcome.batches.clear();
        }
        Self::Done(Arc::new(outcome))
    }

    /// How many rows there are to fetch; -1 where that is not known.
    pub(super) fn records(&self) -> i64 {
        match self {
            Self::Query(_) => -1,
            Self::Done(outcome) => {
                let rows = outcome.batches.iter().map(|batch| batch.num_rows() as i64);
                rows.sum()
            }
        }
    }
}

#[derive(Debug)]
struct Kept {
    owner: Identity,
    what: Ticketed,
    /// What the client was told, which the stream must keep to.
    schema: SchemaRef,
    used: Instant,
    redeemed: bool,
}

impl Kept {
    fn has_expired(&self, limits: &FlightLimits) -> bool {
        let kept = match self.redeemed {
            true => REDEEMED_MAX.min(limits.result_idle),
            false => limits.result_idle,
        };
        self.used.elapsed() > kept
    }
}

/// The oldest of whoever has most.
fn one_too_many(kept: &HashMap<Uuid, Kept>) -> Option<Uuid> {
    let mut counts: HashMap<Option<&str>, usize> = HashMap::new();
    for kept in kept.values() {
        *counts.entry(kept.owner.name.as_deref()).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count)?.0;
    let theirs = kept
        .iter()
        .filter(|(_, kept)| kept.owner.name.as_deref() == most);
    let oldest = theirs.min_by_key(|(_, kept)| kept.used)?;
    Some(*oldest.0)
}

#[derive(Debug)]
pub(super) struct Tickets {
    limits: FlightLimits,
    kept: Mutex<HashMap<Uuid, Kept>>,
}

impl Tickets {
    pub(super) fn new(limits: FlightLimits) -> Self {
        Self {
            limits,
            kept: Mutex::default(),
        }
    }

    pub(super) fn give(&self, owner: &Identity, what: Ticketed, schema: SchemaRef) -> Uuid {
        let id = Uuid::new_v4();
        // What goes is dropped outside the lock: it may hold a query.
        let mut _gone = None;
        let mut kept = self.kept.lock();
        if kept.len() >= self.limits.results_max
            && let Some(one) = one_too_many(&kept)
        {
            _gone = kept.remove(&one);
        }
        kept.insert(
            id,
            Kept {
                owner: owner.clone(),
                what,
                schema,
                used: Instant::now(),
                redeemed: false,
            },
        );
        id
    }

    pub(super) fn redeem(&self, id: Uuid, by: &Identity) -> Option<(Ticketed, SchemaRef)> {
        let mut kept = self.kept.lock();
        let kept = kept.get_mut(&id).filter(|kept| kept.owner.is(by))?;
        kept.used = Instant::now();
        kept.redeemed = true;
        Some((kept.what.clone(), Arc::clone(&kept.schema)))
    }

    /// Forgets a query whose rows have all been sent; a command's answer is small, and stays.
    pub(super) fn sent(&self, id: Uuid) {
        let sent = {
            let mut kept = self.kept.lock();
            match kept.get(&id).map(|kept| &kept.what) {
                Some(Ticketed::Query(_)) => kept.remove(&id),
                _ => None,
            }
        };
        drop(sent);
    }

    /// Keeps a ticket as long as a new one; `None` where there is no such ticket.
    pub(super) fn renew(&self, id: Uuid, by: &Identity) -> Option<()> {
        let mut kept = self.kept.lock();
        let kept = kept.get_mut(&id).filter(|kept| kept.owner.is(by))?;
        (kept.used, kept.redeemed) = (Instant::now(), false);
        Some(())
    }

    /// How long a ticket is kept after its last use.
    pub(super) fn idle(&self) -> Duration {
        self.limits.result_idle
    }

    /// Stops the statement of a ticket and forgets it; `None` where there is no such ticket.
    pub(super) fn cancel(&self, id: Uuid, by: &Identity) -> Option<CancelStatus> {
        let kept = {
            let mut kept = self.kept.lock();
            kept.get(&id).filter(|kept| kept.owner.is(by))?;
            kept.remove(&id)?
        };
        Some(match &kept.what {
            Ticketed::Done(_) => CancelStatus::NotCancellable,
            Ticketed::Query(prepared) => {
                let process = prepared.context().process();
                let running = process.state() == ProcessState::Running;
                process.cancel.cancel();
                match running {
                    true => CancelStatus::Cancelling,
                    false => CancelStatus::Cancelled,
                }
            }
        })
    }

    /// Forgets what has not been used for long. Dropping a statement can take time, so it is done outside the lock.
    pub(super) fn expire(&self) {
        let expired: Vec<Kept> = {
            let mut kept = self.kept.lock();
            let ids: Vec<Uuid> = kept
                .iter()
                .filter(|(_, kept)| kept.has_expired(&self.limits))
                .map(|(id, _)| *id)
                .collect();
            ids.iter().filter_map(|id| kept.remove(id)).collect()
        };
        drop(expired);
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;

    fn user(name: &str) -> Identity {
        Identity {
            name: Some(name.into()),
            user: None,
            admin: false,
        }
    }

    #[test]
    fn whoever_has_most_tickets_loses_the_oldest() {
        let tickets = Tickets::new(FlightLimits {
            results_max: 10,
            ..FlightLimits::default()
        });
        let schema = Arc::new(Schema::empty());
        let outcome = Arc::new(Outcome {
            schema: Arc::clone(&schema),
            batches: Vec::new(),
            rows_changed: None,
        });
        let give = |to: &Identity| {
            tickets.give(
                to,
                Ticketed::Done(Arc::clone(&outcome)),
                Arc::clone(&schema),
            )
        };
        let (ada, bob) = (user("ada"), user("bob"));
        let first = give(&ada);
        let theirs: Vec<Uuid> = (0..20).map(|_| give(&bob)).collect();
        assert!(tickets.redeem(first, &ada).is_some());
        let left = theirs
            .iter()
            .filter(|id| tickets.redeem(**id, &bob).is_some());
        assert_eq!(
            left.collect::<Vec<_>>(),
            theirs[11..].iter().collect::<Vec<_>>()
        );
        assert!(tickets.redeem(first, &bob).is_none());
    }
}
