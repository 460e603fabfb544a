//! The memory of one query: its own limit, inside the limit of the process.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use datafusion::{
    common::Result,
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation},
};

use crate::{QueryError, QueryId, error::over_limit};

/// Charges every allocation of a query to the query and to the process. An operator that can spill does so when either is full.
#[derive(Debug)]
pub(crate) struct QueryPool {
    /// In bytes; never above the process's own.
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    process: Arc<ProcessPool>,
}

impl QueryPool {
    pub(crate) fn new(limit: Option<u64>, process: &Arc<ProcessPool>) -> Self {
        let limit = limit.map_or(process.limit, |limit| {
            process.limit.min(limit.try_into().unwrap_or(usize::MAX))
        });
        Self {
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            process: Arc::clone(process),
        }
    }

    /// Most bytes the query held at once.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn count(&self, additional: usize) {
        let now = self.used.fetch_add(additional, Ordering::Relaxed) + additional;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {})", self.reserved(), self.limit)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.process.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.process.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.process.grow(reservation, additional);
        self.count(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
        self.process.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let used = self.used.load(Ordering::Relaxed);
        if used.saturating_add(additional) > self.limit {
            return Err(over_limit(
                reservation.consumer().name(),
                additional,
                used,
                self.limit,
                "query's",
            ));
        }
        self.process.try_grow(reservation, additional)?;
        self.count(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

/// Memory that a client's request takes beside the operators of a query, charged until it is dropped.
#[derive(Debug)]
pub struct Charge(MemoryReservation);

impl Charge {
    pub(crate) fn new(what: &str, pool: Arc<dyn MemoryPool>) -> Self {
        Self(MemoryConsumer::new(what).register(&pool))
    }

    /// Errors: [`QueryError::OutOfMemory`] where there is no more.
    pub fn try_grow(&self, bytes: usize) -> Result<(), QueryError> {
        let grown = self.0.try_grow(bytes);
        grown.map_err(|e| QueryError::running(QueryId(0), e))
    }
}

/// All memory that queries and temporary tables of this process may use.
#[derive(Debug)]
pub(crate) struct ProcessPool {
    limit: usize,
    used: AtomicUsize,
}

impl ProcessPool {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit: limit.try_into().unwrap_or(usize::MAX),
            used: AtomicUsize::new(0),
        }
    }
}

impl fmt::Display for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process({} of {})", self.reserved(), self.limit)
    }
}

impl MemoryPool for ProcessPool {
    fn name(&self) -> &str {
        "process"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(additional)
                    .filter(|sum| *sum <= self.limit)
            })
            .map(drop)
            .map_err(|used| {
                over_limit(
                    reservation.consumer().name(),
                    additional,
                    used,
                    self.limit,
                    "server's",
                )
            })
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_stopped_at_its_own_limit_and_at_the_process_limit() {
        let process = Arc::new(ProcessPool::new(1000));
        let small: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(Some(300), &process));
        let large: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(None, &process));
        let small = MemoryConsumer::new("a").register(&small);
        let large = MemoryConsumer::new("b").register(&large);
        assert!(
            small
                .try_grow(301)
                .unwrap_err()
                .to_string()
                .contains("query's memory limit of 300 B")
        );
        small.try_grow(300).unwrap();
        assert!(
            large
                .try_grow(701)
                .unwrap_err()
                .to_string()
                .contains("server's memory limit")
        );
        large.try_grow(700).unwrap();
        drop(small);
        drop(large);
        assert_eq!(process.reserved(), 0);
    }
}
