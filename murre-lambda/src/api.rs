//! The Lambda Runtime API: the next event, and what became of it.
//!
//! Three requests over plain HTTP to a neighbour on the same machine, one at a time, each over a connection of its own.
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes", version 2018-06-01.

use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

const VERSION: &str = "2018-06-01";

/// One invocation.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    /// Until its deadline.
    pub(crate) remaining: Duration,
    pub(crate) body: Bytes,
}

/// The neighbour.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    /// "host:port".
    address: String,
}

impl RuntimeApi {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let address = std::env::var("AWS_LAMBDA_RUNTIME_API");
        let address =
            address.context("AWS_LAMBDA_RUNTIME_API is not set: no function runs here")?;
        Ok(Self { address })
    }

    /// Waits for it, for ever.
    pub(crate) async fn next(&self) -> anyhow::Result<Event> {
        let request = Request::get(self.path("invocation/next"));
        let (head, body) = self.call(request, Bytes::new()).await?.into_parts();
        let header = |name: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.with_context(|| format!("an event without {name}"))
        };
        let deadline: u64 = header("lambda-runtime-deadline-ms")?.parse()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Event {
            request_id: header("lambda-runtime-aws-request-id")?.to_owned(),
            remaining: Duration::from_millis(deadline).saturating_sub(now),
            body,
        })
    }

    /// The invocation has ended well, with this JSON.
    pub(crate) async fn answer(&self, request_id: &str, json: Vec<u8>) -> anyhow::Result<()> {
        let request = Request::post(self.path(&format!("invocation/{request_id}/response")));
        self.call(request, json.into()).await.map(drop)
    }

    /// It has not.
    pub(crate) async fn fail(&self, request_id: &str, why: &str) -> anyhow::Result<()> {
        let path = self.path(&format!("invocation/{request_id}/error"));
        self.refuse(path, "Murre.Invocation", why).await
    }

    /// No invocation ever will.
    pub(crate) async fn cannot_start(&self, why: &str) -> anyhow::Result<()> {
        self.refuse(self.path("init/error"), "Murre.Start", why)
            .await
    }

    async fn refuse(&self, path: String, kind: &str, why: &str) -> anyhow::Result<()> {
        let told = serde_json::json!({ "errorMessage": why, "errorType": kind });
        let request = Request::post(path).header("lambda-runtime-function-error-type", kind);
        let told = serde_json::to_vec(&told)?;
        self.call(request, told.into()).await.map(drop)
    }

    fn path(&self, rest: &str) -> String {
        format!("/{VERSION}/runtime/{rest}")
    }

    async fn call(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> anyhow::Result<Response<Bytes>> {
        let request = request
            .header("host", &self.address)
            .body(Full::new(body))?;
        let path = request.uri().path().to_owned();
        let answer = self.exchange(request).await;
        let answer = answer.with_context(|| format!("the runtime API of this function, {path}"))?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "the runtime API answers {status} to {path}"
        );
        Ok(answer)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let tcp = TcpStream::connect(&self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        let _driven = AbortOnDropHandle::new(tokio::spawn(connection));
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}
