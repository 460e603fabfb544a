//! The worker's own calls, without generated code: a method is a path, a request and an answer.

use std::{
    convert::Infallible,
    future::Future,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use prost::Message;
use tonic::{Request, Response, Status, body::Body, server::NamedService};
use tonic_prost::ProstCodec;
use tower::Service;

use super::{
    Caller,
    core::Shared,
    messages::{
        DESCRIBE, Describe, Done, Hashes, MESSAGE_BYTES_MAX, MISSING, Missing, PUT, Put, SERVICE,
    },
};
use crate::module::ModuleHash;

#[derive(Debug, Clone)]
pub(super) struct WorkerCalls {
    pub(super) shared: Arc<Shared>,
    pub(super) caller: Caller,
}

impl NamedService for WorkerCalls {
    const NAME: &'static str = SERVICE;
}

impl Service<http::Request<Body>> for WorkerCalls {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let calls = self.clone();
        Box::pin(async move { Ok(calls.answer(request).await) })
    }
}

impl WorkerCalls {
    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let Self { shared, caller } = self;
        match (request.uri().path(), caller) {
            (MISSING, _) => {
                let answer = |asked: Hashes| async move { missing(&shared, asked) };
                unary(request, answer).await
            }
            (PUT, Caller::Coordinator) => unary(request, |sent: Put| put(shared, sent)).await,
            (PUT, Caller::Peer) => {
                Status::permission_denied("a worker takes modules from its coordinator only")
                    .into_http()
            }
            (DESCRIBE, _) => {
                unary(request, |_: Describe| async move { Ok(shared.describe()) }).await
            }
            (other, _) => {
                Status::unimplemented(format!("a worker has no method {other}")).into_http()
            }
        }
    }
}

async fn unary<Q, A, F>(
    request: http::Request<Body>,
    handle: impl FnOnce(Q) -> F + Send,
) -> http::Response<Body>
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = Result<A, Status>> + Send,
{
    let mut handle = Some(handle);
    let service = tower::service_fn(move |request: Request<Q>| {
        let handle = handle.take().expect("a request is answered once");
        let answer = handle(request.into_inner());
        async { answer.await.map(Response::new) }
    });
    tonic::server::Grpc::new(ProstCodec::<A, Q>::default())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .unary(service, request)
        .await
}

fn missing(shared: &Shared, asked: Hashes) -> Result<Missing, Status> {
    let mut hashes = Vec::new();
    for hash in asked.hashes {
        let known: ModuleHash = hash
            .as_slice()
            .try_into()
            .map_err(|_| Status::invalid_argument("a hash is not of 32 bytes"))?;
        if !shared.modules.has(&known) {
            hashes.push(hash);
        }
    }
    let target = shared.modules.target().to_owned();
    Ok(Missing { hashes, target })
}

/// Off the connection's threads: making code takes a millisecond for a kilobyte.
async fn put(shared: Arc<Shared>, sent: Put) -> Result<Done, Status> {
    let put = tokio::task::spawn_blocking(move || {
        for sent in sent.modules {
            let artefact = Some(sent.artefact).filter(|artefact| !artefact.is_empty());
            shared.modules.put(sent.module, artefact)?;
        }
        Ok::<_, crate::exec::ModuleError>(Done {})
    });
    let put = put.await.map_err(|e| Status::internal(e.to_string()))?;
    put.map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        Status::invalid_argument(format!("{error}: {}", source.unwrap_or_default()))
    })
}
