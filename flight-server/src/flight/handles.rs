//! The prepared statements that clients hold handles of.
//!
//! A handle is 128 random bits, good for its user only.

use std::{collections::HashMap, sync::Arc, time::Instant};

use arrow::datatypes::SchemaRef;
use coordinator::{Identity, Statement};
use parking_lot::Mutex;
use tonic::Status;
use uuid::Uuid;

use super::{limits::FlightLimits, put::Values, statement::Caller};

/// One prepared statement.
#[derive(Debug)]
pub(super) struct Handle {
    /// The session that prepared it.
    pub(super) session: String,
    pub(super) owner: Identity,
    pub(super) statement: Arc<Statement>,
    /// What its rows were announced to be.
    pub(super) schema: SchemaRef,
    pub(super) values: Mutex<Option<Values>>,
    pub(super) used: Mutex<Instant>,
}

/// The statements that clients have prepared and not closed.
#[derive(Debug)]
pub(super) struct Handles {
    limits: FlightLimits,
    by_id: Mutex<HashMap<Uuid, Arc<Handle>>>,
}

impl Handles {
    pub(super) fn new(limits: FlightLimits) -> Self {
        Self {
            limits,
            by_id: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &FlightLimits {
        &self.limits
    }

    pub(super) fn insert(&self, handle: Handle) -> Result<Uuid, Status> {
        let mut by_id = self.by_id.lock();
        let own = by_id
            .values()
            .filter(|known| known.session == handle.session);
        if own.count() >= self.limits.prepared_per_session_max {
            return Err(Status::resource_exhausted(format!(
                "the session has {} prepared statements open\nhint: close those that are no longer used",
                self.limits.prepared_per_session_max
            )));
        }
        if by_id.len() >= self.limits.prepared_max {
            let oldest = by_id.iter().min_by_key(|(_, known)| *known.used.lock());
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                by_id.remove(&oldest);
            }
        }
        let id = Uuid::new_v4();
        by_id.insert(id, Arc::new(handle));
        Ok(id)
    }

    pub(super) fn get(&self, caller: &Caller, handle: &[u8]) -> Result<Arc<Handle>, Status> {
        self.of(caller.session.identity(), handle)
    }

    fn of(&self, user: &Identity, handle: &[u8]) -> Result<Arc<Handle>, Status> {
        let id = parse(handle)?;
        let known = self.by_id.lock().get(&id).cloned();
        let known = known.filter(|known| known.owner.is(user)).ok_or_else(|| {
            Status::not_found(
                "the prepared statement is unknown, closed or has expired\nhint: prepare it again",
            )
        })?;
        *known.used.lock() = Instant::now();
        Ok(known)
    }

    /// Forgets a handle. One that is gone already is no error: clients close what has expired.
    pub(super) fn close(&self, caller: &Caller, handle: &[u8]) -> Result<(), Status> {
        let id = parse(handle)?;
        if self.get(caller, handle).is_ok() {
            let closed = self.by_id.lock().remove(&id);
            drop(closed);
        }
        Ok(())
    }

    /// Forgets a handle of the time before there were users; whether it was one.
    pub(super) fn close_nobodys(&self, handle: &[u8]) -> bool {
        let Ok(id) = parse(handle) else { return false };
        let closed = {
            let mut by_id = self.by_id.lock();
            let nobodys = |known: &&Arc<Handle>| known.owner.is(&Identity::nobody());
            match by_id.get(&id).filter(nobodys) {
                Some(_) => by_id.remove(&id),
                None => None,
            }
        };
        closed.is_some()
    }

    /// Forgets what has not been used for long. Dropping a plan can take time, so it is done outside the lock.
    pub(super) fn expire(&self) {
        let mut expired = Vec::new();
        self.by_id.lock().retain(|_, handle| {
            let keep = handle.used.lock().elapsed() <= self.limits.session_idle;
            if !keep {
                expired.push(Arc::clone(handle));
            }
            keep
        });
    }
}

fn parse(handle: &[u8]) -> Result<Uuid, Status> {
    Uuid::from_slice(handle).map_err(|_| {
        Status::invalid_argument("the prepared statement handle was not made by this server")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_of_other_makes_are_told_from_those_that_are_gone() {
        let handles = Handles::new(FlightLimits::default());
        for (bytes, code) in [
            (&b""[..], tonic::Code::InvalidArgument),
            (b"seventeen bytes!!", tonic::Code::InvalidArgument),
            (b"sixteen bytes it", tonic::Code::NotFound),
        ] {
            assert_eq!(
                handles.of(&Identity::nobody(), bytes).unwrap_err().code(),
                code
            );
        }
    }
}
