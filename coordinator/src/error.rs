//! Why a statement failed.

use std::{error::Error, path::PathBuf, time::Duration};

use catalog::CatalogError;
use datafusion::{
    arrow::error::ArrowError, common::DataFusionError, sql::sqlparser::parser::ParserError,
};

use worker_wasm::worker::LinkError;

use crate::{CompileError, QueryId, settings::human_bytes};

/// Why a statement failed. Variants say what we were doing; `flight-server` maps them to status codes.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the statement is empty")]
    Empty,
    #[error("{count} statements in one request; send them one at a time")]
    SeveralStatements { count: usize },
    #[error("syntax error: {detail}")]
    Syntax { detail: String },
    /// Bytes that are no plan, or a plan that contradicts itself.
    #[error("the Substrait plan cannot be used: {detail}")]
    Substrait { detail: String },
    /// A name that nothing answers to; `hint` proposes the nearest one.
    #[error("{what}")]
    NotFound { what: String, hint: Option<String> },
    /// The statement is well-formed and means nothing here: unknown column, wrong types, wrong arguments.
    #[error("{}", plain(source))]
    Plan {
        #[source]
        source: DataFusionError,
    },
    /// The user's data does not suit the query: overflow, division by zero, a text that is no number.
    #[error("{}", plain(source))]
    Data {
        #[source]
        source: DataFusionError,
    },
    /// Values do not fit the statement's parameters in number.
    #[error("the statement's parameters are {parameters}, the values given for them {values}")]
    MissingValues { parameters: usize, values: usize },
    #[error("a query runs with at most {limit} rows of values at once, and {rows} are bound")]
    TooManyRows { rows: usize, limit: usize },
    #[error("{what} is not supported")]
    Unsupported {
        what: String,
        hint: Option<&'static str>,
    },
    /// The statement is somebody else's to run; `what` completes "you are not allowed".
    #[error("only an administrator is allowed {what}")]
    Forbidden { what: &'static str },
    /// The query wants more memory than it may have.
    #[error("{detail}")]
    OutOfMemory { detail: String },
    /// A file that a table names cannot be read as what it should be.
    #[error("cannot read {path}: {detail}")]
    CorruptFile { path: String, detail: String },
    /// A store or file that could not be reached.
    #[error("{}", plain(source))]
    Storage {
        #[source]
        source: DataFusionError,
    },
    #[error("cannot set {name}: {detail}")]
    Setting { name: String, detail: String },
    #[error("no query {id} is running")]
    NoSuchQuery { id: u64 },
    /// `KILL`, or the client went away.
    #[error("query {id} was cancelled")]
    Cancelled { id: QueryId },
    #[error("query {id} ran longer than its limit of {}", humantime::format_duration(*limit))]
    TimedOut { id: QueryId, limit: Duration },
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("no worker is connected")]
    NoWorkers,
    /// A worker went away, or refused what it was sent.
    #[error(transparent)]
    Worker(#[from] LinkError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("cannot prepare the spill folder {}", path.display())]
    Spill {
        path: PathBuf,
        #[source]
        source: DataFusionError,
    },
    /// A broken promise of ours or of a library: never the user's doing.
    #[error("internal error in query {id}: {detail}")]
    Internal { id: QueryId, detail: String },
}

