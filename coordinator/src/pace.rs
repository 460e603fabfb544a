//! How long the server was busy with the last run of a statement, which tells what to expect of the next one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A run that is shorter may begin before anyone asks for its rows: little is lost when nobody does.
const QUICK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Pace {
    /// Nanoseconds of planning and running.
    last: AtomicU64,
}

impl Pace {
    /// Nothing is known yet.
    pub(crate) fn unknown() -> Self {
        Self {
            last: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn took(&self, time: Duration) {
        let nanoseconds = time.as_nanos().try_into().unwrap_or(u64::MAX);
        self.last.store(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn is_quick(&self) -> bool {
        u128::from(self.last.load(Ordering::Relaxed)) < QUICK.as_nanos()
    }
}
