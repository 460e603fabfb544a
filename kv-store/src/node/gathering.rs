//! When the open entry is to be proposed.
//!
//! Clients that write one thing after another fall into two groups that wait for each other's entries. So an entry waits until
//! as many commands are there as the last one had and found waiting behind it, but not long: who writes alone never waits,
//! and clients that went away are waited for once.

use std::time::{Duration, Instant};

/// An entry waits for others as long as the one before took, at most, and never longer than this.
const WAIT_MAX: Duration = Duration::from_millis(4);

#[derive(Debug)]
pub(super) struct Gathering {
    /// Since when the open entry has a command.
    since: Option<Instant>,
    /// When the last entry was proposed.
    proposed: Instant,
    /// The open entry waits no longer.
    until: Instant,
    /// Commands to wait for.
    num_expected: usize,
}

impl Gathering {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: None,
            proposed: now,
            until: now,
            num_expected: 0,
        }
    }

    /// The open entry has a command more.
    pub(super) fn pushed(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The open entry is proposed, and another one begins. How long its first command waited.
    pub(super) fn proposed(&mut self, now: Instant) -> Duration {
        self.proposed = now;
        let since = self.since.take();
        since.map_or(Duration::ZERO, |since| now - since)
    }

    /// An entry of `num_done` commands is done, and `num_open` came meanwhile. How long it took.
    pub(super) fn done(&mut self, num_done: usize, num_open: usize, now: Instant) -> Duration {
        let took = now - self.proposed;
        self.until = now + took.min(WAIT_MAX);
        self.num_expected = num_done + num_open;
        took
    }

    /// Until when an open entry of `num_open` commands waits for more; `None` when it is to be proposed now.
    pub(super) fn waits(&self, num_open: usize, now: Instant) -> Option<Instant> {
        (num_open < self.num_expected && now < self.until).then_some(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn two_groups_of_clients_become_one_and_one_client_never_waits() {
        let start = Instant::now();
        let mut gathering = Gathering::new(start);
        gathering.pushed(start);
        assert_eq!(gathering.waits(1, start), None, "nobody is known");
        assert_eq!(gathering.proposed(start), Duration::ZERO);
        let now = start + millis(2);
        assert_eq!(gathering.done(1, 0, now), millis(2));
        assert_eq!(gathering.waits(1, now), None, "it alone came back");

        // One is done, and another came meanwhile.
        gathering.pushed(now);
        gathering.proposed(now);
        let came = now + millis(1);
        gathering.pushed(came);
        let now = now + millis(2);
        gathering.done(1, 1, now);
        assert_eq!(gathering.waits(1, now), Some(now + millis(2)));
        assert_eq!(gathering.waits(2, now), None, "both are there");
        assert_eq!(gathering.waits(1, now + millis(2)), None, "not longer");
        assert_eq!(gathering.proposed(now), millis(1));
        // However long a round is, nobody waits longer than that.
        let now = now + millis(100);
        gathering.done(2, 0, now);
        assert_eq!(gathering.waits(1, now), Some(now + WAIT_MAX));
    }
}
