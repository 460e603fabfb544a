//! A member that a test answers for.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::net::TcpListener;
use tonic::{body::Body, server::NamedService, transport::server::TcpIncoming};

use super::server::{HttpRequest, HttpResponse};

#[derive(Clone)]
struct Stub<F>(F);

impl<F> NamedService for Stub<F> {
    const NAME: &'static str = "murre.kv.v1.Kv";
}

impl<F> tower::Service<http::Request<Body>> for Stub<F>
where
    F: Fn(HttpRequest) -> BoxFuture<'static, HttpResponse>,
{
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<HttpResponse, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        (self.0)(request).map(Ok).boxed()
    }
}

/// Until the test ends, at the address that is returned.
pub(crate) async fn serve<F>(answer: F) -> String
where
    F: Fn(HttpRequest) -> BoxFuture<'static, HttpResponse> + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tonic::transport::Server::builder().add_service(Stub(answer));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}
