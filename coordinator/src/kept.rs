//! The plans that a session keeps for statements that may run again.
//!
//! A plan keeps what it reads: temporary tables, charged to the process, and files of tables that are dropped. So it is the
//! session's and not of whoever holds the statement, and goes with the session, with any change of the session's temporary
//! tables or settings, after which it is of no use, and with its statement.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::statement::Kept;

/// All plans that one session keeps.
#[derive(Debug, Default)]
pub(crate) struct KeptPlans(
    /// By their addresses, which are theirs while they are in here.
    Mutex<HashMap<usize, Arc<Kept>>>,
);

impl KeptPlans {
    pub(crate) fn add(&self, kept: &Arc<Kept>) {
        self.0.lock().insert(key(kept), Arc::clone(kept));
    }

    pub(crate) fn remove(&self, kept: &Arc<Kept>) {
        // Dropped when the lock is free: there may be much to free.
        let _gone = self.0.lock().remove(&key(kept));
    }

    pub(crate) fn clear(&self) {
        let _gone = std::mem::take(&mut *self.0.lock());
    }
}

fn key(kept: &Arc<Kept>) -> usize {
    Arc::as_ptr(kept) as usize
}
