//! Tests of the real binary and of the crates together.

mod bad_input;
mod server;
mod serving;
mod slt;
mod tpch;
