//! Whose history an archive holds.
//!
//! A store that was restored goes on with entries of its own, under indexes that the archive may hold already. So the archive
//! and the store hold the same random name; a restored store has none, and needs a place of its own.

use std::sync::Arc;

use futures::future::BoxFuture;
use object_store::ObjectStoreExt;

use super::{Archive, ArchiveError};
use crate::{
    KvError, Version,
    mvcc::read,
    state::State,
    transaction::new_id,
    txn::{CommitRequest, KeyRange, Mutation},
};

/// Its value is the name.
pub(crate) const HISTORY_KEY: &[u8] = b"/system/archive";

/// Commits a transaction through the member that leads.
pub(crate) type Commit =
    Box<dyn Fn(CommitRequest) -> BoxFuture<'static, Result<Version, KvError>> + Send + Sync>;

impl Archive {
    async fn history(&self) -> Result<Option<Vec<u8>>, ArchiveError> {
        match self.store.get(&self.history_path()).await {
            Ok(object) => Ok(Some(object.bytes().await?.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes sure that the archive is this store's; one that is empty becomes it.
    pub(super) async fn claim(
        &self,
        state: &Arc<State>,
        commit: &Commit,
    ) -> Result<(), ArchiveError> {
        let other = |detail: &str| ArchiveError::OtherHistory {
            detail: detail.into(),
        };
        let at = state.applied();
        let own = read::get(&*state.reader(), HISTORY_KEY, at)?;
        let name = match (own, self.history().await?) {
            (Some(own), Some(there)) if own == there => return Ok(()),
            (_, Some(_)) => return Err(other("it has another name")),
            _ if !self.is_empty().await? => return Err(other("it has no name")),
            (Some(own), None) => own,
            (None, None) => {
                // First in the store: a place with a name that no store knows would be lost.
                let name = format!("{:032x}", fastrand::u128(..)).into_bytes();
                let request = CommitRequest {
                    id: new_id(),
                    read_version: at,
                    reads: vec![KeyRange::point(HISTORY_KEY)],
                    mutations: vec![Mutation::Set {
                        key: HISTORY_KEY.into(),
                        value: name.clone(),
                    }],
                };
                commit(request).await.map_err(ArchiveError::Claim)?;
                name
            }
        };
        self.put(&self.history_path(), name.clone()).await?;
        // Another store may have done the same at the same time.
        match self.history().await? {
            Some(there) if there == name => Ok(()),
            _ => Err(other("it was given another name")),
        }
    }
}
