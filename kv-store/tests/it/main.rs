//! Tests of the store from outside.

mod archive;
mod cluster;
mod embedded;
mod engine_power_loss;
mod full_disk;
mod isolated;
mod load;
mod networks;
mod processes;
mod replay;
mod service;
mod simulation;
mod state_model;
mod stopping;
mod wal_faults;
mod wal_power_loss;
