//! The HTTP side of Flight: finds the session of each request, answers DoGet, and leaves the rest to tonic.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use arrow_flight::{Action, Ticket, flight_service_server::FlightServiceServer};
use bytes::Bytes;
use coordinator::{Engine, Session};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use prost::Message;
use tonic::{Code, Status, body::Body};
use tower::{BoxError, Service as _};
use tracing::debug;

use super::{
    actions,
    handles::Handles,
    limits::FlightLimits,
    poll::Polls,
    segments::Segments,
    service::{self, Service, Shared},
    sessions::{ConnectionSession, Sessions},
    statement::{self, Caller},
    stream::ResultBody,
    tickets::Tickets,
};
use crate::{
    auth::{AuthError, Authenticator},
    metrics, status,
};

const HANDSHAKE: &str = "/arrow.flight.protocol.FlightService/Handshake";
const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";
const DO_ACTION: &str = "/arrow.flight.protocol.FlightService/DoAction";
/// A ticket of ours has less than 100 bytes.
const TICKET_BYTES_MAX: usize = 64 << 10;
/// What somebody who is not known may send.
const UNKNOWN_BYTES_MAX: usize = 64 << 10;
/// How long they may take for it.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of a request that is refused is waited for.
const HEAR_OUT: Duration = Duration::from_secs(1);
/// Largest message a client may send.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Everything the connections of one server share.
#[derive(Clone)]
pub(crate) struct Front {
    authenticator: Arc<Authenticator>,
    shared: Arc<Shared>,
    others: FlightServiceServer<Service>,
}

/// Who made a request; travels with it as an extension.
#[derive(Clone)]
pub(super) struct Call {
    session: Arc<Session>,
    connection: Arc<ConnectionSession>,
    deadline: Option<Instant>,
}

impl Call {
    pub(super) fn caller(&self) -> Caller {
        Caller {
            session: Arc::clone(&self.session),
            client: self.connection.peer.to_string(),
            connection: Arc::clone(&self.connection),
            deadline: self.deadline,
        }
    }
}

