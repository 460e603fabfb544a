//! The Flight service: one arm for each call that is supported. Everything else answers UNIMPLEMENTED.
//!
//! DoGet is not here: [`super::Front`] answers it before tonic sees it.

use std::{pin::Pin, sync::Arc};

use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
    flight_service_server::FlightService,
    sql::{Command, DoPutUpdateResult},
};
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataValue};

use super::{
    front::Call,
    statement::{self, Caller},
    tickets::Tickets,
};
use crate::{
    auth::{self, Authenticator, Origin},
    metrics,
};

pub(super) struct Service {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) tickets: Arc<Tickets>,
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
        let answer = match statement::command(&descriptor)? {
            Command::CommandStatementQuery(query) => {
                statement::info(&caller, &query, descriptor, &self.tickets).await
            }
            other => Err(unsupported(&other)),
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
            other => Err(unsupported(&other)),
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
        let descriptor = first.flight_descriptor.ok_or_else(|| {
            Status::invalid_argument("the first message of DoPut has no descriptor")
        })?;
        let rows = match statement::command(&descriptor)? {
            Command::CommandStatementUpdate(update) => statement::update(&caller, &update).await,
            other => Err(unsupported(&other)),
        };
        let answer = rows.map(|record_count| {
            let result = PutResult {
                app_metadata: DoPutUpdateResult { record_count }.encode_to_vec().into(),
            };
            Box::pin(futures::stream::iter([Ok(result)])) as Self::DoPutStream
        });
        counted("DoPut", answer)
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(Box::pin(futures::stream::empty())))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        counted(
            "DoAction",
            Err(Status::unimplemented(format!(
                "the action \"{}\" is not supported",
                request.get_ref().r#type
            ))),
        )
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
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        counted(
            "PollFlightInfo",
            Err(Status::unimplemented("PollFlightInfo is not supported")),
        )
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

fn unsupported(command: &Command) -> Status {
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
    metrics::request(
        rpc,
        answer
            .as_ref()
            .map_or_else(Status::code, |_| tonic::Code::Ok),
    );
    answer.map(Response::new)
}
