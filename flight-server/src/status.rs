//! Errors -> gRPC status codes. The only place that decides them; one test row for each.

use catalog::CatalogError;
use coordinator::{CompileError, QueryError, error_chain};
use tonic::{Code, Status};
use tracing::error;
use worker_wasm::worker::LinkError;

use crate::auth::AuthError;

/// The status a client gets for an error. The hint follows the message on a line of its own.
pub(crate) fn from_query(error: &QueryError) -> Status {
    let code = code(error);
    let mut message = error_chain(error);
    if code == Code::Internal || code == Code::DataLoss {
        error!(%error, chain = %message, "a statement failed through no fault of its own");
    }
    if let Some(hint) = error.hint() {
        message.push_str("\nhint: ");
        message.push_str(hint);
    }
    bounded(code, message)
}

/// Some clients drop an answer whole when its headers take more than 8 KiB.
const ENCODED_BYTES_MAX: usize = 6_000;

/// A status whose message may hold what a client sent or another library says: cut where it would not fit the headers.
pub(crate) fn bounded(code: Code, mut message: String) -> Status {
    let mut encoded_bytes = 0;
    let end = message.char_indices().find(|(_, letter)| {
        // A byte that is percent-encoded takes three; more of them are counted here than gRPC encodes.
        encoded_bytes += match letter.is_ascii_alphanumeric() {
            true => 1,
            false => 3 * letter.len_utf8(),
        };
        encoded_bytes > ENCODED_BYTES_MAX
    });
    if let Some((end, _)) = end {
        message.truncate(end);
        message.push_str(" …");
    }
    Status::new(code, message)
}

/// The status of a call that is not let in.
pub(crate) fn from_auth(error: &AuthError) -> Status {
    let code = match error {
        AuthError::Missing
        | AuthError::Malformed { .. }
        | AuthError::WrongPassword
        | AuthError::TooManyFailures { .. }
        | AuthError::UnknownToken
        | AuthError::ExpiredToken
        | AuthError::RevokedToken
        | AuthError::RefusedToken { .. }
        | AuthError::NoUsers
        | AuthError::NoUsersForOthers { .. } => Code::Unauthenticated,
        AuthError::Busy | AuthError::KeysUnavailable => Code::Unavailable,
        AuthError::Task(_) => Code::Internal,
    };
    let mut message = error_chain(error);
    if let Some(hint) = error.hint() {
        message.push_str("\nhint: ");
        message.push_str(hint);
    }
    Status::new(code, message)
}

fn code(error: &QueryError) -> Code {
    match error {
        QueryError::Empty
        | QueryError::SeveralStatements { .. }
        | QueryError::Syntax { .. }
        | QueryError::Substrait { .. }
        | QueryError::Plan { .. }
        | QueryError::Data { .. }
        | QueryError::MissingValues { .. }
        | QueryError::Setting { .. } => Code::InvalidArgument,
        QueryError::NotFound { .. } | QueryError::NoSuchQuery { .. } => Code::NotFound,
        QueryError::Unsupported { .. } => Code::Unimplemented,
        QueryError::Forbidden { .. } => Code::PermissionDenied,
        QueryError::OutOfMemory { .. } | QueryError::TooManyRows { .. } => Code::ResourceExhausted,
        QueryError::CorruptFile { .. } => Code::DataLoss,
        QueryError::Storage { .. }
        | QueryError::ShuttingDown
        | QueryError::NoWorkers
        | QueryError::Worker(LinkError::Lost { .. } | LinkError::Silent { .. }) => {
            Code::Unavailable
        }
        QueryError::Cancelled { .. } => Code::Cancelled,
        QueryError::TimedOut { .. } => Code::DeadlineExceeded,
        QueryError::Spill { .. }
        | QueryError::Internal { .. }
        | QueryError::Worker(LinkError::Refused { .. }) => Code::Internal,
        QueryError::Compile(CompileError::Lower { .. } | CompileError::Module { .. }) => {
            Code::Internal
        }
        QueryError::Catalog(error) => catalog_code(error),
    }
}

