//! A worker: runs tasks of queries that a coordinator plans, in a process of its own.
//!
//! ```text
//!  coordinator --- Missing, Put (modules by hash), Describe ---> Core
//!      |     \---- set plan, metrics (datafusion-distributed) -> Core <--- rows --- Core of another worker
//! ```
//! Read in this order: [`Core`] is what a worker is, whatever host it is in; `modules` keeps its code; `session` what a task
//! sees; `threads` is where it runs; `stop` how it learns that its query has ended, and `ended` frees what it had; `service`
//! and `messages` what is ours on the wire; [`WorkerLink`] is a worker as others call it; [`Peers`] the connections to other workers, over [`crate::rendezvous`]; `host` is
//! [`serve_coordinator`], the life of a worker process, and `function` [`serve_invocation`], that of one call of a function.
//!
//! Errors: [`LinkError`] and [`HostError`]. What a task fails with goes back as the `DataFusionError` it is.
//! Invariant: a worker runs plans only from its coordinator, and code only from modules that it put by their hash, over a
//! connection whose other end has proved to be the one that the worker was told to believe.

mod core;
mod ended;
mod function;
mod host;
mod join;
mod link;
mod messages;
mod modules;
mod peers;
mod service;
mod session;
mod stop;
mod threads;

pub use self::core::{Caller, Core, CoreConfig};
pub use ended::{TasksHeld, let_go};
pub use function::{Invocation, InvocationEnd, Patience, serve_invocation};
pub use host::{HostConfig, HostError, serve_coordinator};
pub use join::Join;
pub use link::{KEEP_ALIVE_INTERVAL, LinkError, WorkerLink};
pub use messages::{Description, WayUse};
pub use modules::ModuleStore;
pub use peers::Peers;
pub use session::{PlanRewrite, options_header};

use url::Url;

use crate::rendezvous::WorkerId;

/// Names what plans and modules mean. A coordinator uses only workers whose build is its own.
pub const BUILD: &str = env!("MURRE_BUILD");

/// The name under which a coordinator registers at its own rendezvous.
pub const COORDINATOR: &str = "coordinator";

/// A worker's address in a plan. Nothing is resolved: the host is its name.
///
/// `None` where the name cannot be one: it has letters, digits, `-`, `_` and `.` only.
pub fn worker_url(id: &WorkerId) -> Option<Url> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let text = id.as_str();
    text.bytes().all(plain).then_some(())?;
    let url = Url::parse(&format!("murre://{text}")).ok()?;
    (url.host_str() == Some(text)).then_some(url)
}

/// The worker that [`worker_url`] named.
pub(crate) fn worker_of(url: &Url) -> Option<WorkerId> {
    url.host_str().and_then(WorkerId::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_name_is_its_address() {
        let id = WorkerId::new("Host-1.example_2").unwrap();
        let url = worker_url(&id).unwrap();
        assert_eq!(worker_of(&url), Some(id));
        for bad in ["a/b", "a:1", "a@b", "a%20"] {
            assert_eq!(worker_url(&WorkerId::new(bad).unwrap()), None, "{bad}");
        }
    }
}
