//! Tests of the store from outside.

mod embedded;
mod engine_power_loss;
mod replay;
mod simulation;
mod state_model;
mod wal_faults;
mod wal_power_loss;
