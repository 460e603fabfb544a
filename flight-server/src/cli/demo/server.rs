//! `murre serve` as a child process.

use std::{env, ffi::OsStr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

const READY: &str = "ready: flight-sql ";
/// Opening a data folder may include recovery.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The lines after the first are written with it.
const LINES_WITHIN: Duration = Duration::from_secs(2);
/// A server that stops lets statements end first.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A server that is ready. It is killed when dropped; [`Server::stop`] lets it end well.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// As `grpc://HOST:PORT`.
    pub(super) url: String,
    /// What the server says about connecting to it, from the ready line on.
    pub(super) lines: Vec<String>,
    /// Reads on, so that the server never waits for room in the pipe.
    _drain: AbortOnDropHandle<()>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(super) async fn start(listen: &str, data_dir: &Path) -> anyhow::Result<Self> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command
            .args(
                [
                    "serve",
                    "--listen",
                    listen,
                    "--http",
                    "127.0.0.1:0",
                    "--data-dir",
                ]
                .map(OsStr::new),
            )
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C is for this process, which then stops the server.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut output = BufReader::new(stdout).lines();
        let ready = timeout(READY_WITHIN, ready_line(&mut output))
            .await
            .context("the server did not become ready")??;
        let Some(ready) = ready else {
            let status = child.wait().await.context("cannot wait for the server")?;
            bail!("the server stopped before it was ready ({status})");
        };
        let url = url_of(&ready)
            .with_context(|| format!("the server said \"{ready}\", without an address"))?;
        let mut lines = vec![ready];
        // Without an empty line in time, what is there is all.
        let _ = timeout(LINES_WITHIN, block(&mut output, &mut lines)).await;
        let drain =
            tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
        Ok(Self {
            child,
            url,
            lines,
            _drain: AbortOnDropHandle::new(drain),
        })
    }

    /// Waits for the server to stop by itself, which it should not.
    pub(super) async fn stopped(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow::anyhow!("the server stopped ({status})"),
            Err(error) => anyhow::Error::new(error).context("cannot wait for the server"),
        }
    }

    /// Asks the server to stop, and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        // No id: it has ended already.
        let Some(id) = self.child.id() else {
            return Ok(());
        };
        // Every shell has `kill` built in; small systems have no program of that name.
        let asked = Command::new("/bin/sh")
            .args(["-c", "kill -TERM \"$0\"", &id.to_string()])
            .status()
            .await;
        if asked.is_ok_and(|status| status.success())
            && timeout(STOPPED_WITHIN, self.child.wait()).await.is_ok()
        {
            return Ok(());
        }
        self.child.kill().await.context("cannot stop the server")
    }
}

/// The line that says where the server listens; `None` when its output ends before.
async fn ready_line(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Option<String>> {
    while let Some(line) = output
        .next_line()
        .await
        .context("cannot read what the server says")?
    {
        if line.starts_with(READY) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// Lines up to an empty one.
async fn block(output: &mut Lines<BufReader<ChildStdout>>, lines: &mut Vec<String>) {
    while let Ok(Some(line)) = output.next_line().await {
        if line.trim().is_empty() {
            return;
        }
        lines.push(line);
    }
}

fn url_of(ready: &str) -> Option<String> {
    ready
        .strip_prefix(READY)?
        .split_whitespace()
        .next()
        .filter(|url| url.contains("://"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_the_ready_line() {
        let ready = "ready: flight-sql grpc://127.0.0.1:31337 http http://127.0.0.1:8080";
        assert_eq!(url_of(ready).as_deref(), Some("grpc://127.0.0.1:31337"));
        assert_eq!(url_of("ready: flight-sql "), None);
        assert_eq!(url_of("listening"), None);
    }
}
