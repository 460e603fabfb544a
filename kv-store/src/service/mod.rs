//! The store over gRPC: what a member answers its clients and the other members.
//!
//! ```text
//! HTTP/2 ──> access: who calls ──> path ──> decoded message ──> Node ──> answer, or KvError in the status' details
//! ```
//!
//! `GET /metrics` on the same port is what the member has counted.
//!
//! Errors: [`error`] is the only place that maps them to gRPC codes.

pub(crate) mod access;
pub(crate) mod error;
mod keys;
mod manage;
pub(crate) mod messages;
mod server;
pub(crate) mod wire;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

pub use access::{AccessError, Role};
use futures::future::{BoxFuture, Either};
pub use server::{ServeError, ServeOptions, Server};
use tonic::{Status, body::Body, service::Routes};
use tower::Service;

use self::{access::Access, error::to_wire};
use crate::{
    node::Node,
    raft,
    rpc::{
        self,
        server::{HttpRequest, HttpResponse},
    },
};

/// Paths of the methods for clients.
pub(crate) mod method {
    pub(crate) const SERVICE: &str = "/murre.kv.v1.Kv/";
    pub(crate) const BEGIN: &str = "/murre.kv.v1.Kv/Begin";
    pub(crate) const GET: &str = "/murre.kv.v1.Kv/Get";
    pub(crate) const GET_RANGE: &str = "/murre.kv.v1.Kv/GetRange";
    pub(crate) const COMMIT: &str = "/murre.kv.v1.Kv/Commit";
    pub(crate) const OUTCOME: &str = "/murre.kv.v1.Kv/Outcome";
    pub(crate) const WATCH: &str = "/murre.kv.v1.Kv/Watch";
    pub(crate) const STATUS: &str = "/murre.kv.v1.Kv/Status";
    pub(crate) const INIT: &str = "/murre.kv.v1.Kv/Init";
    pub(crate) const ADD_MEMBER: &str = "/murre.kv.v1.Kv/AddMember";
    pub(crate) const PROMOTE: &str = "/murre.kv.v1.Kv/Promote";
    pub(crate) const REMOVE: &str = "/murre.kv.v1.Kv/Remove";
    pub(crate) const TRANSFER: &str = "/murre.kv.v1.Kv/TransferLeader";
    pub(crate) const BACKUP: &str = "/murre.kv.v1.Kv/Backup";
    /// Many calls of [`SHARED`] in one, see [`crate::rpc::calls`].
    pub(crate) const CALLS: &str = "/murre.kv.v1.Kv/Calls";

    /// What may be called in a stream of calls, by its number there, which never changes. Short each way: what is long
    /// would keep the others waiting.
    pub(crate) const SHARED: [&str; 4] = [BEGIN, GET, COMMIT, OUTCOME];
}

/// What every call needs.
#[derive(Debug)]
struct Shared {
    node: Arc<Node>,
    access: Access,
}

/// The methods for clients.
#[derive(Debug, Clone)]
struct KvService(Arc<Shared>);

/// The methods for members.
#[derive(Debug, Clone)]
struct RaftService(Arc<Shared>);

type Answer = BoxFuture<'static, Result<HttpResponse, Infallible>>;

fn unknown_method() -> HttpResponse {
    Status::unimplemented("there is no such method").into_http()
}

impl Service<http::Request<Body>> for KvService {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Answer {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let role = match shared.access.role(request.headers()) {
                Ok(role) => role,
                Err(error) => return Ok(to_wire(&error).into_http()),
            };
            let caller = Caller {
                node: Arc::clone(&shared.node),
                role,
            };
            Ok(caller.answer(request).await)
        })
    }
}

impl Service<http::Request<Body>> for RaftService {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Answer {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let role = shared.access.role(request.headers());
            if let Err(error) = role.and_then(Role::check_manage) {
                return Ok(to_wire(&error).into_http());
            }
            let answer = raft::answer(shared.node.group(), request).await;
            Ok(answer.unwrap_or_else(unknown_method))
        })
    }
}

/// Calls go to their service without a router's work, which is not little beside theirs; the router has the rest.
#[derive(Clone)]
struct Methods {
    kv: KvService,
    raft: RaftService,
    rest: Routes,
}

impl Service<HttpRequest> for Methods {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Either<Answer, <Routes as Service<HttpRequest>>::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // All three are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let path = request.uri().path();
        if path.starts_with(method::SERVICE) {
            Either::Left(self.kv.call(request))
        } else if path.starts_with(rpc::raft::SERVICE) {
            Either::Left(self.raft.call(request))
        } else {
            Either::Right(self.rest.call(request))
        }
    }
}

/// Somebody who was let in, and the node they talk to.
#[derive(Debug, Clone)]
struct Caller {
    node: Arc<Node>,
    role: Role,
}
