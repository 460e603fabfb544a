//! The `murre` binary: picks the command and prints why it failed.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use flight_server::cli::{demo, fragment, serve, sql, worker};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SQL over files and tables, served through Arrow Flight SQL.
#[derive(Parser)]
#[command(name = "murre", version)]
struct Murre {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Flight SQL
    Serve(Box<serve::ServeArgs>),
    /// Run tasks of queries for a server
    Worker(worker::WorkerArgs),
    /// Run SQL, against a server or a data folder
    Sql(sql::SqlArgs),
    /// Try Murre on generated data
    Demo(demo::DemoArgs),
    /// Look into a compiled fragment, or run it alone
    Fragment(fragment::FragmentArgs),
    /// Run a replicated key-value store, or use one
    Kv(kv_store::cli::Kv),
}

fn main() -> ExitCode {
    let command = Murre::parse().command;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("murre-main")
        .enable_all()
        .build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Serve(args) => serve::run(*args).await,
                Command::Worker(args) => worker::run(args).await,
                Command::Sql(args) => sql::run(args).await,
                Command::Demo(args) => demo::run(args).await,
                Command::Fragment(args) => fragment::run(args).await,
                Command::Kv(args) => Ok(kv_store::cli::run(args).await?),
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = coordinator::error_chain(error.as_ref());
            let known = error.downcast_ref::<catalog::CatalogError>();
            if let Some(hint) = known.and_then(catalog::CatalogError::hint) {
                text = format!("{text}\nhint: {hint}");
            }
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}
