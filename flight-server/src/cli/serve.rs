//! `murre serve`: what a server is made of, from start to drain.

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{config::Settings, connections, flight::Front, http, local_engine, logging, metrics};

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// File of settings, murre.toml; the command line and the environment win over it
    #[arg(long, env = "MURRE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let settings = match &args.config {
        Some(path) => args.settings.or_from_file(path)?,
        None => args.settings,
    };
    let config = settings.check()?;
    let spans = logging::start(&config)?;
    metrics::declare();

    // Ports before the data folder: a server that cannot be reached should not touch it.
    let flight_listener = connections::bind("flight-sql", config.listen).await?;
    let http_listener = connections::bind("http", config.http).await?;
    let network = tokio::runtime::Handle::current();
    let (engine, folder) =
        local_engine::open_with(&config.data_dir, config.engine.clone(), network)?;

    let (stop_flight, stop_http) = (CancellationToken::new(), CancellationToken::new());
    let front = Front::new(Arc::clone(&engine), config.flight);
    announce(&flight_listener, &http_listener)?;
    info!(listen = %flight_listener.local_addr()?, http = %http_listener.local_addr()?, data_dir = %folder.path().display(),
        threads = config.engine.threads, memory_limit_bytes = config.engine.memory_limit_bytes, "serving");
    let http = tokio::spawn(http::serve(
        http_listener,
        Arc::clone(&engine),
        stop_http.clone(),
    ));
    tokio::spawn(connections::expire(front.clone(), stop_flight.clone()));
    let flight = tokio::spawn(connections::serve(
        flight_listener,
        front,
        stop_flight.clone(),
    ));

    stop_signal().await?;
    info!(running = engine.running(), "draining");
    engine.drain();
    stop_flight.cancel();
    if tokio::time::timeout(config.drain_timeout, flight)
        .await
        .is_err()
    {
        warn!(
            running = engine.running(),
            "statements still running at the end of the drain time are cancelled"
        );
        engine.cancel_all();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stop_http.cancel();
    // Health checks have nothing to lose.
    let _ = tokio::time::timeout(Duration::from_secs(1), http).await;
    if let Some(spans) = spans
        && let Err(error) = spans.shutdown()
    {
        warn!(%error, "the last spans were not sent");
    }
    info!("stopped");
    Ok(())
}

/// Says on standard output where the server is, in lines to paste, and ends with an empty line.
fn announce(flight: &TcpListener, http: &TcpListener) -> anyhow::Result<()> {
    let (flight, http) = (flight.local_addr()?, http.local_addr()?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready: flight-sql grpc://{flight} http http://{http}")?;
    writeln!(
        out,
        "  JDBC     jdbc:arrow-flight-sql://{flight}/?useEncryption=false   (the driver defaults to TLS; this port is plaintext)"
    )?;
    writeln!(
        out,
        "  ADBC     adbc_driver_flightsql.dbapi.connect(\"grpc://{flight}\", autocommit=True)"
    )?;
    writeln!(
        out,
        "  pyarrow  pyarrow.flight.connect(\"grpc://{flight}\")"
    )?;
    writeln!(
        out,
        "  Rust     FlightSqlServiceClient::new(Channel::from_static(\"http://{flight}\").connect().await?)"
    )?;
    writeln!(out, "  shell    murre sql --connect grpc://{flight}")?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
