//! Metrics of the coordinator. Base units, closed label sets, never SQL text or ids.

use std::sync::LazyLock;

use prometheus::{
    Histogram, IntCounterVec, IntGauge, Registry, exponential_buckets, histogram_opts, opts,
};

/// All metrics of the process hang here; `flight-server` adds its own and prints them.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

pub(crate) static QUERY_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.001, 2.0, 18).expect("buckets are valid");
    let histogram = Histogram::with_opts(histogram_opts!(
        "coordinator_query_duration_seconds",
        "Time from a statement's arrival to its last row",
        buckets
    ));
    register(histogram)
});

static QUERIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register(IntCounterVec::new(
        opts!(
            "coordinator_queries_total",
            "Statements that have ended, by outcome"
        ),
        &["outcome"],
    ))
});

pub(crate) static MEMORY_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register(IntGauge::new(
        "coordinator_memory_reserved_bytes",
        "Memory charged to queries and temporary tables",
    ))
});

pub(crate) static RUNNING: LazyLock<IntGauge> = LazyLock::new(|| {
    register(IntGauge::new(
        "coordinator_queries_running",
        "Statements in planning or running",
    ))
});

pub(crate) fn queries_total(outcome: &'static str) {
    QUERIES.with_label_values(&[outcome]).inc();
}

#[cfg(test)]
pub(crate) fn queries(outcome: &'static str) -> u64 {
    QUERIES.with_label_values(&[outcome]).get()
}

/// Makes every metric appear, also before its first event.
pub(crate) fn declare() {
    LazyLock::force(&QUERY_SECONDS);
    LazyLock::force(&MEMORY_BYTES);
    LazyLock::force(&RUNNING);
    for outcome in ["done", "failed", "cancelled"] {
        QUERIES.with_label_values(&[outcome]);
    }
}

/// Adds a metric to the process's registry.
pub fn register<M: prometheus::core::Collector + Clone + 'static>(
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect("metric descriptions are constants");
    REGISTRY
        .register(Box::new(metric.clone()))
        .expect("each metric is registered once");
    metric
}
