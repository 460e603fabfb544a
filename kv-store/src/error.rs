//! Why a request to the store failed, the same near and far.

use crate::{
    EngineError, Version,
    raft::{GroupError, LeaderHint, ProposeError},
    state::StateError,
    txn::{FeedError, LimitError, TxnId},
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// Nothing of the transaction happened. A new attempt with a new id may succeed.
    #[error("the transaction read something that was written since")]
    Conflict,
    /// Nothing of the transaction happened. A new attempt with a new id and read version may succeed.
    #[error("the read version is older than the conflicts that are remembered")]
    TooOld,
    /// Somebody asked for the outcome before the transaction came, and so it can never commit.
    #[error("the transaction was aborted at version {at}")]
    Aborted { at: Version },
    /// The transaction may have committed, or may still commit, unless its outcome is asked for.
    #[error("the outcome of transaction {id:?} is not known")]
    UnknownOutcome { id: TxnId },
    /// Nothing happened. Another member, named if it is known, may lead.
    #[error("this member does not lead the group")]
    NotLeader { leader: Option<LeaderHint> },
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Read again at a newer version.
    #[error("version {version} is compacted, versions are kept from {watermark} on")]
    Compacted {
        version: Version,
        watermark: Version,
    },
    /// The member that was asked is behind the version, or nobody has given it out.
    #[error("version {version} is in the future, {applied} is the newest")]
    Future { version: Version, applied: Version },
    /// Too many requests wait. Nothing happened.
    #[error("too many requests wait for the store")]
    Overloaded,
    #[error("the change of members was refused: {detail}")]
    Members { detail: String },
    #[error("the caller is not known: {detail}")]
    Unauthenticated { detail: String },
    #[error("{role} may not {action} keys of {namespace}")]
    PermissionDenied {
        role: String,
        action: String,
        namespace: String,
    },
    /// No member that could answer was reached in time. Nothing is known of a commit then.
    #[error("the store cannot be reached: {detail}")]
    Unreachable { detail: String },
    /// A transaction reads a key that it wrote and whose value its commit decides.
    #[error("a value that depends on the commit's version cannot be read before the commit")]
    Unreadable,
    /// A message that this release does not understand.
    #[error("malformed request: {detail}")]
    Malformed { detail: String },
    /// The node's disk or log failed; see its log.
    #[error("the store failed: {detail}")]
    Storage { detail: String },
}

impl KvError {
    /// Nothing happened, and the same transaction may succeed when it is run again from its beginning.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::TooOld
                | Self::Aborted { .. }
                | Self::NotLeader { .. }
                | Self::Overloaded
                | Self::Compacted { .. }
                | Self::Future { .. }
        )
    }

    /// The member that was asked cannot answer, or not yet: another one may, or this one later.
    pub(crate) fn is_of_the_member(&self) -> bool {
        matches!(
            self,
            Self::NotLeader { .. }
                | Self::Unreachable { .. }
                | Self::Overloaded
                | Self::Storage { .. }
                | Self::Future { .. }
        )
    }

    /// The transaction may have happened.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::UnknownOutcome { .. } | Self::Unreachable { .. })
    }
}

/// With the causes: they do not cross the network as errors.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl From<EngineError> for KvError {
    fn from(error: EngineError) -> Self {
        let detail = chain(&error);
        Self::Storage { detail }
    }
}

impl From<StateError> for KvError {
    fn from(error: StateError) -> Self {
        let detail = chain(&error);
        Self::Storage { detail }
    }
}

impl From<FeedError> for KvError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Compacted { after, watermark } => Self::Compacted {
                version: after,
                watermark,
            },
            FeedError::Engine(error) => error.into(),
        }
    }
}

impl From<GroupError> for KvError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Propose(ProposeError::NotLeader { leader }) => Self::NotLeader { leader },
            GroupError::Members { detail } => Self::Members { detail },
            error @ (GroupError::Propose(ProposeError::Unknown)
            | GroupError::Start(_)
            | GroupError::Stopped { .. }) => {
                let detail = chain(&error);
                Self::Storage { detail }
            }
        }
    }
}
