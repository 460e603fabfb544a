//! What can go wrong in an engine.

use std::sync::Arc;

#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    #[error("cannot {action} the storage engine")]
    Storage {
        action: &'static str,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Written by a later release.
    #[error("the storage engine has format {found}, and {supported} is the newest known")]
    Format { found: u8, supported: u8 },
    /// Bytes are there and mean nothing: a bug, or damage that the engine's own checksums did not see.
    #[error("the storage engine holds a malformed {what}")]
    Malformed { what: &'static str },
}

impl EngineError {
    pub(crate) fn storage(
        action: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Storage {
            action,
            source: Arc::new(source),
        }
    }
}
