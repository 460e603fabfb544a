//! AWS Lambda for a test: the Invoke API for callers and the Runtime API for functions, in this process, over HTTP.
//!
//! Like the real service it starts an environment, a process of the function's own binary, when there is an event that no
//! environment waits for, up to a number of them, and gives an environment one event after the other. It does not freeze
//! environments between events, and does not end them at their deadline.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Notify, task::AbortHandle};

use crate::server::binary;

const INVOKE: &str = "/2015-03-31/functions/murre/invocations";
const RUNTIME: &str = "/2018-06-01/runtime/";
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";

/// How an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer(String),
    Error(String),
}

/// The service. Dropping it kills all environments.
pub(crate) struct Lambda {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

struct Shared {
    /// Where its Runtime API is.
    address: SocketAddr,
    folder: PathBuf,
    environments_max: usize,
    /// Time of an invocation.
    lifetime: Duration,
    /// Events that no environment has.
    queue: Mutex<VecDeque<Event>>,
    queued: Notify,
    /// Environments that wait for an event.
    waiting: AtomicUsize,
    environments: Mutex<Vec<Environment>>,
    outcomes: Mutex<Vec<Outcome>>,
    invoked: AtomicUsize,
}

struct Event {
    id: String,
    body: Bytes,
}

struct Environment {
    process: Child,
}

impl Drop for Environment {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Lambda {
    /// `folder` takes the environments' logs.
    pub(crate) async fn start(
        folder: &Path,
        environments_max: usize,
        lifetime: Duration,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            address,
            folder: folder.to_owned(),
            environments_max,
            lifetime,
            queue: Mutex::default(),
            queued: Notify::new(),
            waiting: AtomicUsize::new(0),
            environments: Mutex::default(),
            outcomes: Mutex::default(),
            invoked: AtomicUsize::new(0),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            serving: serving.abort_handle(),
        })
    }

    /// Where the function is invoked.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{INVOKE}", self.address)
    }

    /// Invocations so far.
    pub(crate) fn invoked(&self) -> usize {
        self.shared.invoked.load(Ordering::Relaxed)
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        lock(&self.shared.outcomes).clone()
    }

    /// Environments that have not ended.
    pub(crate) fn environments(&self) -> usize {
        let mut environments = lock(&self.shared.environments);
        environments.retain_mut(Environment::lives);
        environments.len()
    }

    /// Kills the newest environment.
    pub(crate) fn kill9(&self) -> Result<()> {
        let newest = lock(&self.shared.environments).pop();
        newest.context("there is no environment").map(drop)
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.serving.abort();
        lock(&self.shared.environments).clear();
    }
}

impl Environment {
    fn lives(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let answer = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(answer(&shared, request).await) }
        });
        // A connection that breaks is the other end's concern.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let answered = match request.uri().path() {
        INVOKE => shared.invoke(request).await,
        path if path.starts_with(RUNTIME) => shared.runtime(request).await,
        other => Err(anyhow::anyhow!("there is nothing at {other}")),
    };
    answered.unwrap_or_else(|error| {
        let mut refused = Response::new(Full::from(format!("{error:#}")));
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        refused
    })
}

fn accepted() -> Response<Full<Bytes>> {
    let mut accepted = Response::new(Full::default());
    *accepted.status_mut() = StatusCode::ACCEPTED;
    accepted
}

impl Shared {
    async fn invoke(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        ensure!(request.method() == Method::POST, "{}", request.method());
        let kind = request.headers().get("x-amz-invocation-type");
        ensure!(
            kind.is_some_and(|kind| kind == "Event"),
            "invoked as {kind:?}"
        );
        let body = request.into_body().collect().await?.to_bytes();
        // The service refuses what is no JSON.
        serde_json::from_slice::<serde_json::Value>(&body)?;
        let number = self.invoked.fetch_add(1, Ordering::Relaxed);
        let id = format!("request-{number}");
        let wanted = {
            let mut queue = lock(&self.queue);
            queue.push_back(Event { id, body });
            queue.len()
        };
        self.queued.notify_one();
        let mut environments = lock(&self.environments);
        environments.retain_mut(Environment::lives);
        let more = wanted > self.waiting.load(Ordering::Relaxed);
        if more && environments.len() < self.environments_max {
            environments.push(self.environment()?);
        }
        Ok(accepted())
    }

    /// Starts one.
    fn environment(&self) -> Result<Environment> {
        let binary = binary()?.with_file_name("murre-lambda");
        let log = self.folder.join("functions.log");
        let process = Command::new(&binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", self.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().append(true).create(true).open(log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Environment { process })
    }

    async fn runtime(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let path = request.uri().path()[RUNTIME.len()..].to_owned();
        if path == "invocation/next" {
            return self.next().await;
        }
        let (id, what) = path
            .strip_prefix("invocation/")
            .and_then(|rest| rest.split_once('/'))
            .unwrap_or(("", path.as_str()));
        let body = request.into_body().collect().await?.to_bytes();
        let text = String::from_utf8(body.to_vec())?;
        let outcome = match what {
            "response" => Outcome::Answer(text),
            "error" | "init/error" => Outcome::Error(text),
            other => anyhow::bail!("request {id} has no {other}"),
        };
        lock(&self.outcomes).push(outcome);
        Ok(accepted())
    }

    async fn next(&self) -> Result<Response<Full<Bytes>>> {
        let waiting = Waiting::new(&self.waiting);
        let event = loop {
            let queued = self.queued.notified();
            if let Some(event) = lock(&self.queue).pop_front() {
                break event;
            }
            queued.await;
        };
        drop(waiting);
        let ends = SystemTime::now() + self.lifetime;
        let ends = ends.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let response = Response::builder()
            .header(REQUEST_ID, &event.id)
            .header("lambda-runtime-deadline-ms", ends.to_string())
            .body(Full::from(event.body))?;
        Ok(response)
    }
}

/// Counts an environment as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
