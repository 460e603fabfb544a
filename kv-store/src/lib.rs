//! A replicated, strictly serialisable key-value store with versions.
//!
//! Reading order: [`wal`] keeps Raft's entries and votes.
//!
//! Feature `sim` (tests only): a simulated disk that loses power.

#![forbid(unsafe_code)]

pub mod disk;
#[cfg(feature = "sim")]
pub mod sim;
pub mod wal;
