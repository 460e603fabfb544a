//! The commands of the `murre` binary.

pub mod demo;
pub mod serve;
pub mod sql;
