//! Flight SQL: requests in, record batches out.
//!
//! ```text
//! GetFlightInfo(CommandStatementQuery) -> statement.rs -> coordinator: prepare -> tickets.rs -> FlightInfo
//! DoGet(ticket)                        -> tickets.rs   -> coordinator: run     -> stream.rs  -> FlightData
//! DoPut(CommandStatementUpdate)        -> statement.rs -> coordinator: run     -> row count
//! ```
//! Prepared statements go the same ways, with a handle in place of the text (`prepared.rs`); what tools ask about tables
//! and types is in `metadata/`.
//! `service.rs` has one arm for each call; what is not there answers UNIMPLEMENTED and is not announced.

mod actions;
mod ahead;
mod body;
mod cancel;
mod claims;
mod encode;
mod front;
mod gather;
mod handles;
mod ingest;
mod limits;
mod metadata;
mod poll;
mod prepared;
mod put;
mod schema;
mod segments;
mod service;
mod session_options;
mod sessions;
mod statement;
mod stream;
mod substrait;
mod tickets;

pub(crate) use front::Front;
pub use limits::FlightLimits;
pub(crate) use sessions::ConnectionSession;
