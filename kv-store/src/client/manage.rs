//! The store itself from afar: its members, its state, backups.

use std::io::Write;

use futures::StreamExt;

use super::{Client, at};
use crate::{
    KvError,
    node::NodeStatus,
    service::{error::from_wire, messages as wire, method, wire::status_from_wire},
};

impl Client {
    /// What a member says of itself; `address` may be of one that is not among the endpoints.
    pub async fn status(&self, address: &str) -> Result<NodeStatus, KvError> {
        let link = self.links.to(address).map_err(|e| KvError::Unreachable {
            detail: e.to_string(),
        })?;
        let answer = link.unary(method::STATUS, wire::Empty {}, self.call_timeout);
        let answer = answer
            .await
            .map_err(|status| at(address, from_wire(&status)));
        let answer: wire::Status = answer?;
        status_from_wire(answer)
    }

    /// Members that were given or learned, as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        self.links.addresses()
    }

    /// Makes a group of the one member that is asked.
    pub async fn init(&self) -> Result<(), KvError> {
        let done: Result<wire::Empty, _> = self.once(method::INIT, wire::Empty {}).await;
        done.map(drop)
    }

    /// Adds a member that listens at `address`; with `promote` it votes as soon as it has caught up.
    pub async fn add_member(&self, id: u64, address: &str, promote: bool) -> Result<(), KvError> {
        let message = wire::NewMember {
            id,
            address: address.into(),
            promote,
        };
        let done: Result<wire::Empty, _> = self.ask(method::ADD_MEMBER, message).await;
        done.map(drop)
    }

    pub async fn promote(&self, id: u64) -> Result<(), KvError> {
        let done: Result<wire::Empty, _> = self.ask(method::PROMOTE, wire::MemberId { id }).await;
        done.map(drop)
    }

    pub async fn remove_member(&self, id: u64) -> Result<(), KvError> {
        let done: Result<wire::Empty, _> = self.ask(method::REMOVE, wire::MemberId { id }).await;
        done.map(drop)
    }

    /// Asks the leader to let another lead. Returns before that does.
    pub async fn transfer_leader(&self, to: u64) -> Result<(), KvError> {
        let message = wire::MemberId { id: to };
        let done: Result<wire::Empty, _> = self.ask(method::TRANSFER, message).await;
        done.map(drop)
    }

    /// Writes a snapshot of the store. Whether it is whole, its reader sees.
    pub async fn backup(&self, out: &mut (dyn Write + Send)) -> Result<u64, KvError> {
        let chunks = self.stream::<_, wire::Chunk>(method::BACKUP, wire::Empty {});
        let mut chunks = Box::pin(chunks.await?);
        let mut num_bytes = 0;
        while let Some(chunk) = chunks.next().await {
            let bytes = chunk?.bytes;
            num_bytes += bytes.len() as u64;
            out.write_all(&bytes).map_err(|e| KvError::Storage {
                detail: format!("cannot write the backup: {e}"),
            })?;
        }
        Ok(num_bytes)
    }
}
