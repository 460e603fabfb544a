//! The commands of the `murre` binary.

pub mod demo;
pub mod fragment;
pub mod serve;
pub mod sql;
