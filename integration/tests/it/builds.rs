//! A worker of another build: it may come, and gets nothing.

use std::{convert::Infallible, path::Path};

use anyhow::{Context, Result, ensure};
use http_body_util::StreamBody;
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use worker_wasm::{
    rendezvous::{Identity, Registration, Timings, WorkerConfig, WorkerId},
    worker::{COORDINATOR, Description, Join},
};

use crate::{
    server::{Server, rows, until},
    tpch::{generate, register},
    worker::{remote_server, texts},
};

/// Comes as `murre worker` does, says that it is of another build, and answers nothing else.
async fn come(server: &Server) -> Result<()> {
    let (address, token_file) = server.workers().context("no worker can join")?;
    let join = std::fs::read_to_string(Path::new(token_file))?;
    let join = Join::parse(&join).context("a token and a fingerprint")?;
    let registration = Registration::open(WorkerConfig {
        rendezvous: address.to_owned(),
        rendezvous_fingerprint: join.fingerprint,
        token: join.token,
        id: WorkerId::new("stranger").context("a name")?,
        identity: Identity::generate()?,
        listener: None,
        private_addresses: Vec::new(),
        timings: Timings::default(),
    });
    let registration = registration.await?;
    let coordinator = WorkerId::new(COORDINATOR).context("a name")?;
    let pair = registration.connect(&coordinator).await?;
    let answer = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(request.uri().path()))
    });
    http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(pair.incoming), answer)
        .await?;
    Ok(())
}

type Frames = futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

fn answer(method: &str) -> Response<StreamBody<Frames>> {
    let mut trailers = HeaderMap::new();
    let mut frames = Vec::new();
    let status = match method.ends_with("/Describe") {
        true => {
            let description = Description {
                build: "another".to_owned(),
                kind: "process".to_owned(),
                ..Description::default()
            };
            let message = description.encode_to_vec();
            let mut framed = vec![0];
            framed.extend((message.len() as u32).to_be_bytes());
            framed.extend(message);
            frames.push(Ok(Frame::data(framed.into())));
            "0"
        }
        // UNIMPLEMENTED
        false => "12",
    };
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    frames.push(Ok(Frame::trailers(trailers)));
    let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_build_gets_no_tasks() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = remote_server(dir.path())?;
    let mut client = server.client().await?;
    register(&mut client, &generate("0.1")?).await?;
    let asking = async {
        until("the worker", async || {
            Ok(texts(&mut client, "build").await? == ["another"])
        })
        .await?;
        let used = texts(&mut client, "used").await?;
        ensure!(used == ["false"], "{used:?}");
        let sql = "SELECT count(*) FROM nation WHERE n_regionkey = 1";
        let error = rows(&mut client, sql).await.err();
        let error = error.context("nobody can run it")?.to_string();
        ensure!(error.contains("no worker is connected"), "{error}");
        let log = server.log()?;
        ensure!(
            log.contains("a worker of another build gets no tasks"),
            "{log}"
        );
        Ok(())
    };
    tokio::select! {
        asked = asking => asked,
        came = come(&server) => came.and(Err(anyhow::anyhow!("the worker was sent away"))),
    }
}
