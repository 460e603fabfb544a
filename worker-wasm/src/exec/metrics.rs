//! What a fragment reports of each partition, for `EXPLAIN ANALYZE`.

use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, Time,
};

#[derive(Debug)]
pub(crate) struct Metrics {
    /// Rows out, and the time of everything here: the guest, copying in and out.
    pub(crate) baseline: BaselineMetrics,
    /// Rows that went through generated loops.
    pub(crate) guest_rows: Count,
    /// Of the batches that were pushed, as they were before they were copied.
    pub(crate) bytes_in: Count,
    pub(crate) bytes_out: Count,
    /// Batches that broke a fact, after which the general module went on.
    pub(crate) general: Count,
    /// Times that states went out before the input had ended.
    pub(crate) early_states: Count,
    /// Time in `push` and `finish`, copying in included.
    pub(crate) push_time: Time,
    /// Most guest memory at once. Bytes.
    pub(crate) memory_bytes: Gauge,
}

impl Metrics {
    pub(crate) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name| MetricBuilder::new(set).counter(name, partition);
        Self {
            baseline: BaselineMetrics::new(set, partition),
            guest_rows: counter("guest_rows"),
            bytes_in: counter("guest_bytes_in"),
            bytes_out: counter("guest_bytes_out"),
            general: counter("broken_facts"),
            early_states: counter("early_states"),
            push_time: MetricBuilder::new(set).subset_time("guest_push_time", partition),
            memory_bytes: MetricBuilder::new(set).gauge("guest_memory_bytes", partition),
        }
    }
}
