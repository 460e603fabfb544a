//! What rows of a table have met, when a join keeps rows of it: every instance that probes has marks of its own, and the
//! last one to come to its end gets those of all.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The marks of the instances that probe one table.
#[derive(Debug)]
pub(super) struct Marks(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Instances that have not come to their end.
    missing: usize,
    /// One byte for each row of the table, 1 = it had a match somewhere; empty before any is known.
    matched: Vec<u8>,
}

impl Marks {
    /// For a table that so many partitions probe.
    pub(super) fn new(partitions: usize) -> Self {
        Self(Mutex::new(State {
            missing: partitions,
            matched: Vec::new(),
        }))
    }

    /// Adds those of an instance whose partition goes on in another one.
    pub(super) fn add(&self, matched: &[u8]) {
        self.lock().add(matched);
    }

    /// Adds those of a partition at its end; all marks where it is the last.
    pub(super) fn finish(&self, matched: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.lock();
        state.add(matched);
        state.missing = state.missing.saturating_sub(1);
        (state.missing == 0).then(|| std::mem::take(&mut state.matched))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, matched: &[u8]) {
        self.matched
            .resize(self.matched.len().max(matched.len()), 0);
        let pairs = self.matched.iter_mut().zip(matched);
        pairs.for_each(|(all, own)| *all |= *own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_partition_gets_the_marks_of_all() {
        let marks = Marks::new(2);
        marks.add(&[0, 0, 0, 1]);
        assert_eq!(marks.finish(&[1, 0, 0, 0]), None);
        assert_eq!(marks.finish(&[0, 0, 1, 0]), Some(vec![1, 0, 1, 1]));
    }
}
