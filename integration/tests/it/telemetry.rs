//! What a server tells an OpenTelemetry collector.

use std::{convert::Infallible, sync::Arc};

use anyhow::Result;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, sync::Mutex};

use crate::server::{Server, table, until};

/// Bodies of the exports received so far.
type Exports = Arc<Mutex<Vec<Bytes>>>;

/// A collector that accepts every export of traces, on a free port.
async fn collector(exports: Exports) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let exports = Arc::clone(&exports);
            let answer = service_fn(move |request| accept(request, Arc::clone(&exports)));
            let connection = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), answer);
            tokio::spawn(connection);
        }
    });
    Ok(format!("http://{address}"))
}

async fn accept(
    request: Request<Incoming>,
    exports: Exports,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    if request.uri().path() == "/opentelemetry.proto.collector.trace.v1.TraceService/Export" {
        let body = request.into_body().collect().await?.to_bytes();
        exports.lock().await.push(body);
    }
    // gRPC: one empty message, then status 0.
    let mut status = HeaderMap::new();
    status.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [
        Frame::data(Bytes::from_static(&[0; 5])),
        Frame::trailers(status),
    ];
    let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Infallible>)));
    let mut response = Response::new(body);
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    Ok(response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_a_query_reach_the_collector() -> Result<()> {
    let exports = Exports::default();
    let endpoint = collector(Arc::clone(&exports)).await?;
    let dir = tempfile::tempdir()?;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let server = Server::start_in(&dir.path().join("data"), &[], &environment)?;
    table(&mut server.client().await?, "SELECT 1").await?;
    for wanted in ["murre", "query.plan", "query.run", "query_id"] {
        until(&format!("\"{wanted}\" in an export"), async || {
            let exports = exports.lock().await;
            Ok(exports.iter().any(|export| {
                export
                    .windows(wanted.len())
                    .any(|bytes| bytes == wanted.as_bytes())
            }))
        })
        .await?;
    }
    Ok(())
}
