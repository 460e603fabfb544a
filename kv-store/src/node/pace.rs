//! Whether reads of single keys wait for the disk.
//!
//! One that finds its key in memory takes microseconds, and handing it to another thread would cost more than that. One that
//! waits for the disk holds up all that its thread serves: the other calls of a connection, and heartbeats. Which it will be
//! is not known before, so what the last reads took decides how the next ones are done.
//!
//! Invariant: a few reads in a window that were slow by chance, because another thread ran meanwhile, decide nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::Node;
use crate::{KvError, Version};

/// Reads that are judged together.
const WINDOW: u32 = 64;
/// A read from memory takes a hundredth of it.
const SLOW: Duration = Duration::from_micros(500);
/// In a window, that mean nothing.
const SLOW_MAX: u32 = 3;

/// Shared by all who read; what they count at the same time may count for the next window.
#[derive(Debug, Default)]
pub(super) struct Pace {
    is_cold: AtomicBool,
    /// Of this window.
    num_reads: AtomicU32,
    num_slow: AtomicU32,
}

impl Pace {
    /// The next read is to be done on a thread that may wait.
    pub(super) fn is_cold(&self) -> bool {
        self.is_cold.load(Relaxed)
    }

    /// A read is done, wherever that was.
    pub(super) fn took(&self, took: Duration) {
        if took > SLOW && self.num_slow.fetch_add(1, Relaxed) >= SLOW_MAX {
            self.is_cold.store(true, Relaxed);
        }
        if self.num_reads.fetch_add(1, Relaxed) + 1 >= WINDOW {
            self.num_reads.store(0, Relaxed);
            let is_cold = self.num_slow.swap(0, Relaxed) > SLOW_MAX;
            self.is_cold.store(is_cold, Relaxed);
        }
    }
}

impl Node {
    /// Like [`Node::get`], and does not hold up its thread when reads wait for the disk.
    pub(crate) async fn get_aside(
        self: Arc<Self>,
        key: Vec<u8>,
        at: Version,
    ) -> Result<Option<Vec<u8>>, KvError> {
        if !self.pace.is_cold() {
            return self.get_timed(&key, at);
        }
        let read = move || self.get_timed(&key, at);
        let found = tokio::task::spawn_blocking(read).await;
        found.map_err(|error| KvError::Storage {
            detail: error.to_string(),
        })?
    }

    fn get_timed(&self, key: &[u8], at: Version) -> Result<Option<Vec<u8>>, KvError> {
        let begun = Instant::now();
        let found = self.get(key, at);
        self.pace.took(begun.elapsed());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pace: &Pace, times: u32, took: Duration) {
        (0..times).for_each(|_| pace.took(took));
    }

    #[test]
    fn reads_that_wait_are_noticed_after_a_few_and_forgotten_after_a_window_without() {
        let quick = Duration::from_micros(5);
        let slow = Duration::from_millis(2);
        let pace = Pace::default();
        read(&pace, 10 * WINDOW, quick);
        read(&pace, SLOW_MAX, slow);
        assert!(!pace.is_cold(), "by chance");
        read(&pace, 1, slow);
        assert!(pace.is_cold(), "in the middle of a window");
        read(&pace, WINDOW - SLOW_MAX - 1, quick);
        assert!(pace.is_cold(), "the window had enough of them");
        read(&pace, WINDOW - 1, quick);
        assert!(pace.is_cold());
        read(&pace, 1, quick);
        assert!(!pace.is_cold(), "a whole window without any");
        // A few in each of many windows.
        for _ in 0..100 {
            read(&pace, SLOW_MAX, slow);
            read(&pace, WINDOW - SLOW_MAX, quick);
            assert!(!pace.is_cold());
        }
    }
}
