//! Why a catalog operation failed.

use std::{io, path::PathBuf};

use crate::TableName;

/// Why a catalog operation failed. Each variant says what was being done, and to what.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("schema \"{schema}\" does not exist")]
    SchemaNotFound { schema: String },
    #[error("schema \"{schema}\" already exists")]
    SchemaExists { schema: String },
    /// `DROP SCHEMA` without `CASCADE` on a schema that still holds relations.
    #[error(
        "schema \"{schema}\" is not empty: it holds {relations} tables or views (use CASCADE to drop them too)"
    )]
    SchemaNotEmpty { schema: String, relations: usize },
    /// The default schema is where bare names live; it cannot go.
    #[error("schema \"{schema}\" cannot be dropped")]
    SchemaPinned { schema: String },
    #[error("{kind} \"{name}\" does not exist")]
    NotFound { kind: &'static str, name: TableName },
    #[error("{kind} \"{name}\" already exists")]
    Exists { kind: &'static str, name: TableName },
    /// `DROP TABLE` of a view, `INSERT` into an external table, and so on.
    #[error("\"{name}\" is {is}, not {wanted}")]
    WrongKind {
        name: TableName,
        is: &'static str,
        wanted: &'static str,
    },
    #[error("null value in column \"{column}\" of table \"{name}\", which is NOT NULL")]
    NullInColumn { name: TableName, column: String },
    /// The statement is understood, and no path of ours runs it.
    #[error("{what} is not supported")]
    Unsupported {
        what: String,
        hint: Option<&'static str>,
    },
    #[error("secret \"{secret}\" does not exist")]
    SecretNotFound { secret: String },
    #[error("secret \"{secret}\" already exists")]
    SecretExists { secret: String },
    #[error("invalid secret \"{secret}\": {detail}")]
    SecretInvalid { secret: String, detail: String },
    #[error("user \"{user}\" does not exist")]
    UserNotFound { user: String },
    #[error("user \"{user}\" already exists")]
    UserExists { user: String },
    #[error("invalid user \"{user}\": {detail}")]
    UserInvalid { user: String, detail: String },
    /// Without an administrator nobody could make users any more.
    #[error("user \"{user}\" is the last administrator and cannot be dropped")]
    LastAdmin { user: String },
    /// A store address that cannot be used, for example an unknown scheme or a missing bucket.
    #[error("cannot use location \"{location}\": {detail}")]
    Location { location: String, detail: String },
    /// Another process has the data folder open.
    #[error("data folder {} is in use by process {pid}", path.display())]
    FolderInUse { path: PathBuf, pid: String },
    #[error("data folder {} has format {found}, this program reads format {supported}", path.display())]
    FolderVersion {
        path: PathBuf,
        found: String,
        supported: u32,
    },
    /// Bytes on disk that this program did not write so. Nothing is guessed.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    /// A write failed half-way and could not be undone; restarting the server recovers.
    #[error("the table store refuses writes after a failed one; restart the server to recover")]
    Poisoned,
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write table data to {}", path.display())]
    WriteData {
        path: PathBuf,
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Another statement committed between planning this one and its turn to write.
    #[error("table \"{name}\" was changed by another statement meanwhile; nothing was written")]
    Changed { name: TableName },
    /// The statement was cancelled before its commit began.
    #[error("the write was given up")]
    Abandoned,
    /// A background task of the store panicked or was shut down.
    #[error("a task of the table store stopped")]
    Task(#[source] tokio::task::JoinError),
}

impl CatalogError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.into(),
            source,
        }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unsupported { hint, .. } => *hint,
            Self::LastAdmin { .. } => {
                Some("make another one first: CREATE USER .. PASSWORD '..' ADMIN")
            }
            Self::Changed { .. } => Some("run the statement again"),
            Self::FolderInUse { .. } => Some(
                "connect to the running server instead (murre sql --connect URL), or use another --data-dir",
            ),
            _ => None,
        }
    }
}