impl QueryError {
    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotFound { hint, .. } => hint.as_deref(),
            Self::Unsupported { hint, .. } => *hint,
            Self::Catalog(error) => error.hint(),
            Self::NoWorkers => Some(
                "start one with murre worker, or run the query here: SET murre.workers = 'embedded'",
            ),
            _ => None,
        }
    }

    /// Sorts an error from binding and planning.
    pub(crate) fn planning(id: QueryId, source: DataFusionError) -> Self {
        Self::sort(id, source, |source| Self::Plan { source })
    }

    /// Sorts an error from running.
    pub(crate) fn running(id: QueryId, source: DataFusionError) -> Self {
        Self::sort(id, source, |source| Self::Data { source })
    }

    fn sort(id: QueryId, source: DataFusionError, users: fn(DataFusionError) -> Self) -> Self {
        if let Some(error) = own_error(&source) {
            return error;
        }
        match source.find_root() {
            DataFusionError::SQL(error, _) => Self::Syntax {
                detail: syntax_detail(error),
            },
            DataFusionError::NotImplemented(what) => {
                let what = what
                    .trim_end_matches(" is not supported")
                    .trim_end_matches(" not supported");
                Self::Unsupported {
                    what: what.to_owned(),
                    hint: None,
                }
            }
            DataFusionError::ResourcesExhausted(detail) => Self::OutOfMemory {
                detail: first_line(detail),
            },
            DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
                Self::Storage { source }
            }
            DataFusionError::ArrowError(error, _) if matches!(**error, ArrowError::IoError(..)) => {
                Self::Storage { source }
            }
            DataFusionError::Plan(text) if is_missing_table(text) => Self::NotFound {
                what: text.clone(),
                hint: None,
            },
            DataFusionError::Internal(detail) => Self::Internal {
                id,
                detail: first_line(detail),
            },
            DataFusionError::ExecutionJoin(error) => Self::Internal {
                id,
                detail: error.to_string(),
            },
            _ => users(source),
        }
    }
}

/// Our own error, where a DataFusion error carries one from a provider or a memory pool.
fn own_error(source: &DataFusionError) -> Option<QueryError> {
    let DataFusionError::External(inner) = source.find_root() else {
        return None;
    };
    if let Some(QueryError::Forbidden { what }) = inner.downcast_ref() {
        return Some(QueryError::Forbidden { what });
    }
    match inner.downcast_ref::<CatalogError>()? {
        CatalogError::Location { location, detail } => Some(
            CatalogError::Location {
                location: location.clone(),
                detail: detail.clone(),
            }
            .into(),
        ),
        CatalogError::Damaged { path, detail } => Some(QueryError::CorruptFile {
            path: path.display().to_string(),
            detail: detail.clone(),
        }),
        _ => None,
    }
}

/// DataFusion 54 reports an unknown table as a planning error with this text; a test holds it to that.
pub(crate) fn is_missing_table(text: &str) -> bool {
    text.starts_with("table '") && text.ends_with("' not found")
}

fn syntax_detail(error: &ParserError) -> String {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "the statement nests too deeply".into(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// DataFusion's text without the name of the variant in front, which says nothing to a user.
fn plain(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let known = [
        "Error during planning: ",
        "Execution error: ",
        "Schema error: ",
        "Arrow error: ",
        "External error: ",
        "Substrait error: ",
    ];
    let mut text = text.as_str();
    while let Some(rest) = known.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest;
    }
    text.to_owned()
}

/// The message of an error and of its sources, each once: a source that repeats its parent, or whose text its parent
/// ends with, is left out.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) && !next.ends_with(&text) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

/// The message for a query that asked for more than its limit.
pub(crate) fn over_limit(
    consumer: &str,
    wanted: usize,
    used: usize,
    limit: usize,
    whose: &str,
) -> DataFusionError {
    DataFusionError::ResourcesExhausted(format!(
        "{consumer} wants {} more, {} of the {whose} memory limit of {} are in use",
        human_bytes(wanted as u64),
        human_bytes(used as u64),
        human_bytes(limit as u64),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_each_thing_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: inner")]
        struct Repeats(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("inner")]
        struct Inner;
        #[derive(Debug, thiserror::Error)]
        #[error("top")]
        struct Top(#[source] Repeats);
        assert_eq!(error_chain(&Top(Repeats(Inner))), "top: outer: inner");
    }

    #[test]
    fn variant_names_of_the_library_are_left_out() {
        let error = DataFusionError::Plan("no such thing".into()).context("while testing");
        assert!(!plain(&DataFusionError::Plan("no such thing".into())).contains("Error during"));
        assert!(error.to_string().contains("while testing"));
    }
}
