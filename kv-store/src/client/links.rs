//! Connections to members, and which of them is thought to lead.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use prost::Message;
use tonic::{Code, Status};

use crate::{
    DialError, Dialer,
    rpc::{Link, calls::Calls},
    service::method,
};

/// A longer message has a call of its own, so that shorter ones do not wait for it, in bytes.
const SHARED_BYTES_MAX: usize = 64 * 1024;

/// One of the connections to a member.
#[derive(Debug)]
pub(super) struct Connection {
    /// Of the member.
    pub(super) address: String,
    pub(super) link: Link,
    calls: Calls,
}

impl Connection {
    fn dial(dialer: &Dialer, address: &str) -> Result<Arc<Self>, DialError> {
        let link = dialer.link(address)?;
        Ok(Arc::new(Self {
            address: address.into(),
            calls: Calls::new(link.clone(), method::CALLS),
            link,
        }))
    }

    /// One request, one answer, within `timeout`.
    pub(super) async fn call<Q, A>(
        &self,
        method: &'static str,
        message: Q,
        timeout: Duration,
    ) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut shared = (0..).zip(method::SHARED);
        match shared.find(|(_, shared)| *shared == method) {
            Some((number, _)) if message.encoded_len() <= SHARED_BYTES_MAX => {
                match self.calls.call(number, &message, timeout).await {
                    // A member of an older version takes each call by itself.
                    Err(status) if status.code() == Code::Unimplemented => {
                        self.link.unary(method, message, timeout).await
                    }
                    answered => answered,
                }
            }
            _ => self.link.unary(method, message, timeout).await,
        }
    }
}

#[derive(Debug)]
pub(super) struct Links {
    dialer: Dialer,
    /// To each member.
    connections: usize,
    known: Mutex<Known>,
    /// Counts calls, to spread them over connections.
    calls: AtomicUsize,
}

#[derive(Debug)]
struct Known {
    /// In the order they were given and learned; never empty.
    addresses: Vec<String>,
    links: HashMap<String, Vec<Arc<Connection>>>,
    /// In `addresses`, who is thought to lead.
    leader: usize,
}

impl Links {
    /// Inside of a tokio runtime.
    pub(super) fn new(
        endpoints: Vec<String>,
        dialer: Dialer,
        connections: usize,
    ) -> Result<Self, DialError> {
        let connections = connections.max(1);
        let mut links = HashMap::new();
        for address in &endpoints {
            links.insert(address.clone(), dial(&dialer, address, connections)?);
        }
        if endpoints.is_empty() {
            return Err(DialError::Address {
                address: String::new(),
            });
        }
        Ok(Self {
            dialer,
            connections,
            known: Mutex::new(Known {
                leader: fastrand::usize(..endpoints.len()),
                addresses: endpoints,
                links,
            }),
            calls: AtomicUsize::new(0),
        })
    }

    /// Whom to ask.
    pub(super) fn leader(&self) -> Arc<Connection> {
        let known = self.known.lock();
        let address = &known.addresses[known.leader];
        let links = &known.links[address];
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&links[call % links.len()])
    }

    /// Of one member.
    pub(super) fn to(&self, address: &str) -> Result<Link, DialError> {
        if let Some(links) = self.known.lock().links.get(address) {
            return Ok(links[0].link.clone());
        }
        self.dialer.link(address)
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.known.lock().addresses.clone()
    }

    /// A member said that this one leads.
    pub(super) fn follow(&self, address: &str) {
        let mut known = self.known.lock();
        if let Some(at) = known.addresses.iter().position(|other| other == address) {
            known.leader = at;
            return;
        }
        match dial(&self.dialer, address, self.connections) {
            Ok(links) => {
                known.addresses.push(address.into());
                known.links.insert(address.into(), links);
                known.leader = known.addresses.len() - 1;
            }
            Err(error) => tracing::warn!(%error, "the leader's address cannot be dialled"),
        }
    }

    /// This one does not answer, or knows nobody: asks the next, unless somebody else has gone on already.
    pub(super) fn pass(&self, address: &str) {
        let mut known = self.known.lock();
        if known.addresses[known.leader] == address {
            known.leader = (known.leader + 1) % known.addresses.len();
        }
    }
}

fn dial(
    dialer: &Dialer,
    address: &str,
    connections: usize,
) -> Result<Vec<Arc<Connection>>, DialError> {
    (0..connections)
        .map(|_| Connection::dial(dialer, address))
        .collect()
}
