//! Metrics of the front door.

use std::sync::LazyLock;

use coordinator::metrics::register;
use prometheus::{IntCounter, IntCounterVec, IntGauge, opts};

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let options = opts!(
        "flight_server_requests_total",
        "Flight requests answered, by call and gRPC status"
    );
    register(IntCounterVec::new(options, &["rpc", "code"]))
});

static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let options = opts!(
        "flight_server_refused_total",
        "Flight requests refused for want of valid credentials, by gRPC status"
    );
    register(IntCounterVec::new(options, &["code"]))
});

pub(crate) static CONNECTIONS: LazyLock<IntGauge> = LazyLock::new(|| {
    register(IntGauge::new(
        "flight_server_connections",
        "Open client connections",
    ))
});

pub(crate) static SESSIONS: LazyLock<IntGauge> =
    LazyLock::new(|| register(IntGauge::new("flight_server_sessions", "Live sessions")));

pub(crate) static SENT_BYTES: LazyLock<IntCounter> = LazyLock::new(|| {
    register(IntCounter::new(
        "flight_server_sent_bytes_total",
        "Bytes of query results sent",
    ))
});

pub(crate) fn request(rpc: &'static str, code: tonic::Code) {
    REQUESTS
        .with_label_values(&[rpc, &format!("{code:?}")])
        .inc();
}

/// A call that was refused before anyone looked at what it asks.
pub(crate) fn refused(code: tonic::Code) {
    REFUSED.with_label_values(&[&format!("{code:?}")]).inc();
}

/// Makes every metric appear, also before its first event.
pub(crate) fn declare() {
    LazyLock::force(&CONNECTIONS);
    LazyLock::force(&SESSIONS);
    LazyLock::force(&SENT_BYTES);
    REQUESTS.with_label_values(&["DoGet", "Ok"]);
    REFUSED.with_label_values(&["Unauthenticated"]);
}
