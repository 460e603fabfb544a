//! Real `murre worker` processes for a test.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    server::{Client, Server, binary, rows, until},
    tpch::{cells, generate, register},
};

/// Longest time a worker may take to connect.
const START_MAX: Duration = Duration::from_secs(60);

/// A running worker; dropping it kills it.
pub(crate) struct WorkerProcess {
    child: Child,
    log: PathBuf,
}

impl WorkerProcess {
    /// Returns when it is connected to the server. `dir` takes its log.
    pub(crate) fn start(server: &Server, name: &str, dir: &Path, more: &[&str]) -> Result<Self> {
        Self::start_by(Command::new(binary()?), server, name, dir, more)
    }

    /// The same with a command that runs the binary, wherever that is.
    pub(crate) fn start_by(
        mut binary: Command,
        server: &Server,
        name: &str,
        dir: &Path,
        more: &[&str],
    ) -> Result<Self> {
        let (coordinator, token_file) = server.workers().context("no worker can join")?;
        let log = dir.join(format!("{name}.log"));
        let mut child = binary
            .args(["worker", "--name", name, "--coordinator", coordinator])
            .args(["--token-file", token_file])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().append(true).create(true).open(&log)?)
            .spawn()
            .context("cannot start murre worker")?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the worker never waits for a full pipe.
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // The test may have read all it wants.
                let _ = sender.send(line);
            }
        });
        let worker = Self { child, log };
        match lines.recv_timeout(START_MAX) {
            Ok(line) if line.starts_with("ready: worker ") => Ok(worker),
            other => bail!("{name} did not get ready: {other:?}; {}", worker.log()?),
        }
    }

    fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// The modules that its tasks have had, as it says itself.
    pub(crate) fn modules_run(&self) -> Result<BTreeSet<String>> {
        let log = self.log()?;
        let names = log.lines().filter_map(|line| {
            let (_, name) = line.split_once("a task has a module module=")?;
            name.split_whitespace().next().map(str::to_owned)
        });
        Ok(names.collect())
    }

    /// As `kill` names it: STOP has it stand still.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let pid = self.child.id();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status()?;
        ensure!(sent.success(), "{name} was not sent");
        Ok(())
    }

    pub(crate) fn kill9(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server and two workers in processes of their own, with the TPC-H tables.
pub(crate) struct Cluster {
    pub(crate) server: Server,
    pub(crate) workers: Vec<WorkerProcess>,
}

impl Cluster {
    /// Returns when both workers are known.
    pub(crate) async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// The same with more command-line arguments for the workers.
    pub(crate) async fn start_with(dir: &Path, more: &[&str]) -> Result<Self> {
        let server = remote_server(dir)?;
        let start =
            |name, own: &[&str]| WorkerProcess::start(&server, name, dir, &[own, more].concat());
        // One that can be dialled, and one that cannot.
        let workers = vec![
            start("w1", &["--listen", "127.0.0.1:0"])?,
            start("w2", &[])?,
        ];
        let mut client = server.client().await?;
        until("the workers", async || {
            Ok(modules_received(&mut client).await?.len() == workers.len())
        })
        .await?;
        register(&mut client, &generate("0.1")?).await?;
        Ok(Self { server, workers })
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        self.server.client().await
    }
}

pub(crate) fn remote_server(dir: &Path) -> Result<Server> {
    let arguments = ["--workers", "remote", "--workers-listen", "127.0.0.1:0"];
    Server::start_with(&dir.join("data"), &arguments)
}

/// Of each worker, the modules that were sent to it.
pub(crate) async fn modules_received(client: &mut Client) -> Result<Vec<i64>> {
    counts(client, "modules_received").await
}

/// Tasks of all workers that have not ended.
pub(crate) async fn tasks_running(client: &mut Client) -> Result<i64> {
    Ok(counts(client, "tasks_running").await?.iter().sum())
}

/// A column of `SHOW WORKERS` that counts something.
pub(crate) async fn counts(client: &mut Client, column: &str) -> Result<Vec<i64>> {
    let texts = texts(client, column).await?;
    texts.iter().map(|text| Ok(text.parse()?)).collect()
}

/// A column of `SHOW WORKERS`.
pub(crate) async fn texts(client: &mut Client, column: &str) -> Result<Vec<String>> {
    let batches = rows(client, "SHOW WORKERS").await?;
    let Some(batch) = batches.first() else {
        return Ok(Vec::new());
    };
    let index = batch.schema().index_of(column)?;
    let workers = cells(&batches)?.into_iter();
    Ok(workers.map(|mut row| row.swap_remove(index)).collect())
}

/// No task is left.
pub(crate) async fn idle(client: &mut Client) -> Result<()> {
    until("the end of all tasks", async || {
        Ok(tasks_running(client).await? == 0)
    })
    .await
}
