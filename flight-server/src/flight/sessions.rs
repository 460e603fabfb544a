//! Which session a request belongs to.
//!
//! A request with the cookie `arrow_flight_session_id` belongs to the session it names; any other belongs to the
//! session that its user has on its connection. A cookie is worth nothing to another user than the one it was given to.
//! Clients that keep cookies can thus change connections, and all others need only one.
//! A session ends with its connection, or, once it was named by a cookie, when it is idle for long.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Instant,
};

use coordinator::{Engine, Identity, Session};
use http::{HeaderMap, header::COOKIE};
use parking_lot::Mutex;
use tonic::Status;

use super::limits::FlightLimits;
use crate::{auth::Origin, metrics};

const COOKIE_NAME: &str = "arrow_flight_session_id";

#[derive(Debug)]
pub(crate) struct Sessions {
    engine: Arc<Engine>,
    /// A session named by cookies is kept for `session_idle` after its last request.
    limits: FlightLimits,
    by_id: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    session: Weak<Session>,
    /// Set once a client has sent the cookie: keeps the session after its connection has gone.
    kept: Option<Arc<Session>>,
    used: Instant,
}

/// Users of one connection, which is one unless a proxy puts several into it. Above this the first one's session goes.
const USERS_MAX: usize = 64;

/// The sessions of one connection, one for each user, made at their first request.
#[derive(Debug)]
pub(crate) struct ConnectionSession {
    pub(crate) peer: SocketAddr,
    pub(crate) origin: Origin,
    sessions: Mutex<Vec<Arc<Session>>>,
}

impl ConnectionSession {
    /// `certificate` is the subject of the client's, if it has one.
    pub(crate) fn new(peer: SocketAddr, certificate: Option<String>) -> Arc<Self> {
        metrics::CONNECTIONS.inc();
        Arc::new(Self {
            peer,
            origin: Origin {
                address: peer.ip(),
                certificate,
            },
            sessions: Mutex::default(),
        })
    }
}

impl Drop for ConnectionSession {
    fn drop(&mut self) {
        metrics::CONNECTIONS.dec();
    }
}

impl Sessions {
    pub(super) fn new(engine: Arc<Engine>, limits: FlightLimits) -> Self {
        Self {
            engine,
            limits,
            by_id: Mutex::default(),
        }
    }

    /// The session of a request, and the cookie to set where the client does not have it yet.
    pub(super) fn of(
        &self,
        headers: &HeaderMap,
        connection: &ConnectionSession,
        identity: &Identity,
    ) -> Result<(Arc<Session>, Option<String>), Status> {
        if let Some(session) = cookie(headers).and_then(|id| self.named(id, identity)) {
            return Ok((session, None));
        }
        let mut own = connection.sessions.lock();
        let known = own.iter().find(|session| session.identity() == identity);
        let session = match known {
            Some(session) => Arc::clone(session),
            None => {
                let session = self.begin(identity)?;
                if own.len() == USERS_MAX {
                    own.remove(0);
                }
                own.push(Arc::clone(&session));
                session
            }
        };
        let cookie = format!("{COOKIE_NAME}={}; HttpOnly; SameSite=Strict", session.id());
        Ok((session, Some(cookie)))
    }

    fn begin(&self, identity: &Identity) -> Result<Arc<Session>, Status> {
        let is_full = || self.by_id.lock().len() >= self.limits.sessions_max;
        if is_full() {
            self.expire();
            if is_full() {
                return Err(Status::resource_exhausted(format!(
                    "the server has {} sessions open\nhint: close those that are no longer used, or raise --session-limit",
                    self.limits.sessions_max
                )));
            }
        }
        let session = self.engine.session_of(identity.clone());
        let known = Known {
            session: Arc::downgrade(&session),
            kept: None,
            used: Instant::now(),
        };
        self.by_id.lock().insert(session.id().to_owned(), known);
        metrics::SESSIONS.inc();
        Ok(session)
    }

    fn named(&self, id: &str, identity: &Identity) -> Option<Arc<Session>> {
        let mut by_id = self.by_id.lock();
        let known = by_id.get_mut(id)?;
        let session = known.session.upgrade()?;
        if session.identity() != identity {
            return None;
        }
        known.used = Instant::now();
        known.kept = Some(Arc::clone(&session));
        Some(session)
    }

    /// Ends a session; the next request of its connection begins another.
    pub(super) fn close(&self, id: &str, connection: &ConnectionSession) {
        let known = self.by_id.lock().remove(id);
        let own = {
            let mut own = connection.sessions.lock();
            let at = own.iter().position(|session| session.id() == id);
            at.map(|at| own.remove(at))
        };
        // Temporary tables go with it: not under the locks.
        drop((known, own));
    }

    /// Ends idle sessions, forgets those that have ended, and lets the others forget old plans.
    pub(crate) fn expire(&self) {
        let is_idle = |known: &Known| known.used.elapsed() > self.limits.session_idle;
        let (ended, alive): (Vec<_>, Vec<_>) = {
            let mut by_id = self.by_id.lock();
            let idle = by_id.values_mut().filter(|known| is_idle(known));
            let ended = idle.filter_map(|known| known.kept.take()).collect();
            let alive = by_id.values().filter_map(|known| known.session.upgrade());
            (ended, alive.collect())
        };
        // Temporary tables and files go with them: not under the lock.
        drop(ended);
        alive.iter().for_each(|session| session.forget_old_plans());
        drop(alive);
        let mut by_id = self.by_id.lock();
        by_id.retain(|_, known| known.kept.is_some() || known.session.strong_count() > 0);
        metrics::SESSIONS.set(by_id.len().try_into().unwrap_or(i64::MAX));
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}
