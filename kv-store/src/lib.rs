//! A strictly serialisable key-value store with versions, to be replicated by Raft.
//!
//! Reading order: [`txn`] is what a transaction is and what becomes of it; [`mvcc`] how versions are kept and read;
//! [`engine`] the sorted store under them; [`wal`] the log that makes everything durable; [`applier`] brings one into the other.
//!
//! Feature `sim` (tests only): a simulated disk, engine and cluster, the checker, and the faults it is tested by.

// One system call, in [`engine::background`], is the exception.
#![deny(unsafe_code)]

pub mod applier;
pub mod archive;
pub mod cli;
pub mod client;
pub mod disk;
mod embedded;
pub mod engine;
mod error;
mod files;
mod lease;
mod metrics;
pub mod mutant;
pub mod mvcc;
pub mod node;
mod raft;
mod rpc;
pub mod service;
#[cfg(feature = "sim")]
pub mod sim;
pub mod snapshot;
pub mod state;
pub mod transaction;
pub mod txn;
mod version;
pub mod wal;

pub use embedded::{Embedded, FIRST_ID};
pub use engine::EngineError;
pub use error::KvError;
pub use lease::Lease;
pub use raft::{GroupError, Lead, LeaderHint, MemberStatus, ProposeError};
pub use rpc::link::{DialError, DialOptions, Dialer};
pub use version::{VERSION_LEN, Version};
