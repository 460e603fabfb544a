//! Tests of the real binary and of the crates together.

mod architecture;
mod auth;
mod auth_elsewhere;
mod bad_input;
mod distributed;
mod files;
mod kill;
mod mutation;
mod rust_client;
mod s3;
mod server;
mod serving;
mod slt;
mod substrait;
mod telemetry;
mod tickets;
mod tpch;
mod worker;
