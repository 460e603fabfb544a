//! Workers that find each other: over loopback in this process, and between network namespaces.

mod inside;
mod lifetimes;
mod namespaces;
mod network;
mod protocol;
mod relays;
mod spares;
pub(crate) mod support;
mod ways;
