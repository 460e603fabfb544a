//! DoAction: one arm for each action. Those of Flight SQL come wrapped in a protobuf Any, those of Flight itself do not.

use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, RenewFlightEndpointRequest,
    sql::{
        ActionCancelQueryRequest, ActionClosePreparedStatementRequest,
        ActionCreatePreparedStatementRequest, ActionCreatePreparedSubstraitPlanRequest, Any,
        ProstMessageExt,
    },
};
use prost::{Message, bytes::Bytes};
use tonic::{Code, Status};

use super::{cancel, prepared, service::Shared, session_options, statement::Caller, substrait};
use crate::status;

const CANCEL_RESULT_TYPE_URL: &str =
    "type.googleapis.com/arrow.flight.protocol.sql.ActionCancelQueryResult";

/// The actions there are, and what they do.
const ACTIONS: [(&str, &str); 9] = [
    (
        "CreatePreparedStatement",
        "Prepares a statement; its values can be bound later. Takes ActionCreatePreparedStatementRequest, gives ActionCreatePreparedStatementResult",
    ),
    (
        "CreatePreparedSubstraitPlan",
        "Prepares a Substrait plan. Takes ActionCreatePreparedSubstraitPlanRequest, gives ActionCreatePreparedStatementResult",
    ),
    (
        "ClosePreparedStatement",
        "Forgets a prepared statement. Takes ActionClosePreparedStatementRequest",
    ),
    (
        "CancelQuery",
        "Stops a query; the older form of CancelFlightInfo. Takes ActionCancelQueryRequest, gives ActionCancelQueryResult",
    ),
    (
        "CancelFlightInfo",
        "Stops a query. Takes CancelFlightInfoRequest, gives CancelFlightInfoResult",
    ),
    (
        "RenewFlightEndpoint",
        "Keeps a result longer. Takes RenewFlightEndpointRequest, gives FlightEndpoint",
    ),
    (
        "SetSessionOptions",
        "Sets the session's schema and settings. Takes SetSessionOptionsRequest, gives SetSessionOptionsResult",
    ),
    (
        "GetSessionOptions",
        "Lists the session's schema and settings. Takes GetSessionOptionsRequest, gives GetSessionOptionsResult",
    ),
    (
        "CloseSession",
        "Ends the session and its temporary tables. Takes CloseSessionRequest, gives CloseSessionResult",
    ),
];

/// What ListActions answers.
pub(super) fn list() -> impl Iterator<Item = ActionType> {
    ACTIONS.into_iter().map(|(name, description)| ActionType {
        r#type: name.into(),
        description: description.into(),
    })
}

/// Does what is asked. Gives the body of the result where the action has one.
pub(super) async fn run(
    caller: &Caller,
    action: &Action,
    shared: &Shared,
) -> Result<Option<Bytes>, Status> {
    match action.r#type.as_str() {
        "CreatePreparedStatement" => {
            let request: ActionCreatePreparedStatementRequest = wrapped(action)?;
            prepared::create(caller, &request, &shared.handles)
                .await
                .map(Some)
        }
        "CreatePreparedSubstraitPlan" => {
            let request: ActionCreatePreparedSubstraitPlanRequest = wrapped(action)?;
            substrait::create(caller, &request, &shared.handles)
                .await
                .map(Some)
        }
        "ClosePreparedStatement" => {
            let request: ActionClosePreparedStatementRequest = wrapped(action)?;
            shared
                .handles
                .close(caller, &request.prepared_statement_handle)?;
            Ok(None)
        }
        "CancelQuery" => {
            let request: ActionCancelQueryRequest = wrapped(action)?;
            let result = cancel::cancel_query(caller, &request.info, shared)?;
            let any = Any {
                type_url: CANCEL_RESULT_TYPE_URL.into(),
                value: result.encode_to_vec().into(),
            };
            body(&any)
        }
        "CancelFlightInfo" => {
            let request: CancelFlightInfoRequest = bare(action)?;
            body(&cancel::cancel_flight_info(caller, &request, shared)?)
        }
        "RenewFlightEndpoint" => {
            let request: RenewFlightEndpointRequest = bare(action)?;
            body(&cancel::renew(caller, request, &shared.tickets)?)
        }
        "SetSessionOptions" => body(&session_options::set(&caller.session, bare(action)?)),
        "GetSessionOptions" => body(&session_options::get(&caller.session)),
        "CloseSession" => {
            shared
                .sessions
                .close(caller.session.id(), &caller.connection);
            body(&session_options::closed())
        }
        "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
            Err(Status::unimplemented(
                "transactions are not supported\nhint: every statement commits by itself",
            ))
        }
        other => Err(status::bounded(
            Code::Unimplemented,
            format!("the action \"{other}\" is not supported"),
        )),
    }
}

/// The handle that an action closes, if it is one that does.
pub(super) fn handle_to_close(action: &Action) -> Option<Bytes> {
    let closes = action.r#type == "ClosePreparedStatement";
    let request: ActionClosePreparedStatementRequest = closes.then(|| wrapped(action))?.ok()?;
    Some(request.prepared_statement_handle)
}

fn body(result: &impl Message) -> Result<Option<Bytes>, Status> {
    Ok(Some(result.encode_to_vec().into()))
}

/// The request of an action of Flight itself.
fn bare<M: Message + Default>(action: &Action) -> Result<M, Status> {
    M::decode(&*action.body).map_err(|e| refused(action, &e.to_string()))
}

/// The request of a Flight SQL action.
fn wrapped<M: ProstMessageExt>(action: &Action) -> Result<M, Status> {
    let any = Any::decode(&*action.body).map_err(|e| refused(action, &e.to_string()))?;
    let request = any
        .unpack::<M>()
        .map_err(|e| refused(action, &e.to_string()))?;
    request.ok_or_else(|| refused(action, &format!("it is a \"{}\"", any.type_url)))
}

fn refused(action: &Action, why: &str) -> Status {
    status::bounded(
        Code::InvalidArgument,
        format!(
            "the request of the action \"{}\" cannot be decoded: {why}",
            action.r#type
        ),
    )
}
