//! Answers a method: one message or a stream of them, each way.

use std::future::Future;

use futures::Stream;
use prost::Message;
use tonic::{Request, Response, Status, Streaming, body::Body};

use super::{MESSAGE_BYTES_MAX, codec::Codec};

pub(crate) type HttpRequest = http::Request<Body>;
pub(crate) type HttpResponse = http::Response<Body>;

fn grpc<A, Q>() -> tonic::server::Grpc<Codec<A, Q>>
where
    A: Message + Send + 'static,
    Q: Message + Default + Send + 'static,
{
    tonic::server::Grpc::new(Codec::default())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// One request, one answer.
pub(crate) async fn unary<Q, A, H, F>(request: HttpRequest, handle: H) -> HttpResponse
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    H: FnMut(Q) -> F,
    F: Future<Output = Result<A, Status>>,
{
    let mut handle = handle;
    let service = tower::service_fn(move |request: Request<Q>| {
        let answer = handle(request.into_inner());
        async { answer.await.map(Response::new) }
    });
    grpc::<A, Q>().unary(service, request).await
}

/// A stream of requests, one answer.
pub(crate) async fn gathered<Q, A, H, F>(request: HttpRequest, handle: H) -> HttpResponse
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    H: FnMut(Streaming<Q>) -> F,
    F: Future<Output = Result<A, Status>>,
{
    let mut handle = handle;
    let service = tower::service_fn(move |request: Request<Streaming<Q>>| {
        let answer = handle(request.into_inner());
        async { answer.await.map(Response::new) }
    });
    grpc::<A, Q>().client_streaming(service, request).await
}

/// One request, a stream of answers.
pub(crate) async fn streamed<Q, A, H, F, S>(request: HttpRequest, handle: H) -> HttpResponse
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    H: FnMut(Q) -> F,
    F: Future<Output = Result<S, Status>>,
    S: Stream<Item = Result<A, Status>> + Send + 'static,
{
    let mut handle = handle;
    let service = tower::service_fn(move |request: Request<Q>| {
        let answers = handle(request.into_inner());
        async { answers.await.map(Response::new) }
    });
    grpc::<A, Q>().server_streaming(service, request).await
}

/// A stream of requests, a stream of answers.
pub(crate) async fn exchanged<Q, A, H, F, S>(request: HttpRequest, handle: H) -> HttpResponse
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    H: FnMut(Streaming<Q>) -> F + Send,
    F: Future<Output = Result<S, Status>> + Send,
    S: Stream<Item = Result<A, Status>> + Send + 'static,
{
    let mut handle = handle;
    let service = tower::service_fn(move |request: Request<Streaming<Q>>| {
        let answers = handle(request.into_inner());
        async { answers.await.map(Response::new) }
    });
    grpc::<A, Q>().streaming(service, request).await
}
