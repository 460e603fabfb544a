//! The Flight service: one arm for each call that is supported. Everything else answers UNIMPLEMENTED.
//!
//! DoGet is not here: [`super::Front`] answers it before tonic sees it.

use std::{pin::Pin, sync::Arc};

use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
    flight_service_server::FlightService,
    sql::{Any, Command, DoPutUpdateResult},
};
use futures::{Stream, StreamExt};
use prost::{Message, bytes::Bytes};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataValue};

use super::{
    actions,
    front::Call,
    handles::Handles,
    ingest, metadata,
    poll::{self, Polls},
    prepared,
    put::PutRows,
    sessions::Sessions,
    statement::{self, Caller},
    stream::ResultBody,
    substrait,
    tickets::Tickets,
};
use crate::{
    auth::{self, Authenticator, Origin},
    metrics, status,
};

/// What was promised to clients, and lasts from call to call.
pub(super) struct Shared {
    pub(super) tickets: Arc<Tickets>,
    pub(super) handles: Handles,
    pub(super) sessions: Sessions,
    pub(super) polls: Polls,
}

impl Shared {
    /// Forgets what clients have left behind.
    pub(super) fn expire(&self) {
        self.tickets.expire();
        self.handles.expire();
        self.sessions.expire();
        self.polls.expire();
    }
}

pub(super) struct Service {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) shared: Arc<Shared>,
}