impl Front {
    pub(crate) fn new(
        engine: Arc<Engine>,
        limits: FlightLimits,
        authenticator: Arc<Authenticator>,
    ) -> Self {
        let shared = Arc::new(Shared {
            tickets: Arc::new(Tickets::new(limits)),
            handles: Handles::new(limits),
            sessions: Sessions::new(engine, limits),
            polls: Polls::default(),
        });
        let others = FlightServiceServer::new(Service {
            authenticator: Arc::clone(&authenticator),
            shared: Arc::clone(&shared),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(usize::MAX);
        Self {
            authenticator,
            shared,
            others,
        }
    }

    /// Forgets what clients have left behind; called now and then.
    pub(crate) fn expire(&self) {
        self.shared.expire();
    }

    pub(crate) fn on(&self, connection: Arc<ConnectionSession>) -> OnConnection {
        OnConnection {
            front: self.clone(),
            connection,
        }
    }
}

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct OnConnection {
    front: Front,
    connection: Arc<ConnectionSession>,
}

impl tower::Service<Request<Incoming>> for OnConnection {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let (front, connection) = (self.front.clone(), Arc::clone(&self.connection));
        Box::pin(async move {
            let answer = match request.uri().path() {
                // Says who it is in its own way, and needs no session.
                HANDSHAKE => {
                    let request = request.map(|body| Limited::new(body, UNKNOWN_BYTES_MAX));
                    front.pass_on(request, connection.origin.clone()).await
                }
                _ => front.answer(request, &connection).await,
            };
            Ok(answer)
        })
    }
}

impl Front {
    /// Nothing below this is reached without an identity, but for the handshake and [`Front::farewell`].
    async fn answer(
        self,
        request: Request<Incoming>,
        connection: &Arc<ConnectionSession>,
    ) -> Response<AnswerBody> {
        let headers = request.headers();
        let known = self.authenticator.identify(headers, &connection.origin);
        let identity = match known.await {
            Ok(identity) => identity,
            Err(error) => return self.farewell(request, &error, connection).await,
        };
        let sessions = &self.shared.sessions;
        let (session, cookie) = match sessions.of(request.headers(), connection, &identity) {
            Ok(known) => known,
            Err(status) => {
                metrics::refused(status.code());
                hear_out(request).await;
                return status.into_http().map(AnswerBody::Other);
            }
        };
        let call = Call {
            session,
            connection: Arc::clone(connection),
            deadline: statement::deadline(request.headers()),
        };
        let mut response = if request.uri().path() == DO_GET {
            do_get(request, &call, &self.shared).await
        } else {
            self.pass_on(request, call).await
        };
        if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// The first CREATE USER shuts out whoever was there before. Drivers still close what they had prepared, and take a
    /// refusal for a fault: who has such a handle may close it.
    async fn farewell(
        &self,
        request: Request<Incoming>,
        error: &AuthError,
        connection: &ConnectionSession,
    ) -> Response<AnswerBody> {
        if matches!(error, AuthError::Missing) && request.uri().path() == DO_ACTION {
            let action = read::<Action>(request, "the action", UNKNOWN_BYTES_MAX);
            let action = tokio::time::timeout(UNKNOWN_PATIENCE, action).await;
            let handle = action
                .ok()
                .and_then(Result::ok)
                .and_then(|action| actions::handle_to_close(&action));
            if handle.is_some_and(|handle| self.shared.handles.close_nobodys(&handle)) {
                metrics::request("DoAction", Code::Ok);
                return Status::ok("").into_http().map(AnswerBody::Other);
            }
        } else {
            hear_out(request).await;
        }
        refuse(error, connection)
    }

    /// To tonic, with what the service has to know about the call.
    async fn pass_on<B, T>(mut self, mut request: Request<B>, known: T) -> Response<AnswerBody>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        T: Clone + Send + Sync + 'static,
    {
        request.extensions_mut().insert(known);
        match self.others.call(request).await {
            Ok(response) => response.map(AnswerBody::Other),
            Err(never) => match never {},
        }
    }
}

/// Some clients that still send when they are answered report a broken stream instead of the answer.
async fn hear_out(request: Request<Incoming>) {
    let rest = Limited::new(request.into_body(), UNKNOWN_BYTES_MAX);
    // What it was does not matter any more, nor whether it has ended.
    drop(tokio::time::timeout(HEAR_OUT, rest.collect()).await);
}

fn refuse(error: &AuthError, connection: &ConnectionSession) -> Response<AnswerBody> {
    let status = status::from_auth(error);
    metrics::refused(status.code());
    debug!(peer = %connection.peer, %error, "a call was not let in");
    status.into_http().map(AnswerBody::Other)
}

async fn do_get(request: Request<Incoming>, call: &Call, shared: &Shared) -> Response<AnswerBody> {
    let body = async {
        let ticket: Ticket = read(request, "the ticket", TICKET_BYTES_MAX).await?;
        let body = service::fetch(&call.caller(), &ticket, shared).await?;
        Ok::<_, Status>(body.settled().await)
    };
    match body.await {
        Ok(body) => {
            let mut response = Response::new(AnswerBody::Rows(Box::new(body)));
            *response.headers_mut() = HeaderMap::from_iter([grpc()]);
            response
        }
        Err(status) => {
            metrics::request("DoGet", status.code());
            status.into_http().map(AnswerBody::Other)
        }
    }
}

/// Results go out in messages of many pieces, all else in tonic's.
pub(crate) enum AnswerBody {
    Rows(Box<ResultBody>),
    Other(Body),
}

impl http_body::Body for AnswerBody {
    type Data = Segments;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Segments>, Status>>> {
        match self.get_mut() {
            Self::Rows(body) => Pin::new(body.as_mut())
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Other(body) => Pin::new(body)
                .poll_frame(cx)
                .map_ok(|frame| frame.map_data(Segments::from)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Rows(body) => body.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }
}

fn grpc() -> (header::HeaderName, HeaderValue) {
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    )
}

/// The one message of a request: compressed flag, length, `what` it is.
async fn read<M: Message + Default>(
    request: Request<Incoming>,
    what: &str,
    bytes_max: usize,
) -> Result<M, Status> {
    let refused = |why: String| {
        status::bounded(
            Code::InvalidArgument,
            format!("{what} cannot be read: {why}"),
        )
    };
    let body = Limited::new(request.into_body(), bytes_max).collect().await;
    let bytes = body.map_err(|e| refused(e.to_string()))?.to_bytes();
    let Some((&[compressed, a, b, c, d], message)) = bytes.split_first_chunk::<5>() else {
        return Err(refused("it is missing".into()));
    };
    if compressed != 0 {
        return Err(Status::unimplemented(
            "compressed requests are not supported",
        ));
    }
    if u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        return Err(refused("its length is not the one announced".into()));
    }
    M::decode(message).map_err(|e| refused(e.to_string()))
}
