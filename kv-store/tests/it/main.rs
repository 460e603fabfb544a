//! Tests of the store from outside.

mod wal_power_loss;
