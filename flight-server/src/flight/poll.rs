//! PollFlightInfo: for statements that take longer than a client wants one call to take.
//!
//! ```text
//! PollFlightInfo(command)       -> a query: a ticket, and the poll is over, as rows come while it runs
//!                               -> anything else: it runs on, and the answer says how far it is and how to ask again
//! PollFlightInfo(what it said)  -> the same, or the ticket for its answer once it has ended
//! ```
//! Each poll waits a little for the end. A statement that nobody asks for in five minutes is stopped.
//! Errors: those of the statement, `NOT_FOUND` for a statement that has been asked for to its end or was forgotten.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use arrow::datatypes::SchemaRef;
use arrow_flight::{
    CancelStatus, FlightDescriptor, FlightInfo, PollInfo,
    sql::{Any, Command},
};
use coordinator::{Identity, Outcome, Prepared};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use uuid::Uuid;

use super::{
    metadata, prepared,
    service::{Shared, unsupported},
    statement::{self, Caller},
    substrait,
    tickets::{Ticketed, Tickets},
};

const RUNNING_TYPE_URL: &str = "type.googleapis.com/murre.RunningStatement";
/// A poll waits for the end of its statement at most this long.
const PATIENCE: Duration = Duration::from_millis(500);
/// A statement whose client does not ask again is forgotten, and stopped, after this time.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// Statements of all clients together.
const RUNNING_MAX: usize = 1_000;

type End = Option<Result<Arc<Outcome>, Status>>;

/// The statements that clients poll.
#[derive(Debug, Default)]
pub(super) struct Polls(Mutex<HashMap<Uuid, Arc<Running>>>);

#[derive(Debug)]
struct Running {
    prepared: Arc<Prepared>,
    schema: SchemaRef,
    descriptor: FlightDescriptor,
    end: watch::Receiver<End>,
    used: Mutex<Instant>,
    _task: AbortOnDropHandle<()>,
}

impl Running {
    fn owner(&self) -> &Identity {
        self.prepared.context().session().identity()
    }
}

impl Polls {
    /// Stops a statement that runs; `None` where there is none of that number. One that has ended stays to be asked for.
    pub(super) fn cancel(&self, id: Uuid, by: &Identity) -> Option<CancelStatus> {
        let running = self.get(id, by).ok()?;
        if running.end.borrow().is_some() {
            return Some(CancelStatus::NotCancellable);
        }
        self.0.lock().remove(&id);
        running.prepared.context().process().cancel.cancel();
        Some(CancelStatus::Cancelling)
    }

    /// Forgets what nobody has asked for.
    pub(super) fn expire(&self) {
        let mut expired = Vec::new();
        self.0.lock().retain(|_, running| {
            let keep = running.used.lock().elapsed() <= IDLE_MAX;
            if !keep {
                expired.push(Arc::clone(running));
            }
            keep
        });
    }

    /// Begins a statement, if there is room for it.
    fn begin(&self, running: impl FnOnce() -> Running) -> Result<Uuid, Status> {
        let mut all = self.0.lock();
        if all.len() >= RUNNING_MAX {
            return Err(Status::resource_exhausted(format!(
                "{RUNNING_MAX} statements are polled already\nhint: ask for the ends of some first"
            )));
        }
        let id = Uuid::new_v4();
        all.insert(id, Arc::new(running()));
        Ok(id)
    }

    fn get(&self, id: Uuid, by: &Identity) -> Result<Arc<Running>, Status> {
        let running = self.0.lock().get(&id).cloned();
        let running = running.filter(|running| running.owner().is(by));
        running.ok_or_else(|| {
            Status::not_found("the statement is unknown, has been answered or was forgotten")
        })
    }
}

