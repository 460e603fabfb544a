//! Changes, for whoever watches.

use std::{sync::Arc, time::Duration};

use super::Node;
use crate::{KvError, Version, mvcc::changes::Change, txn::KeyRange};

impl Node {
    /// Changes to keys of `range` after version `after`, and the version to ask from next time. Waits until there is
    /// something new, at most `patience`; then nothing changed up to the version returned. Who is far behind is told a part
    /// of it, in whole versions.
    pub async fn changes(
        &self,
        range: &KeyRange,
        after: Version,
        patience: Duration,
    ) -> Result<(Vec<Change>, Version), KvError> {
        let mut applied = self.state.watch_applied();
        let until = tokio::time::Instant::now() + patience;
        let mut from = after;
        loop {
            applied.borrow_and_update();
            let (changes, upto) = match self.state.recent_changes(range, from) {
                Some(found) => found?,
                None => {
                    let (state, range) = (Arc::clone(&self.state), range.clone());
                    let read = move || state.changes(&range, from);
                    let found = tokio::task::spawn_blocking(read).await;
                    found.map_err(|error| KvError::Storage {
                        detail: error.to_string(),
                    })??
                }
            };
            from = upto;
            if !changes.is_empty() {
                return Ok((changes, from));
            }
            let newer = tokio::time::timeout_at(until, applied.changed()).await;
            if !matches!(newer, Ok(Ok(()))) {
                return Ok((Vec::new(), from));
            }
        }
    }
}
