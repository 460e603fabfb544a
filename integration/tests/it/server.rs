//! A real `murre serve` process for a test.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use arrow::array::RecordBatch;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use tonic::transport::{Channel, Endpoint};

/// Longest time a server may take to say that it is ready.
const START_MAX: Duration = Duration::from_secs(60);

pub(crate) type Client = FlightSqlServiceClient<Channel>;

/// A running server; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    flight: String,
    http: String,
    /// `HOST:PORT` where workers join, and the file they need; `None` where none can.
    workers: Option<(String, String)>,
    log: PathBuf,
}

impl Server {
    pub(crate) fn start(data_dir: &Path) -> Result<Self> {
        Self::start_with(data_dir, &[])
    }

    /// Starts a server on free ports, with more command-line arguments.
    pub(crate) fn start_with(data_dir: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_in(data_dir, arguments, &[])
    }

    /// Starts a server with more command-line arguments and environment variables.
    pub(crate) fn start_in(
        data_dir: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let log = data_dir.with_extension("log");
        let listen = match arguments.contains(&"--listen") {
            true => &[][..],
            false => &["--listen", "127.0.0.1:0"],
        };
        let mut child = Command::new(binary()?)
            .arg("serve")
            .args(listen)
            .args(["--http", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().append(true).create(true).open(&log)?)
            .spawn()
            .context("cannot start murre")?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the server never waits for a full pipe.
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // The test may have read all it wants.
                let _ = sender.send(line);
            }
        });
        let give_up = Instant::now() + START_MAX;
        let mut found: Option<(String, String)> = None;
        let mut workers = None;
        loop {
            match lines.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix("ready: flight-sql ") {
                        let (flight, http) =
                            rest.split_once(" http ").context("no http address")?;
                        let (_, http) = http.split_once("://").context("no scheme")?;
                        let (_, flight) = flight.split_once("://").context("no scheme")?;
                        found = Some((flight.into(), http.into()));
                    }
                    let worker = line.split_once("murre worker --coordinator ");
                    if let Some((_, rest)) = worker {
                        let (address, file) =
                            rest.split_once(" --token-file ").context("no file")?;
                        workers = Some((address.into(), file.into()));
                    }
                    // The lines end with an empty one.
                    if line.is_empty()
                        && let Some((flight, http)) = found.clone()
                    {
                        return Ok(Self {
                            child,
                            flight,
                            http,
                            workers,
                            log,
                        });
                    }
                }
                Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    bail!(
                        "murre did not get ready; its log:\n{}",
                        std::fs::read_to_string(&log)?
                    );
                }
            }
        }
    }

    /// `HOST:PORT` of Flight SQL.
    pub(crate) fn flight(&self) -> &str {
        &self.flight
    }

    /// `HOST:PORT` of the HTTP service.
    pub(crate) fn http(&self) -> &str {
        &self.http
    }

    /// `HOST:PORT` where workers join, and the file they need.
    pub(crate) fn workers(&self) -> Option<(&str, &str)> {
        let (address, file) = self.workers.as_ref()?;
        Some((address, file))
    }

    pub(crate) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Time its threads have used, in hundredths of a second.
    pub(crate) fn cpu_ticks(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let fields = stat.rsplit(')').next().context("no fields")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }

    /// Sockets that it has open.
    pub(crate) fn sockets(&self) -> Result<usize> {
        let mut sockets = 0;
        for descriptor in std::fs::read_dir(format!("/proc/{}/fd", self.pid()))? {
            // One that is closed meanwhile is none.
            let target = std::fs::read_link(descriptor?.path());
            let socket = target.is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
            sockets += usize::from(socket);
        }
        Ok(sockets)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client on a connection, and so in a session, of its own.
    pub(crate) async fn client(&self) -> Result<Client> {
        let channel = Endpoint::from_shared(format!("http://{}", self.flight))?
            .connect()
            .await?;
        let client = arrow_flight::flight_service_client::FlightServiceClient::new(channel)
            .max_decoding_message_size(usize::MAX);
        Ok(FlightSqlServiceClient::new_from_inner(client))
    }

    pub(crate) fn kill9(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the exit status once it has ended.
    pub(crate) fn terminate(&mut self) -> Result<std::process::ExitStatus> {
        let sent = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {}", self.child.id()))
            .status()?;
        anyhow::ensure!(sent.success(), "SIGTERM was not sent");
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of a query.
pub(crate) async fn rows(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>> {
    let fetched = async {
        let info = client.execute(sql.to_owned(), None).await?;
        let mut batches = Vec::new();
        for endpoint in info.endpoint {
            let ticket = endpoint.ticket.context("an endpoint without a ticket")?;
            batches.extend(client.do_get(ticket).await?.try_collect::<Vec<_>>().await?);
        }
        anyhow::Ok(batches)
    };
    fetched.await.map_err(said)
}

/// The rows as a table of text.
pub(crate) async fn table(client: &mut Client, sql: &str) -> Result<String> {
    Ok(arrow::util::pretty::pretty_format_batches(&rows(client, sql).await?)?.to_string())
}

/// What the server said: the client's error types put their own words, and escapes, around it.
pub(crate) fn said(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<arrow_flight::error::FlightError>() {
        Some(arrow_flight::error::FlightError::Tonic(status)) => {
            anyhow::anyhow!("{}", status.message())
        }
        _ => error,
    }
}

/// The binary beside this test's own: one profile builds both.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MURRE_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let path = test
        .parent()
        .and_then(Path::parent)
        .context("no target folder")?
        .join("murre");
    anyhow::ensure!(
        path.exists(),
        "{} is missing: build it with `cargo build --workspace`",
        path.display()
    );
    Ok(path)
}

/// Runs a statement that changes something. Gives the number of rows.
pub(crate) async fn update(client: &mut Client, sql: &str) -> Result<i64> {
    client
        .execute_update(sql.to_owned(), None)
        .await
        .map_err(|e| said(e.into()))
}

/// Longest wait for an event that takes well under a second.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Waits for an event.
pub(crate) async fn until(what: &str, happened: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    until_within(SOON, what, happened).await
}

/// Waits for an event that may take longer than [`SOON`].
pub(crate) async fn until_within(
    limit: Duration,
    what: &str,
    mut happened: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let give_up = Instant::now() + limit;
    while !happened().await? {
        ensure!(Instant::now() < give_up, "waited {limit:?} for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// What the HTTP service answers, head and body.
pub(crate) fn http_get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
