//! The life of a query: from SQL text to record batches.
//!
//! Start at [`query`]: its functions are the table of contents, each name in them a file.
//! An [`Engine`] is one process, a [`Session`] one client's settings and temporary tables, a [`Prepared`] one statement.

#![forbid(unsafe_code)]

mod ahead;
mod bind;
mod command;
mod compile;
mod context;
mod copy;
mod corrupt;
mod cut;
mod drive;
mod engine;
mod error;
mod expanded;
mod explain;
mod fine_timestamps;
mod fragments;
mod identity;
mod information_schema;
mod ingest;
mod insert;
mod inspect;
mod kept;
mod lanes;
mod memory;
pub mod metrics;
mod names;
mod numbers;
mod one_pass;
mod open_plan;
mod pace;
mod parameters;
mod pause;
mod place;
mod plan;
mod processes;
pub mod query;
mod recent;
mod redact;
mod relations;
mod renew;
mod revocable;
mod session;
mod settings;
mod statement;
mod template;
mod temporary;
mod text_before_joins;
mod user_statement;
mod workers;
mod write;

pub use bind::{SubstraitPlan, SubstraitVersion};
pub use command::Outcome;
pub use compile::CompileError;
pub use context::QueryContext;
pub use drive::{BatchStream, QueryThreads};
pub use engine::{Engine, EngineConfig};
pub use error::{QueryError, error_chain};
pub use fragments::open_fragments;
pub use identity::Identity;
pub use ingest::{IfExists, IngestRows, IngestTarget};
pub use memory::Charge;
pub use processes::{Process, ProcessState, QueryId};
pub use query::{Answer, Prepared, StatementOptions};
pub use redact::redact;
pub use relations::RelationEntry;
pub use session::Session;
pub use settings::{CompileMode, MurreSettings, parse_bytes, parse_duration};
pub use statement::{Description, Statement};
pub use workers::{FUNCTION, Presence, WorkerEntry, WorkerPool, WorkersKind};
