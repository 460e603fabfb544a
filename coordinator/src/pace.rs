//! How long the server was busy with the last run of a statement, which tells what to expect of the next one.
//!
//! A run that fails or is stopped tells nothing, and the next one is not begun ahead.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A run that is shorter may begin before anyone asks for its rows.
const QUICK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Pace {
    /// Planning and running.
    last_ns: AtomicU64,
}

impl Pace {
    pub(crate) fn unknown() -> Self {
        Self {
            last_ns: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn forget(&self) {
        self.last_ns.store(u64::MAX, Ordering::Relaxed);
    }

    pub(crate) fn took(&self, time: Duration) {
        let nanoseconds = time.as_nanos().try_into().unwrap_or(u64::MAX);
        self.last_ns.store(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn is_quick(&self) -> bool {
        u128::from(self.last_ns.load(Ordering::Relaxed)) < QUICK.as_nanos()
    }
}
