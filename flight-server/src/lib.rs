//! The front door: Flight SQL over gRPC, a small HTTP service, and the `murre` command line.
//!
//! Start at [`cli::serve`] for what a server is made of, and at [`flight`] for the life of a request.

#![forbid(unsafe_code)]

pub mod auth;
pub mod cli;
pub mod config;
mod connections;
pub mod flight;
pub mod functions;
mod http;
mod local_engine;
mod logging;
mod metrics;
mod network;
mod pongs;
mod socket;
mod status;
pub mod tls;
mod workers;
