//! Tests of the real binary and of the crates together.

mod architecture;
mod auth;
mod auth_elsewhere;
mod bad_input;
mod builds;
mod distributed;
mod files;
mod functions;
mod kill;
mod lambda;
mod loss;
mod mutation;
mod namespaces;
mod rejoin;
mod rust_client;
mod s3;
mod server;
mod serving;
mod slt;
mod substrait;
mod telemetry;
mod tickets;
mod tpch;
mod tpch_variants;
mod worker;
