//! How a running fragment learns, between two calls into its module, that its query should end.
//!
//! Dropping a stream is enough while it waits. It is not while a thread is inside, sorting for a second; there the
//! signal that the query's session config carries as an extension is asked.

use std::time::Instant;

use datafusion::execution::TaskContext;
use tokio_util::sync::CancellationToken;

use crate::RunError;

/// Set by whoever runs the query.
#[derive(Debug, Clone, Default)]
pub struct StopSignal {
    pub cancelled: CancellationToken,
    /// `None` without a limit.
    pub deadline: Option<Instant>,
}

impl StopSignal {
    /// The query's own, or one that never says stop.
    pub(crate) fn of(context: &TaskContext) -> Self {
        let signal = context.session_config().get_extension::<Self>();
        signal.map_or_else(Self::default, |signal| Self::clone(&signal))
    }

    pub fn is_set(&self) -> bool {
        self.cancelled.is_cancelled()
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
    }

    pub(crate) fn check(&self) -> Result<(), RunError> {
        match self.is_set() {
            true => Err(RunError::Stopped),
            false => Ok(()),
        }
    }
}
