//! Where workers in other processes join a server.
//!
//! The server runs the rendezvous, and takes part in it as [`COORDINATOR`]: each worker connects to it, and to others.
//! Certificate and token are kept among the server's private files, so that workers find their server again after a
//! restart.

use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use catalog::{DataFolder, PrivateFiles};
use coordinator::{Engine, WorkerPool, error_chain};
use rcgen::generate_simple_self_signed;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;
use worker_wasm::{
    rendezvous::{
        DirectListener, Identity, Invitation, Limits, Registration, Rendezvous, RendezvousConfig,
        Timings, Token, WorkerConfig, WorkerId,
    },
    worker::{COORDINATOR, Join, WorkerLink},
};

use crate::functions::{Functions, LambdaConfig};

/// The name of [`Kept`] among the server's private files.
const KEPT: &str = "workers";
/// Before the server takes a place at its rendezvous again that it has lost.
const RETRY: Duration = Duration::from_secs(1);

/// The door for workers. Dropping it closes all their connections.
#[derive(Debug)]
pub(crate) struct Workers {
    rendezvous: Arc<Rendezvous>,
    token_file: PathBuf,
    _invitations: AbortOnDropHandle<()>,
    /// `None` where no function is called.
    _functions: Option<Functions>,
}

/// What outlives the process.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// In DER.
    certificate: Vec<u8>,
    /// In PKCS #8.
    key: Vec<u8>,
    token: String,
}

impl Kept {
    fn make() -> anyhow::Result<Self> {
        let made = generate_simple_self_signed(vec!["murre".to_owned()])
            .context("cannot make a certificate for workers")?;
        let token = Token::generate();
        Ok(Self {
            certificate: made.cert.der().to_vec(),
            key: made.signing_key.serialize_der(),
            token: String::from_utf8(token.as_bytes().to_vec())?,
        })
    }
}

impl Workers {
    /// Workers can join when it returns. `announced` is its address as functions see it.
    pub(crate) async fn listen(
        listen: SocketAddr,
        announced: Option<String>,
        lambda: Option<&LambdaConfig>,
        engine: &Arc<Engine>,
        folder: &DataFolder,
    ) -> anyhow::Result<Self> {
        let files = PrivateFiles::open(&folder.server_secrets())?;
        let kept = match files.get(KEPT, "what workers join with")? {
            Some(kept) => kept,
            None => {
                let kept = Kept::make()?;
                files.store(KEPT, &kept)?;
                kept
            }
        };
        let identity = Identity::from_der(&kept.certificate, &kept.key)?;
        let token = Token::new(kept.token).context("the token for workers is damaged")?;
        let rendezvous = Rendezvous::listen(RendezvousConfig {
            listen,
            identity: identity.clone(),
            shared_token: Some(token.clone()),
            limits: Limits::default(),
        });
        let rendezvous = Arc::new(rendezvous.await?);
        let token_file = folder.server_secrets().join("workers.join");
        let join = Join {
            token: token.clone(),
            fingerprint: rendezvous.fingerprint(),
        };
        write_private(
            &token_file,
            &join.to_line().context("the token is no word")?,
        )?;
        let door = Door {
            rendezvous: Arc::clone(&rendezvous),
            identity,
            token,
        };
        let own = door.own_place().await?;
        let pool = Arc::clone(engine.workers());
        let invitations = tokio::spawn(take_invitations(door, own, Arc::clone(&pool)));
        let announced = announced.unwrap_or_else(|| rendezvous.address().to_string());
        let functions = match lambda {
            Some(lambda) => Some(Functions::start(
                Arc::clone(&rendezvous),
                announced,
                pool,
                lambda,
            )?),
            None => None,
        };
        Ok(Self {
            rendezvous,
            token_file,
            _invitations: AbortOnDropHandle::new(invitations),
            _functions: functions,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.rendezvous.address()
    }

    /// What a worker has to show and whom to believe.
    pub(crate) fn token_file(&self) -> &Path {
        &self.token_file
    }
}

/// The rendezvous, and what the server shows there.
struct Door {
    rendezvous: Arc<Rendezvous>,
    identity: Identity,
    token: Token,
}

impl Door {
    /// The server's own place. Workers dial it beside the rendezvous, where it has an address to say.
    async fn own_place(&self) -> anyhow::Result<Registration> {
        let address = self.rendezvous.address();
        let mut reached = address;
        let mut listener = None;
        if address.ip().is_unspecified() {
            reached.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        } else {
            let bound = TcpListener::bind((address.ip(), 0)).await?;
            let announced = vec![bound.local_addr()?];
            listener = Some(DirectListener {
                listener: bound,
                announced,
            });
        }
        let config = WorkerConfig {
            rendezvous: reached.to_string(),
            rendezvous_fingerprint: self.rendezvous.fingerprint(),
            token: self.token.clone(),
            id: WorkerId::new(COORDINATOR).expect("the name is valid"),
            identity: self.identity.clone(),
            listener,
            private_addresses: Vec::new(),
            timings: Timings::default(),
        };
        Ok(Registration::open(config).await?)
    }

    /// The same once it was lost: a process that stood still is silent to itself, too.
    async fn own_place_again(&self) -> Registration {
        loop {
            sleep(RETRY).await;
            match self.own_place().await {
                Ok(own) => return own,
                Err(error) => warn!(
                    error = format!("{error:#}"),
                    "no worker can join: the server's place at its rendezvous is lost"
                ),
            }
        }
    }
}

async fn take_invitations(door: Door, mut own: Registration, pool: Arc<WorkerPool>) {
    // Ends the connections of all workers when this ends.
    let mut kept = JoinSet::new();
    loop {
        tokio::select! {
            invitation = own.invitation() => match invitation {
                Some(invitation) => drop(kept.spawn(keep(invitation, Arc::clone(&pool)))),
                None => own = door.own_place_again().await,
            },
            Some(_) = kept.join_next() => {}
        }
    }
}

/// Keeps a worker in the pool as long as it is there.
async fn keep(invitation: Invitation, pool: Arc<WorkerPool>) {
    let worker = invitation.peer().clone();
    let pair = match invitation.accept().await {
        Ok(pair) => pair,
        Err(error) => {
            warn!(%worker, error = error_chain(&error), "a worker cannot be connected");
            return;
        }
    };
    // Workers are called, and do not call.
    drop(pair.incoming);
    let link = WorkerLink::open(worker.clone(), pair.outgoing.way(), pair.outgoing);
    if let Err(error) = pool.keep(link).await {
        warn!(%worker, error = error_chain(&error), "a worker is given up");
    }
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    async fn door() -> Door {
        let (identity, token) = (Identity::generate().unwrap(), Token::generate());
        let rendezvous = Rendezvous::listen(RendezvousConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            identity: identity.clone(),
            shared_token: Some(token.clone()),
            limits: Limits::default(),
        });
        Door {
            rendezvous: Arc::new(rendezvous.await.unwrap()),
            identity,
            token,
        }
    }

    #[tokio::test]
    async fn the_server_takes_its_place_again_where_it_has_lost_it() {
        // Its end is how the other one is lost.
        let ending = door().await;
        let own = ending.own_place().await.unwrap();
        let door = door().await;
        let counters = door.rendezvous.counters();
        let taking = tokio::spawn(take_invitations(door, own, Arc::default()));
        let taken = async {
            while counters.workers() == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        drop(ending);
        let taken = timeout(Duration::from_secs(60), taken).await;
        taken.expect("the place is taken again");
        taking.abort();
    }
}
