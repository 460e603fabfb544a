//! Structured logs on stderr, and spans to an OpenTelemetry collector where one is named.

use std::io::IsTerminal;

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. `OTEL_EXPORTER_OTLP_ENDPOINT` names the collector; the returned provider flushes when shut down.
pub(crate) fn start(filter: &str, json: bool) -> anyhow::Result<Option<SdkTracerProvider>> {
    let filter =
        EnvFilter::try_new(filter).with_context(|| format!("log: \"{filter}\" is not a filter"))?;
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    let lines = if json {
        lines.json().boxed()
    } else {
        lines.boxed()
    };
    let provider = match std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Some(_) => {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .build();
            let exporter = exporter.context("cannot use OTEL_EXPORTER_OTLP_ENDPOINT")?;
            Some(
                SdkTracerProvider::builder()
                    .with_resource(Resource::builder().with_service_name("murre").build())
                    .with_batch_exporter(exporter)
                    .build(),
            )
        }
        None => None,
    };
    let spans = provider
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("murre")));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(spans)
        .try_init()
        .context("cannot start logging")?;
    Ok(provider)
}
