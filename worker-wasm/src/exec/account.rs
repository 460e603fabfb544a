//! Guest memory is charged to the memory pool of the query.

use datafusion::execution::{
    TaskContext,
    memory_pool::{MemoryConsumer, MemoryReservation},
};

use crate::runtime::{MemoryAccount, Refused};

/// What one fragment instance holds of the pool.
#[derive(Debug)]
pub(crate) struct PoolAccount(MemoryReservation);

impl PoolAccount {
    pub(crate) fn new(context: &TaskContext, partition: usize) -> Self {
        let consumer = MemoryConsumer::new(format!("fragment[{partition}]"));
        Self(consumer.register(context.memory_pool()))
    }
}

impl MemoryAccount for PoolAccount {
    fn grow(&mut self, bytes: u64) -> Result<(), Refused> {
        let bytes = bytes.try_into().unwrap_or(usize::MAX);
        let grown = self.0.try_grow(bytes);
        grown.map_err(|error| Refused(error.strip_backtrace()))
    }

    fn shrink(&mut self, bytes: u64) {
        self.0.shrink(bytes.try_into().unwrap_or(usize::MAX));
    }
}
