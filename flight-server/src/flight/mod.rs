//! Flight SQL: requests in, record batches out.
//!
//! ```text
//! GetFlightInfo(CommandStatementQuery) -> statement.rs -> coordinator: prepare -> tickets.rs -> FlightInfo
//! DoGet(ticket)                        -> tickets.rs   -> coordinator: run     -> stream.rs  -> FlightData
//! DoPut(CommandStatementUpdate)        -> statement.rs -> coordinator: run     -> row count
//! ```
//! `service.rs` has one arm for each call; what is not there answers UNIMPLEMENTED and is not announced.

mod body;
mod encode;
mod front;
mod schema;
mod segments;
mod service;
mod sessions;
mod statement;
mod stream;
mod tickets;

pub(crate) use front::Front;
pub(crate) use sessions::ConnectionSession;
