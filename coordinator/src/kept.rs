//! The plans that a session keeps for statements that may run again.
//!
//! A plan keeps what it reads: temporary tables, charged to the process, and files of tables that are dropped. So it is the
//! session's and not of whoever holds the statement, and goes with the session, with any change of the session's temporary
//! tables or settings, after which it is of no use, and with its statement; those of texts ([`Recent`]) go with a change of
//! the catalog too, if not at once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

use crate::{recent::Recent, statement::Kept};

/// All plans that one session keeps.
#[derive(Debug, Default)]
pub(crate) struct KeptPlans {
    /// Of statements, by their addresses, which are theirs while they are in here.
    statements: Mutex<HashMap<usize, Arc<Kept>>>,
    /// Of texts.
    recent: Mutex<Recent>,
}

impl KeptPlans {
    pub(crate) fn add(&self, kept: &Arc<Kept>) {
        self.statements.lock().insert(key(kept), Arc::clone(kept));
    }

    pub(crate) fn remove(&self, kept: &Arc<Kept>) {
        // Dropped when the lock is free: there may be much to free.
        let _gone = self.statements.lock().remove(&key(kept));
    }

    pub(crate) fn clear(&self) {
        let _gone = std::mem::take(&mut *self.statements.lock());
        let _gone = std::mem::take(&mut *self.recent.lock());
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock()
    }
}

fn key(kept: &Arc<Kept>) -> usize {
    Arc::as_ptr(kept) as usize
}