fn catalog_code(error: &CatalogError) -> Code {
    match error {
        CatalogError::SchemaNotFound { .. }
        | CatalogError::NotFound { .. }
        | CatalogError::SecretNotFound { .. }
        | CatalogError::UserNotFound { .. } => Code::NotFound,
        CatalogError::SchemaExists { .. }
        | CatalogError::Exists { .. }
        | CatalogError::SecretExists { .. }
        | CatalogError::UserExists { .. } => Code::AlreadyExists,
        CatalogError::SchemaNotEmpty { .. }
        | CatalogError::SchemaPinned { .. }
        | CatalogError::LastAdmin { .. } => Code::FailedPrecondition,
        CatalogError::WrongKind { .. }
        | CatalogError::NullInColumn { .. }
        | CatalogError::SecretInvalid { .. }
        | CatalogError::UserInvalid { .. }
        | CatalogError::Location { .. } => Code::InvalidArgument,
        CatalogError::Unsupported { .. } => Code::Unimplemented,
        CatalogError::Abandoned => Code::Cancelled,
        CatalogError::Changed { .. } => Code::Aborted,
        CatalogError::FolderInUse { .. } | CatalogError::Poisoned => Code::Unavailable,
        CatalogError::Damaged { .. } => Code::DataLoss,
        CatalogError::FolderVersion { .. }
        | CatalogError::Io { .. }
        | CatalogError::WriteData { .. }
        | CatalogError::Task(_) => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::TableName;
    use coordinator::QueryId;
    use datafusion::common::DataFusionError;

    #[test]
    fn every_kind_of_error_has_its_code() {
        let plan = || DataFusionError::Plan("x".into());
        let name = || TableName::new("public", "t");
        let text = || String::from("x");
        let worker = || worker_wasm::rendezvous::WorkerId::new("w").unwrap();
        let id = QueryId(7);
        let rows = [
            (QueryError::Empty, Code::InvalidArgument),
            (
                QueryError::SeveralStatements { count: 2 },
                Code::InvalidArgument,
            ),
            (QueryError::Syntax { detail: text() }, Code::InvalidArgument),
            (QueryError::Plan { source: plan() }, Code::InvalidArgument),
            (QueryError::Data { source: plan() }, Code::InvalidArgument),
            (
                QueryError::MissingValues {
                    parameters: 2,
                    values: 1,
                },
                Code::InvalidArgument,
            ),
            (
                QueryError::TooManyRows {
                    rows: 1_001,
                    limit: 1_000,
                },
                Code::ResourceExhausted,
            ),
            (
                QueryError::Setting {
                    name: text(),
                    detail: text(),
                },
                Code::InvalidArgument,
            ),
            (
                QueryError::Substrait { detail: text() },
                Code::InvalidArgument,
            ),
            (
                QueryError::NotFound {
                    what: text(),
                    hint: None,
                },
                Code::NotFound,
            ),
            (QueryError::NoSuchQuery { id: 1 }, Code::NotFound),
            (
                QueryError::Unsupported {
                    what: text(),
                    hint: None,
                },
                Code::Unimplemented,
            ),
            (
                QueryError::Forbidden { what: "to x" },
                Code::PermissionDenied,
            ),
            (
                QueryError::OutOfMemory { detail: text() },
                Code::ResourceExhausted,
            ),
            (
                QueryError::CorruptFile {
                    path: text(),
                    detail: text(),
                },
                Code::DataLoss,
            ),
            (QueryError::Storage { source: plan() }, Code::Unavailable),
            (QueryError::ShuttingDown, Code::Unavailable),
            (QueryError::Cancelled { id }, Code::Cancelled),
            (
                QueryError::TimedOut {
                    id,
                    limit: std::time::Duration::from_secs(1),
                },
                Code::DeadlineExceeded,
            ),
            (
                QueryError::Spill {
                    path: "x".into(),
                    source: plan(),
                },
                Code::Internal,
            ),
            (QueryError::Internal { id, detail: text() }, Code::Internal),
            (QueryError::NoWorkers, Code::Unavailable),
            (
                LinkError::Lost { worker: worker() }.into(),
                Code::Unavailable,
            ),
            (
                LinkError::Silent {
                    worker: worker(),
                    limit: std::time::Duration::from_secs(1),
                }
                .into(),
                Code::Unavailable,
            ),
            (
                LinkError::Refused {
                    worker: worker(),
                    detail: text(),
                }
                .into(),
                Code::Internal,
            ),
            (
                CompileError::Lower { source: plan() }.into(),
                Code::Internal,
            ),
            (
                CatalogError::NotFound {
                    kind: "table",
                    name: name(),
                }
                .into(),
                Code::NotFound,
            ),
            (
                CatalogError::Exists {
                    kind: "table",
                    name: name(),
                }
                .into(),
                Code::AlreadyExists,
            ),
            (
                CatalogError::SchemaNotFound { schema: text() }.into(),
                Code::NotFound,
            ),
            (
                CatalogError::SchemaExists { schema: text() }.into(),
                Code::AlreadyExists,
            ),
            (
                CatalogError::SchemaNotEmpty {
                    schema: text(),
                    relations: 1,
                }
                .into(),
                Code::FailedPrecondition,
            ),
            (
                CatalogError::SchemaPinned { schema: text() }.into(),
                Code::FailedPrecondition,
            ),
            (
                CatalogError::SecretNotFound { secret: text() }.into(),
                Code::NotFound,
            ),
            (
                CatalogError::SecretExists { secret: text() }.into(),
                Code::AlreadyExists,
            ),
            (
                CatalogError::SecretInvalid {
                    secret: text(),
                    detail: text(),
                }
                .into(),
                Code::InvalidArgument,
            ),
            (
                CatalogError::UserNotFound { user: text() }.into(),
                Code::NotFound,
            ),
            (
                CatalogError::UserExists { user: text() }.into(),
                Code::AlreadyExists,
            ),
            (
                CatalogError::UserInvalid {
                    user: text(),
                    detail: text(),
                }
                .into(),
                Code::InvalidArgument,
            ),
            (
                CatalogError::LastAdmin { user: text() }.into(),
                Code::FailedPrecondition,
            ),
            (
                CatalogError::WrongKind {
                    name: name(),
                    is: "x",
                    wanted: "y",
                }
                .into(),
                Code::InvalidArgument,
            ),
            (
                CatalogError::NullInColumn {
                    name: name(),
                    column: text(),
                }
                .into(),
                Code::InvalidArgument,
            ),
            (
                CatalogError::Location {
                    location: text(),
                    detail: text(),
                }
                .into(),
                Code::InvalidArgument,
            ),
            (
                CatalogError::Unsupported {
                    what: text(),
                    hint: None,
                }
                .into(),
                Code::Unimplemented,
            ),
            (CatalogError::Abandoned.into(), Code::Cancelled),
            (CatalogError::Poisoned.into(), Code::Unavailable),
            (CatalogError::Changed { name: name() }.into(), Code::Aborted),
            (
                CatalogError::FolderInUse {
                    path: "x".into(),
                    pid: text(),
                }
                .into(),
                Code::Unavailable,
            ),
            (
                CatalogError::Damaged {
                    path: "x".into(),
                    detail: text(),
                }
                .into(),
                Code::DataLoss,
            ),
            (
                CatalogError::FolderVersion {
                    path: "x".into(),
                    found: text(),
                    supported: 1,
                }
                .into(),
                Code::Internal,
            ),
        ];
        for (error, code) in rows {
            assert_eq!(from_query(&error).code(), code, "{error:?}");
        }
    }

    #[test]
    fn whoever_is_not_let_in_is_told_so_and_not_why_in_detail() {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let rows = [
            (AuthError::Missing, Code::Unauthenticated),
            (AuthError::Malformed { detail: "x" }, Code::Unauthenticated),
            (AuthError::WrongPassword, Code::Unauthenticated),
            (
                AuthError::TooManyFailures {
                    address,
                    of_user: true,
                    wait: std::time::Duration::from_secs(1),
                },
                Code::Unauthenticated,
            ),
            (AuthError::UnknownToken, Code::Unauthenticated),
            (AuthError::ExpiredToken, Code::Unauthenticated),
            (AuthError::RevokedToken, Code::Unauthenticated),
            (
                AuthError::RefusedToken { detail: "x" },
                Code::Unauthenticated,
            ),
            (AuthError::NoUsers, Code::Unauthenticated),
            (
                AuthError::NoUsersForOthers { address },
                Code::Unauthenticated,
            ),
            (AuthError::Busy, Code::Unavailable),
            (AuthError::KeysUnavailable, Code::Unavailable),
        ];
        for (error, code) in rows {
            assert_eq!(from_auth(&error).code(), code, "{error:?}");
        }
        assert_eq!(
            from_auth(&AuthError::WrongPassword).message(),
            "user name or password is wrong"
        );
    }

    #[test]
    fn hints_follow_on_their_own_line_and_long_messages_are_cut() {
        let error = QueryError::NotFound {
            what: "no".into(),
            hint: Some("yes".into()),
        };
        assert_eq!(from_query(&error).message(), "no\nhint: yes");
        for letter in ["ä", "x", " "] {
            let error = QueryError::Syntax {
                detail: letter.repeat(10_000),
            };
            let answer = from_query(&error).into_http::<()>();
            let header_bytes = answer.headers()["grpc-message"].len();
            assert!(
                (1_900..6_100).contains(&header_bytes),
                "{header_bytes} of {letter}"
            );
        }
    }
}