/// Answers a poll, the first or a later one.
pub(super) async fn poll(
    caller: &Caller,
    descriptor: FlightDescriptor,
    shared: &Shared,
) -> Result<PollInfo, Status> {
    let Shared {
        tickets,
        polls,
        handles,
        ..
    } = shared;
    if let Some(id) = running(&descriptor)? {
        return again(caller, id, tickets, polls).await;
    }
    let command = statement::command(&descriptor)?;
    let (prepared, schema) = match &command {
        Command::CommandStatementQuery(query) => statement::planned(caller, query).await?,
        Command::CommandPreparedStatementQuery(query) => {
            prepared::planned(caller, &query.prepared_statement_handle, handles).await?
        }
        Command::CommandStatementSubstraitPlan(plan) => substrait::planned(caller, plan).await?,
        other => {
            let columns = metadata::columns(other).ok_or_else(|| unsupported(other))?;
            return metadata::info(other, &columns, descriptor).map(over);
        }
    };
    begin(caller, prepared, schema, descriptor, shared).await
}

/// The statement that a descriptor of ours names; `None` for all other descriptors.
fn running(descriptor: &FlightDescriptor) -> Result<Option<Uuid>, Status> {
    let any = Any::decode(&*descriptor.cmd).ok();
    let Some(any) = any.filter(|any| any.type_url == RUNNING_TYPE_URL) else {
        return Ok(None);
    };
    let id = Uuid::from_slice(&any.value);
    id.map(Some)
        .map_err(|_| Status::invalid_argument("the descriptor was not made by this server"))
}

/// The first poll of a statement.
async fn begin(
    caller: &Caller,
    prepared: Prepared,
    schema: SchemaRef,
    descriptor: FlightDescriptor,
    shared: &Shared,
) -> Result<PollInfo, Status> {
    let Shared { tickets, polls, .. } = shared;
    if prepared.streams() {
        let info = statement::offer(caller, prepared, schema, descriptor, tickets).await?;
        return Ok(over(info));
    }
    let prepared = Arc::new(prepared);
    let (sender, end) = watch::channel(None);
    let running = Arc::clone(&prepared);
    let run = async move {
        let outcome = statement::run_command(None, &running).await;
        sender.send_replace(Some(outcome.map(Arc::new)));
    };
    let id = polls.begin(|| Running {
        prepared,
        schema,
        descriptor,
        end,
        used: Mutex::new(Instant::now()),
        _task: AbortOnDropHandle::new(tokio::spawn(run)),
    })?;
    again(caller, id, tickets, polls).await
}

/// Waits a little for the end of a statement, and says how it stands.
async fn again(
    caller: &Caller,
    id: Uuid,
    tickets: &Tickets,
    polls: &Polls,
) -> Result<PollInfo, Status> {
    let running = polls.get(id, caller.session.identity())?;
    *running.used.lock() = Instant::now();
    let mut end = running.end.clone();
    let ended = tokio::time::timeout(PATIENCE, end.wait_for(Option::is_some)).await;
    let Ok(ended) = ended else {
        return still(id, &running);
    };
    let outcome = match ended {
        Ok(end) => end.clone(),
        Err(_) => Some(Err(Status::internal(
            "the statement stopped without an end",
        ))),
    };
    polls.0.lock().remove(&id);
    let outcome = outcome.unwrap_or_else(|| Err(Status::internal("the statement has no end")))?;
    let info = statement::ticket_for(
        caller,
        Ticketed::done(Outcome::clone(&outcome), &running.schema),
        &running.schema,
        running.descriptor.clone(),
        tickets,
    )?;
    Ok(over(info))
}

fn over(info: FlightInfo) -> PollInfo {
    PollInfo {
        info: Some(info),
        flight_descriptor: None,
        progress: Some(1.0),
        expiration_time: None,
    }
}

fn still(id: Uuid, running: &Running) -> Result<PollInfo, Status> {
    let ask_again = Any {
        type_url: RUNNING_TYPE_URL.into(),
        value: id.as_bytes().to_vec().into(),
    };
    // Without an endpoint, the number lets CancelFlightInfo find the statement.
    let info = FlightInfo::new()
        .try_with_schema(&running.schema)
        .map_err(|e| Status::internal(format!("the schema cannot be sent: {e}")))?
        .with_descriptor(running.descriptor.clone())
        .with_app_metadata(id.as_bytes().to_vec());
    Ok(PollInfo {
        info: Some(info),
        flight_descriptor: Some(FlightDescriptor::new_cmd(ask_again.encode_to_vec())),
        progress: running.prepared.context().process().progress(),
        expiration_time: Some((SystemTime::now() + IDLE_MAX).into()),
    })
}
