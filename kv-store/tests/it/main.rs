//! Tests of the store from outside.

mod cluster;
mod embedded;
mod engine_power_loss;
mod load;
mod processes;
mod replay;
mod service;
mod simulation;
mod state_model;
mod wal_faults;
mod wal_power_loss;
