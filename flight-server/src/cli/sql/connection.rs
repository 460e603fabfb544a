//! Where statements run: in this process, or on a server.

use std::error::Error;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::error::FlightError;
use coordinator::{QueryError, error_chain};
use futures::stream::BoxStream;

use super::{local::Local, progress::Watcher, remote::Remote};

/// One client's session.
#[derive(Debug)]
pub(crate) enum Connection {
    Local(Local),
    Remote(Remote),
}

impl Connection {
    /// Runs one statement. Dropping the future, or the rows it gives, stops the statement.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<ResultSet, StatementError> {
        match self {
            Self::Local(local) => local.execute(sql).await,
            Self::Remote(remote) => remote.execute(sql).await,
        }
    }

    /// Something that can be asked how far a statement of this session is.
    pub(crate) fn watcher(&self) -> Watcher {
        match self {
            Self::Local(local) => local.watcher(),
            Self::Remote(remote) => remote.watcher(),
        }
    }
}

/// What a statement gives.
pub(crate) struct ResultSet {
    /// Without columns for definitions and settings.
    pub(crate) schema: SchemaRef,
    pub(crate) batches: BoxStream<'static, Result<RecordBatch, StatementError>>,
    /// Rows written, 0 for definitions; `None` for queries.
    pub(crate) rows_changed: Option<u64>,
}

/// Why a statement failed, in the words for its user.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
pub(crate) struct StatementError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Between message and hint in a status of the server.
const HINT: &str = "\nhint: ";

impl From<QueryError> for StatementError {
    fn from(error: QueryError) -> Self {
        let message = match &error {
            // These print their source themselves, without its prefix.
            QueryError::Plan { .. } | QueryError::Data { .. } | QueryError::Storage { .. } => {
                error.to_string()
            }
            other => error_chain(other),
        };
        Self {
            message,
            hint: error.hint().map(str::to_owned),
        }
    }
}

impl From<tonic::Status> for StatementError {
    fn from(status: tonic::Status) -> Self {
        if let Some((message, hint)) = status.message().split_once(HINT) {
            return Self {
                message: message.to_owned(),
                hint: Some(hint.to_owned()),
            };
        }
        let mut message = match status.message() {
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        };
        // Only failures of the connection have sources; they say what happened to it.
        if let Some(source) = status.source() {
            message = format!("{message}: {}", error_chain(source));
        }
        Self {
            message,
            hint: None,
        }
    }
}

impl From<FlightError> for StatementError {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => (*status).into(),
            other => Self {
                message: other.to_string(),
                hint: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_its_hint_after_the_message() {
        let error = StatementError::from(tonic::Status::not_found(
            "no table \"a\"\nhint: did you mean \"b\"?",
        ));
        assert_eq!(error.message, "no table \"a\"");
        assert_eq!(error.hint.as_deref(), Some("did you mean \"b\"?"));
        assert_eq!(
            error.to_string(),
            "no table \"a\"\nhint: did you mean \"b\"?"
        );
    }

    #[test]
    fn a_status_without_a_message_is_named_by_its_code() {
        let error = StatementError::from(FlightError::from(tonic::Status::unavailable("")));
        assert_eq!(error.to_string(), "The service is currently unavailable");
    }
}
