//! What rows of a table have met, when a join keeps rows of it: every instance that probes has marks of its own, and the
//! last one to come to its end gets those of all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::{
    common::Result,
    execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation},
};

/// The marks of the instances that probe one table.
#[derive(Debug)]
pub(super) struct Marks(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Instances that have not come to their end.
    missing: usize,
    matched: Matched,
}

/// One byte for each row of the table, 1 = it had a match somewhere; empty before any is known.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) rows: Vec<u8>,
    /// What they are charged to.
    memory: Option<MemoryReservation>,
}

impl Marks {
    /// For a table that so many partitions probe.
    pub(super) fn new(partitions: usize) -> Self {
        Self(Mutex::new(State {
            missing: partitions,
            matched: Matched::default(),
        }))
    }

    /// Adds those of an instance whose partition goes on in another one, charged to `pool`.
    pub(super) fn add(&self, matched: &[u8], pool: &Arc<dyn MemoryPool>) -> Result<()> {
        self.lock().matched.add(matched, pool)
    }

    /// Adds those of a partition at its end; all marks where it is the last.
    pub(super) fn finish(
        &self,
        matched: &[u8],
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<Option<Matched>> {
        let mut state = self.lock();
        state.matched.add(matched, pool)?;
        state.missing = state.missing.saturating_sub(1);
        Ok((state.missing == 0).then(|| std::mem::take(&mut state.matched)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Matched {
    fn add(&mut self, matched: &[u8], pool: &Arc<dyn MemoryPool>) -> Result<()> {
        if matched.len() > self.rows.len() {
            let memory = self
                .memory
                .get_or_insert_with(|| MemoryConsumer::new("marks of a join table").register(pool));
            memory.try_grow(matched.len() - self.rows.len())?;
            self.rows.resize(matched.len(), 0);
        }
        let pairs = self.rows.iter_mut().zip(matched);
        pairs.for_each(|(all, own)| *all |= *own);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn the_last_partition_gets_the_marks_of_all_and_they_are_charged() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(4));
        let marks = Marks::new(2);
        marks.add(&[0, 0, 0, 1], &pool).unwrap();
        assert_eq!(pool.reserved(), 4);
        assert!(marks.finish(&[1, 0, 0, 0], &pool).unwrap().is_none());
        let all = marks.finish(&[0, 0, 1, 0], &pool).unwrap().unwrap();
        assert_eq!(all.rows, [1, 0, 1, 1]);
        drop(all);
        assert_eq!(pool.reserved(), 0);
        assert!(Marks::new(1).finish(&[0; 5], &pool).is_err());
    }
}
