//! How two workers get a byte stream between them, whatever lies in between, and how a function that cannot listen is
//! reached.
//!
//! ```text
//!             control (TLS)                     control (TLS)
//!   worker a ---------------->  Rendezvous  <---------------- worker b
//!       |                     pairs, splices                      |
//!       +---- two connections: direct, else punched, else relayed +
//! ```
//! Read in this order: `names` and `secret` are the small types; `wire` is what is said to whom; `server` is the
//! [`Rendezvous`]; `registration` a worker's place there, with [`Registration::connect`]; `connect` chooses the way of a
//! pair, out of `direct`, `punch` and `relay`, with `knock` and `spares` for meetings; `prove` makes a TCP connection the
//! peer's; `reverse` turns a dialled connection round.
//!
//! Trust: workers pin the rendezvous by the fingerprint that they were started with, and show it a token. The rendezvous
//! gives the two workers of a pair each other's fingerprint and a key of their own. Whatever the way, the stream is TLS 1.3
//! between the two workers with both certificates pinned, so a relay sees only what it carries.
//! Lifetimes: a [`Rendezvous`] and a [`Registration`] own their tasks and end them when dropped; everything else runs in the
//! future that its caller holds.
//! Source: Ford, Srisuresh, Kegel: "Peer-to-Peer Communication Across Network Address Translators", USENIX 2005, for
//! rendezvous, private endpoints and TCP hole punching (sections 3 and 4). Choosing one of several connections, and
//! fingerprints through the rendezvous, are ours.

mod connect;
mod counters;
mod direct;
mod error;
mod frame;
mod hello;
mod knock;
mod limits;
mod names;
mod prove;
mod punch;
mod registration;
mod relay;
mod requests;
mod reverse;
mod secret;
mod server;
mod sockets;
mod spares;
mod stream;
mod tls;
mod watched;
mod wire;

pub use counters::{Counters, Way, WayCounts};
pub use error::{
    ConnectError, IdentityError, ListenError, ProveError, RendezvousError, SlotError, WayError,
    WireError,
};
pub use limits::{Limits, Timings};
pub use names::{SlotId, WorkerId};
pub use registration::{DirectListener, Invitation, Registration, WorkerConfig};
pub use reverse::{ReverseConfig, dial_reversed};
pub use secret::Token;
pub use server::{ExpectedSlot, Rendezvous, RendezvousConfig, RendezvousCounters};
pub use stream::{OnItsWay, Pair, PeerStream, ReverseStream};
pub use tls::{Fingerprint, Identity};
pub(crate) use watched::{Watch, Watched};
pub use wire::Refusal;
