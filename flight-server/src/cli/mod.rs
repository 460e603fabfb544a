//! The commands of the `murre` binary.

pub mod demo;
pub mod fragment;
mod ready;
pub mod serve;
pub mod sql;
pub mod worker;