/// The body for a ticket: that of a statement, or a command that is its own ticket.
pub(super) async fn fetch(
    caller: &Caller,
    ticket: &Ticket,
    shared: &Shared,
) -> Result<ResultBody, Status> {
    let any = Any::decode(&*ticket.ticket).map_err(|e| {
        status::bounded(
            Code::InvalidArgument,
            format!("the ticket is not a protobuf Any: {e}"),
        )
    })?;
    let type_url = any.type_url.clone();
    let command = Command::try_from(any).map_err(|e| {
        status::bounded(
            Code::InvalidArgument,
            format!("the ticket \"{type_url}\" cannot be decoded: {e}"),
        )
    })?;
    if let Some(columns) = metadata::columns(&command) {
        return metadata::fetch(caller, command, columns, shared.handles.limits()).await;
    }
    match command {
        Command::TicketStatementQuery(ticket) => {
            statement::fetch(caller, &ticket, &shared.tickets).await
        }
        Command::CommandPreparedStatementQuery(query) => {
            prepared::fetch(caller, &query.prepared_statement_handle, &shared.handles).await
        }
        _ => Err(status::bounded(
            Code::Unimplemented,
            format!("tickets of type \"{type_url}\" are not supported"),
        )),
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = caller(&request)?;
        let descriptor = request.into_inner();
        let command = statement::command(&descriptor)?;
        let answer = match &command {
            Command::CommandStatementQuery(query) => {
                statement::info(&caller, query, descriptor, &self.shared.tickets).await
            }
            Command::CommandPreparedStatementQuery(query) => {
                let Shared {
                    tickets, handles, ..
                } = &*self.shared;
                prepared::info(&caller, query, descriptor, handles, tickets).await
            }
            Command::CommandStatementSubstraitPlan(plan) => {
                substrait::info(&caller, plan, descriptor, &self.shared.tickets).await
            }
            other => match metadata::columns(other) {
                Some(columns) => metadata::info(other, &columns, descriptor),
                None => Err(unsupported(other)),
            },
        };
        counted("GetFlightInfo", answer)
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let caller = caller(&request)?;
        let answer = match statement::command(request.get_ref())? {
            Command::CommandStatementQuery(query) => statement::schema(&caller, &query).await,
            Command::CommandPreparedStatementQuery(query) => prepared::schema(
                &caller,
                &query.prepared_statement_handle,
                &self.shared.handles,
            ),
            Command::CommandStatementSubstraitPlan(plan) => substrait::schema(&caller, &plan).await,
            other => match metadata::columns(&other) {
                Some(columns) => metadata::schema(&columns),
                None => Err(unsupported(&other)),
            },
        };
        counted("GetSchema", answer)
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let caller = caller(&request)?;
        let mut messages = request.into_inner();
        let first = messages
            .next()
            .await
            .ok_or_else(|| Status::invalid_argument("DoPut without a message"))??;
        let descriptor = first.flight_descriptor.as_ref().ok_or_else(|| {
            Status::invalid_argument("the first message of DoPut has no descriptor")
        })?;
        let command = statement::command(descriptor)?;
        let rows = PutRows::new(first, messages);
        let handles = &self.shared.handles;
        let answer = match command {
            Command::CommandStatementUpdate(update) => {
                changed(statement::update(&caller, &update).await)
            }
            Command::CommandPreparedStatementQuery(query) => {
                prepared::bind(&caller, &query.prepared_statement_handle, rows, handles).await
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let handle = &update.prepared_statement_handle;
                changed(prepared::update(&caller, handle, rows, handles).await)
            }
            Command::CommandStatementSubstraitPlan(plan) => {
                changed(substrait::update(&caller, &plan).await)
            }
            Command::CommandStatementIngest(command) => {
                changed(ingest::run(&caller, command, rows).await)
            }
            other => Err(unsupported(&other)),
        };
        let answer = answer.map(|app_metadata| {
            let result = PutResult { app_metadata };
            Box::pin(futures::stream::iter([Ok(result)])) as Self::DoPutStream
        });
        counted("DoPut", answer)
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let list = futures::stream::iter(actions::list().map(Ok));
        counted("ListActions", Ok(Box::pin(list) as Self::ListActionsStream))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        let caller = caller(&request)?;
        let result = actions::run(&caller, request.get_ref(), &self.shared).await;
        let answer = result.map(|body| {
            let results = body.map(|body| Ok(arrow_flight::Result { body }));
            Box::pin(futures::stream::iter(results)) as Self::DoActionStream
        });
        counted("DoAction", answer)
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        Err(Status::internal("DoGet did not reach its own path"))
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let (metadata, extensions, messages) = request.into_parts();
        let origin = extensions
            .get::<Origin>()
            .ok_or_else(|| Status::internal("the request has no connection"))?;
        let headers = metadata.into_headers();
        let welcome = auth::handshake(&self.authenticator, &headers, origin, messages).await;
        let (response, token) = match welcome {
            Ok(welcome) => (Ok(welcome.response), welcome.token),
            Err(status) => (Err(status), None),
        };
        let answer = response.map(|response| {
            Box::pin(futures::stream::iter([Ok(response)])) as Self::HandshakeStream
        });
        let mut answer = counted("Handshake", answer)?;
        if let Some(token) = token {
            let mut value = MetadataValue::try_from(format!("Bearer {token}"))
                .map_err(|_| Status::internal("the token cannot be sent in a header"))?;
            value.set_sensitive(true);
            answer.metadata_mut().insert("authorization", value);
        }
        Ok(answer)
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        counted(
            "ListFlights",
            Err(Status::unimplemented("ListFlights is not supported")),
        )
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let caller = caller(&request)?;
        let answer = poll::poll(&caller, request.into_inner(), &self.shared).await;
        counted("PollFlightInfo", answer)
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        counted(
            "DoExchange",
            Err(Status::unimplemented("DoExchange is not supported")),
        )
    }
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let call = request.extensions().get::<Call>();
    call.map(Call::caller)
        .ok_or_else(|| Status::internal("the request has no connection"))
}

/// The result of an update.
fn changed(rows: Result<i64, Status>) -> Result<Bytes, Status> {
    rows.map(|record_count| DoPutUpdateResult { record_count }.encode_to_vec().into())
}

pub(super) fn unsupported(command: &Command) -> Status {
    let any = command.clone().into_any();
    let name = any
        .type_url
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    Status::unimplemented(format!("{name} is not supported"))
}

fn counted<T>(rpc: &'static str, answer: Result<T, Status>) -> Result<Response<T>, Status> {
    metrics::request(rpc, answer.as_ref().map_or_else(Status::code, |_| Code::Ok));
    answer.map(Response::new)
}
