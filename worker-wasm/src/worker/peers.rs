//! A worker's connections to other workers: made when a task first reads from one, by whichever of the two asks first.
//!
//! Each connection to a peer comes with one from it (see [`crate::rendezvous::Pair`]), on which this worker answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex, PoisonError, RwLock},
};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion_distributed::{ChannelResolver, WorkerChannel};
use tokio::{runtime::Handle, sync::Mutex};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{
    core::{Caller, Core},
    link::{LinkError, WorkerLink},
    worker_of,
};
use crate::rendezvous::{
    ConnectError, Counters, Invitation, OnItsWay, Pair, Registration, WorkerId,
};

/// Locked while it is being made.
type Slot = Arc<Mutex<Option<WorkerLink>>>;

/// The other workers, as one worker knows them.
#[derive(Debug, Default)]
pub struct Peers {
    /// `None` while this worker has no place at the rendezvous.
    place: RwLock<Option<Place>>,
    slots: StdMutex<HashMap<WorkerId, Slot>>,
    /// Of the streams to and from peers; the coordinator's is none of them.
    counters: Arc<Counters>,
}

#[derive(Debug, Clone)]
struct Place {
    registration: Arc<Registration>,
    /// Answers on the connections that peers use.
    core: Core,
    /// Of connections. Who reads from a peer is on the threads of tasks.
    runtime: Handle,
}

impl Peers {
    /// Peers are found through `registration`, and `core` answers them, until the guard is dropped; connections stay, and
    /// are served by the runtime that this is called in.
    pub(super) fn registered(
        self: &Arc<Self>,
        registration: Arc<Registration>,
        core: Core,
    ) -> Registered {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Place {
            registration,
            core,
            runtime: Handle::current(),
        });
        Registered(Arc::clone(self))
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes a peer's invitation.
    pub(super) fn accept(
        self: Arc<Self>,
        invitation: Invitation,
        core: Core,
    ) -> impl Future<Output = ()> + Send {
        let peer = invitation.peer().clone();
        // At once, so that tasks that want the peer wait for this pair instead of asking for another.
        let making = self.slot(&peer).try_lock_owned();
        async move {
            match invitation.accept().await {
                Ok(pair) => {
                    let link = self.adopt(pair, &core);
                    let mut slot = match making {
                        Ok(slot) => slot,
                        Err(_) => self.slot(&peer).lock_owned().await,
                    };
                    if slot.as_ref().is_none_or(WorkerLink::is_lost) {
                        *slot = Some(link);
                    }
                }
                Err(error) => tracing::warn!(%peer, %error, "a peer cannot be connected"),
            }
        }
    }

    /// For the sessions of tasks.
    pub(super) fn resolver(self: Arc<Self>) -> PeerChannels {
        PeerChannels(self)
    }

    /// The connection to a peer, made if there is none.
    async fn link(self: &Arc<Self>, peer: &WorkerId) -> Result<WorkerLink, DataFusionError> {
        let slot = self.slot(peer);
        let mut slot = slot.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| !link.is_lost()) {
            return Ok(link.clone());
        }
        let place = {
            let place = self.place.read().unwrap_or_else(PoisonError::into_inner);
            place.clone()
        };
        // Without a rendezvous it cannot be found.
        let lost = || LinkError::Lost {
            worker: peer.clone(),
        };
        let place = place.ok_or_else(|| DataFusionError::External(Box::new(lost())))?;
        let Place {
            registration,
            core,
            runtime,
        } = place;
        let (peers, wanted) = (Arc::clone(self), peer.clone());
        // The peer is answered at once, however long this task waits for a thread of tasks.
        let connecting = runtime.spawn(async move {
            let pair = registration.connect(&wanted).await?;
            tracing::debug!(peer = %wanted, way = ?pair.outgoing.way(), took = ?pair.took, "connected");
            Ok::<_, ConnectError>(peers.adopt(pair, &core))
        });
        let link = AbortOnDropHandle::new(connecting).await;
        let link = link.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let link = link.map_err(|error| DataFusionError::External(Box::new(error)))?;
        *slot = Some(link.clone());
        Ok(link)
    }

    /// Answers the peer on its connection as long as that lasts, and gives ours. Both are of the runtime that it is called
    /// in.
    fn adopt(&self, pair: Pair, core: &Core) -> WorkerLink {
        let Pair {
            peer,
            outgoing,
            incoming,
            ..
        } = pair;
        let way = outgoing.way();
        let counted = |stream| OnItsWay::counting(way, self.counters(), stream);
        let (core, incoming) = (core.clone(), counted(incoming));
        let served = peer.clone();
        tokio::spawn(async move {
            if let Err(error) = core.serve(Caller::Peer, incoming).await {
                tracing::debug!(peer = %served, %error, "a peer's connection ended");
            }
        });
        WorkerLink::open(peer, way, counted(outgoing))
    }

    fn slot(&self, peer: &WorkerId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Workers come and go under new names: what is lost is forgotten, unless somebody has the slot to make it again.
        slots.retain(|id, slot| id == peer || Arc::strong_count(slot) > 1 || !is_dead(slot));
        Arc::clone(slots.entry(peer.clone()).or_default())
    }
}

/// A worker's place at the rendezvous. It also ends the circle of the worker and its peers.
#[derive(Debug)]
pub(super) struct Registered(Arc<Peers>);

impl Drop for Registered {
    fn drop(&mut self) {
        let place = self.0.place.write();
        *place.unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn is_dead(slot: &Slot) -> bool {
    let link = slot.try_lock();
    link.is_ok_and(|link| link.as_ref().is_none_or(WorkerLink::is_lost))
}

/// Finds the workers that a task reads from.
#[derive(Debug, Clone)]
pub(super) struct PeerChannels(Arc<Peers>);

#[async_trait]
impl ChannelResolver for PeerChannels {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        let peer = worker_of(url).ok_or_else(|| exec_datafusion_err!("{url} is no worker"))?;
        Ok(self.0.link(&peer).await?.client())
    }
}
