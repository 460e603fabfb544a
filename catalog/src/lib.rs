//! Tables: their definitions, their data files, and the stores both live in.
//!
//! Start at [`TableStore`]: the contract between queries and whatever keeps definitions.
//! [`local::LocalTableStore`] is the one there is now, a change log in the data folder.

#![forbid(unsafe_code)]

pub mod definition;
pub mod disk;
mod error;
pub mod external;
mod folder;
pub mod local;
mod object_stores;
mod parquet_format;
mod password;
mod plans;
mod private_files;
mod provider;
mod secrets;
mod store;
mod table_folder;
mod users;

pub use definition::{DataFile, ExternalTable, ManagedTable, Relation, TableId, TableName, View};
pub use error::CatalogError;
pub use folder::DataFolder;
pub use object_stores::ObjectStores;
pub use parquet_format::{NanSafeParquet, NanSafeParquetFactory};
pub use password::Password;
pub use plans::nan_safe;
pub use private_files::PrivateFiles;
pub use provider::ManagedTableProvider;
pub use secrets::{Secret, Secrets};
pub use store::{Entry, FileWriter, NewTable, Snapshot, TableStore, TableWriter, WriteSummary};
pub use table_folder::TableFolder;
pub use users::{CredentialId, USER_NAME_BYTES_MAX, User, UserId, Users};

/// The one catalog every table lives in.
pub const CATALOG: &str = "murre";
/// The schema a bare table name means.
pub const DEFAULT_SCHEMA: &str = "public";
