//! Tickets that were given out and not yet forgotten.
//!
//! A ticket is 128 random bits: whoever holds it may redeem it, on any connection, until all its rows have been sent.
//! Flight promises no second time; a client whose connection broke may try again for a while. A ticket that is never
//! redeemed expires, and the oldest go first when there are too many. They must go: a ticket keeps what its statement
//! reads, temporary tables and the files of tables that have since been replaced.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::datatypes::SchemaRef;
use coordinator::{Outcome, Prepared};
use parking_lot::Mutex;
use uuid::Uuid;

/// A ticket waits this long for its client.
const UNREDEEMED_MAX: Duration = Duration::from_secs(300);
/// A ticket is kept this long after it was redeemed.
const REDEEMED_MAX: Duration = Duration::from_secs(30);
/// Tickets of all clients together.
const TICKETS_MAX: usize = 10_000;

/// What a ticket gives.
#[derive(Debug, Clone)]
pub(super) enum Ticketed {
    /// A query, run at each redemption.
    Query(Arc<Prepared>),
    /// A command that has run already; redeeming it only reads the answer.
    Done(Arc<Outcome>),
}

#[derive(Debug)]
struct Kept {
    what: Ticketed,
    /// What the client was told, which the stream must keep to.
    schema: SchemaRef,
    used: Instant,
    redeemed: bool,
}

impl Kept {
    fn has_expired(&self) -> bool {
        let kept = match self.redeemed {
            true => REDEEMED_MAX,
            false => UNREDEEMED_MAX,
        };
        self.used.elapsed() > kept
    }
}

#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<Uuid, Kept>>);

impl Tickets {
    pub(super) fn give(&self, what: Ticketed, schema: SchemaRef) -> Uuid {
        let id = Uuid::new_v4();
        let mut kept = self.0.lock();
        if kept.len() >= TICKETS_MAX
            && let Some(oldest) = kept
                .iter()
                .min_by_key(|(_, kept)| kept.used)
                .map(|(id, _)| *id)
        {
            kept.remove(&oldest);
        }
        kept.insert(
            id,
            Kept {
                what,
                schema,
                used: Instant::now(),
                redeemed: false,
            },
        );
        id
    }

    pub(super) fn redeem(&self, id: Uuid) -> Option<(Ticketed, SchemaRef)> {
        let mut kept = self.0.lock();
        let kept = kept.get_mut(&id)?;
        kept.used = Instant::now();
        kept.redeemed = true;
        Some((kept.what.clone(), Arc::clone(&kept.schema)))
    }

    /// Forgets a query whose rows have all been sent; a command's answer is small, and stays.
    pub(super) fn sent(&self, id: Uuid) {
        let sent = {
            let mut kept = self.0.lock();
            match kept.get(&id).map(|kept| &kept.what) {
                Some(Ticketed::Query(_)) => kept.remove(&id),
                _ => None,
            }
        };
        drop(sent);
    }

    /// Forgets what has not been used for long. Dropping a statement can take time, so it is done outside the lock.
    pub(super) fn expire(&self) {
        let expired: Vec<Kept> = {
            let mut kept = self.0.lock();
            let ids: Vec<Uuid> = kept
                .iter()
                .filter(|(_, kept)| kept.has_expired())
                .map(|(id, _)| *id)
                .collect();
            ids.iter().filter_map(|id| kept.remove(id)).collect()
        };
        drop(expired);
    }
}
