//! Tests of the catalog from outside.

mod power_loss;
mod recording_disk;
