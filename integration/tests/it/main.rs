//! Tests of the real binary and of the crates together.

mod architecture;
mod auth;
mod auth_elsewhere;
mod bad_input;
mod kill;
mod s3;
mod server;
mod serving;
mod slt;
mod tpch;
