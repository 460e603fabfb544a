//! `murre sql`: runs statements on a server, or on a data folder in this process.
//!
//! Statements come from `-c`, a file, a pipe, or the interactive shell.
//! Rows go to stdout and nothing else does; notes, timings and errors go to stderr.

mod commands;
mod connection;
mod execute;
mod history;
mod local;
mod login;
mod output;
mod progress;
mod remote;
mod shell;
mod statements;

use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use self::{
    connection::Connection,
    local::Local,
    output::{Format, Output},
};
pub(crate) use self::{
    connection::StatementError, login::LoginArgs, remote::Remote, statements::split,
};

/// Run SQL statements.
#[derive(Debug, clap::Args)]
pub struct SqlArgs {
    /// Server to run on, as grpc://HOST:PORT or grpc+tls://HOST:PORT; without it the data folder is opened in this process
    #[arg(long, value_name = "URL", env = "MURRE_CONNECT")]
    pub connect: Option<String>,

    /// Data folder to open when no server is named
    #[arg(
        long,
        value_name = "DIR",
        env = "MURRE_DATA_DIR",
        default_value = "murre-data"
    )]
    pub data_dir: PathBuf,

    /// Statements to run, separated by `;`; may be given several times
    #[arg(short, long = "command", value_name = "SQL", conflicts_with = "file")]
    pub commands: Vec<String>,

    /// File of statements to run, `-` for stdin
    pub file: Option<PathBuf>,

    /// How rows are written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    #[command(flatten)]
    pub login: LoginArgs,
}

/// Runs what the arguments ask for. The error of a failed statement shows as its message and its hint.
pub async fn run(args: SqlArgs) -> anyhow::Result<()> {
    match run_inner(args).await {
        // `murre sql .. | head` ends when the reader has enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

async fn run_inner(args: SqlArgs) -> anyhow::Result<()> {
    let interactive = args.commands.is_empty() && args.file.is_none() && io::stdin().is_terminal();
    // Read first: a missing file should not open a data folder.
    let texts = match (&args.file, interactive) {
        (_, true) => Vec::new(),
        (Some(file), _) => vec![read_file(file)?],
        (None, _) if args.commands.is_empty() => vec![read_stdin()?],
        (None, _) => args.commands,
    };
    let mut out = Output::new(args.format, interactive)?;
    let mut connection = match &args.connect {
        Some(url) => Connection::Remote(Remote::connect(url, &args.login).await?),
        None => Connection::Local(Local::open(&args.data_dir)?),
    };
    if interactive {
        return shell::run(&mut connection, &mut out).await;
    }
    for text in &texts {
        execute::text(&mut connection, text, &mut out).await?;
    }
    Ok(())
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return read_stdin();
    }
    if path.is_dir() {
        bail!("cannot read {}: it is a folder", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .context("cannot read stdin")?;
    Ok(text)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &(dyn std::error::Error + 'static)| {
        error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(broken)
}
