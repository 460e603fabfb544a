//! Transactions of one group, as pure functions of what is in the log: no clock, no file, no thread.
//!
//! The life of a commit:
//!
//! ```text
//! client     reads at rv, gathers read ranges and mutations      request, limits
//! committer  checks, registers, proposes, in one order           committer, conflict
//! log        Commit { term, id, mutations } in an entry          command
//! apply      mutations become versions, the id gets its outcome  apply, atomic, outcome
//! watches    read the changes in version order                   feed
//! ```
//!
//! Invariants:
//! - a transaction id has at most one outcome, and asking for one that is not there makes it ABORTED;
//! - equal logs give equal states: apply reads nothing but the state and the entry;
//! - no commit is admitted that could have read, at its read version, something a commit since then wrote.

mod apply;
pub(crate) mod atomic;
mod command;
mod committer;
mod conflict;
mod feed;
mod limits;
mod outcome;
mod read_rounds;
mod request;

pub use apply::{Applied, EntryOutcome, apply, last_applied, record_applied, watermark};
pub use command::{Command, CommandError, decode_entry, encode_entry};
pub use committer::{Admission, Committer};
pub use conflict::{ConflictMap, Written};
pub use feed::{Feed, FeedError, older_changes};
pub use limits::{
    CLEARED_KEYS_MAX, COMMANDS_MAX, KEY_BYTES_MAX, LimitError, TRANSACTION_BYTES_MAX,
    VALUE_BYTES_MAX, check,
};
pub use outcome::{Outcome, Recent, outcome};
pub use read_rounds::{ReadRounds, RoundId};
pub use request::{AtomicOp, CommitRequest, KEYS_END, KeyRange, Mutation, TxnId};
