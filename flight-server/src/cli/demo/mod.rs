//! `murre demo`: data and queries to try the server with.

mod generate;
mod queries;
mod server;
mod tables;
mod tpch;

/// Try the server on generated data.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    #[command(subcommand)]
    pub demo: Demo,
}

#[derive(Debug, clap::Subcommand)]
pub enum Demo {
    /// Generate the TPC-H tables, start a server on them and run the 22 queries
    Tpch(tpch::TpchArgs),
}

/// Runs a demo to its end.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    match args.demo {
        Demo::Tpch(args) => tpch::run(args).await,
    }
}
