//! Connections to members, and which of them is thought to lead.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
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
/// A member that knew no shared streams is asked again after this long: it may have been replaced by a newer version.
const SHARE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// One of the connections to a member.
#[derive(Debug)]
pub(super) struct Connection {
    /// Of the member.
    pub(super) address: String,
    pub(super) link: Link,
    calls: Calls,
    /// The member is of an older version, which takes each call by itself; until when that is believed.
    apart_until: Mutex<Option<Instant>>,
}

impl Connection {
    fn dial(dialer: &Dialer, address: &str) -> Result<Arc<Self>, DialError> {
        let link = dialer.link(address)?;
        Ok(Arc::new(Self {
            address: address.into(),
            calls: Calls::new(link.clone(), method::CALLS),
            link,
            apart_until: Mutex::new(None),
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
        if let Some((number, _)) = shared.find(|(_, shared)| *shared == method)
            && message.encoded_len() <= SHARED_BYTES_MAX
            && !self.is_apart()
        {
            match self.calls.call(number, &message, timeout).await {
                Err(status) if status.code() == Code::Unimplemented => {
                    *self.apart_until.lock() = Some(Instant::now() + SHARE_AGAIN_AFTER);
                }
                answered => return answered,
            }
        }
        self.link.unary(method, message, timeout).await
    }

    fn is_apart(&self) -> bool {
        let until = *self.apart_until.lock();
        until.is_some_and(|until| Instant::now() < until)
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

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt;

    use super::*;
    use crate::{
        rpc::{
            server::{HttpRequest, unary},
            stub,
        },
        service::messages as wire,
    };

    #[tokio::test]
    async fn a_member_that_knows_no_shared_streams_is_asked_once() {
        let num_others = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&num_others);
        let address = stub::serve(move |request: HttpRequest| {
            if request.uri().path() != method::GET {
                counter.fetch_add(1, Ordering::Relaxed);
                return ready(Status::unimplemented("not known").into_http()).boxed();
            }
            let get = |key: wire::Key| {
                ready(Ok(wire::Value {
                    value: Some(key.key),
                    ..wire::Value::default()
                }))
            };
            async move { unary(request, get).await }.boxed()
        })
        .await;
        let connection = Connection::dial(&Dialer::default(), &address).unwrap();
        for number in 0..5_u8 {
            let key = wire::Key {
                key: vec![number].into(),
                at: None,
            };
            let patience = Duration::from_secs(20);
            let answer = connection.call(method::GET, key, patience).await;
            let answer: wire::Value = answer.unwrap();
            assert_eq!(answer.value.as_deref(), Some(&[number][..]));
        }
        assert_eq!(num_others.load(Ordering::Relaxed), 1);
    }
}
