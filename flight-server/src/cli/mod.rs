//! The commands of the `murre` binary.

pub mod demo;
mod ready;
pub mod serve;
pub mod sql;
