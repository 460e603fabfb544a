//! The HTTP service: `/healthz` (the process runs), `/readyz` (it takes statements), `/metrics` (Prometheus text).

mod listener;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use coordinator::{Engine, metrics::REGISTRY};
use prometheus::TextEncoder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::error;

use self::listener::Doors;
use crate::tls::Tls;

pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    engine: Arc<Engine>,
    stop: CancellationToken,
) {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(engine);
    let served = axum::serve(Doors::new(listener, tls), routes)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        error!(%error, "the HTTP service stopped");
    }
}

async fn ready(State(engine): State<Arc<Engine>>) -> impl IntoResponse {
    if engine.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn metrics(State(engine): State<Arc<Engine>>) -> impl IntoResponse {
    engine.refresh_metrics();
    match TextEncoder::new().encode_to_string(&REGISTRY.gather()) {
        Ok(text) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
            text,
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain")],
            format!("{error}\n"),
        ),
    }
}
