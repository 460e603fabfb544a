//! CancelFlightInfo, CancelQuery and RenewFlightEndpoint: what clients do with a `FlightInfo` besides fetching it.
//!
//! Errors: `NOT_FOUND` for tickets that were not given out or are gone, `INVALID_ARGUMENT` for what has no ticket.

use std::time::SystemTime;

use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint, FlightInfo,
    RenewFlightEndpointRequest,
    sql::{Any, TicketStatementQuery},
};
use prost::{Message, bytes::Bytes};
use tonic::Status;
use uuid::Uuid;

use super::{service::Shared, statement::Caller, tickets::Tickets};

/// Flight SQL's older action; the request carries an encoded `FlightInfo`, the results are numbered alike.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CancelQueryResult {
    #[prost(int32, tag = "1")]
    result: i32,
}

pub(super) fn cancel_flight_info(
    caller: &Caller,
    request: &CancelFlightInfoRequest,
    shared: &Shared,
) -> Result<CancelFlightInfoResult, Status> {
    let info = request
        .info
        .as_ref()
        .ok_or_else(|| Status::invalid_argument("the request has no FlightInfo to cancel"))?;
    Ok(CancelFlightInfoResult::new(cancel(caller, info, shared)?))
}

pub(super) fn cancel_query(
    caller: &Caller,
    info: &Bytes,
    shared: &Shared,
) -> Result<CancelQueryResult, Status> {
    let info = FlightInfo::decode(&**info).map_err(|e| {
        Status::invalid_argument(format!("the FlightInfo to cancel cannot be decoded: {e}"))
    })?;
    let result = cancel(caller, &info, shared)? as i32;
    Ok(CancelQueryResult { result })
}

fn cancel(caller: &Caller, info: &FlightInfo, shared: &Shared) -> Result<CancelStatus, Status> {
    let by = caller.session.identity();
    let Some(endpoint) = info.endpoint.first() else {
        // A statement that is polled has no endpoint yet, but its number.
        let id = Uuid::from_slice(&info.app_metadata)
            .map_err(|_| Status::invalid_argument("the FlightInfo has no endpoint"))?;
        return shared.polls.cancel(id, by).ok_or_else(gone);
    };
    match statement_of(endpoint)? {
        Some(id) => shared.tickets.cancel(id, by).ok_or_else(gone),
        // Metadata is answered at once.
        None => Ok(CancelStatus::NotCancellable),
    }
}

/// Keeps a ticket for its full time from now, and says until when that is.
pub(super) fn renew(
    caller: &Caller,
    request: RenewFlightEndpointRequest,
    tickets: &Tickets,
) -> Result<FlightEndpoint, Status> {
    let endpoint = request
        .endpoint
        .ok_or_else(|| Status::invalid_argument("the request has no endpoint to renew"))?;
    let Some(id) = statement_of(&endpoint)? else {
        return Ok(endpoint);
    };
    tickets
        .renew(id, caller.session.identity())
        .ok_or_else(gone)?;
    let until = SystemTime::now() + tickets.idle();
    Ok(FlightEndpoint {
        expiration_time: Some(until.into()),
        ..endpoint
    })
}

/// The statement behind an endpoint; `None` for tickets that are commands, which stay good.
fn statement_of(endpoint: &FlightEndpoint) -> Result<Option<Uuid>, Status> {
    let refused = |why: &str| Status::invalid_argument(format!("the endpoint's ticket {why}"));
    let ticket = endpoint
        .ticket
        .as_ref()
        .ok_or_else(|| refused("is missing"))?;
    let any = Any::decode(&*ticket.ticket).map_err(|_| refused("is not a protobuf Any"))?;
    let statement = any.unpack::<TicketStatementQuery>();
    let Some(statement) = statement.map_err(|_| refused("cannot be decoded"))? else {
        return Ok(None);
    };
    let id = Uuid::from_slice(&statement.statement_handle);
    id.map(Some)
        .map_err(|_| refused("was not made by this server"))
}

fn gone() -> Status {
    Status::not_found("the ticket is unknown or has expired")
}
