//! Who and what takes part: workers, slots of functions, and the two connections of a pair.

use std::fmt;

/// Bytes of a name at most, on the wire and in memory.
const NAME_BYTES_MAX: usize = 64;

/// A worker's name, 1 to 64 printable ASCII bytes. Order is that of the bytes; it decides the roles in a pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(String);

/// Where the coordinator keeps a function: unique for each invocation, 1 to 64 printable ASCII bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(String);

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

impl WorkerId {
    /// `None` where `name` is empty, too long or not printable ASCII.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        Some(name.into())
            .filter(|name: &String| is_name(name))
            .map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SlotId {
    /// `None` where `name` is empty, too long or not printable ASCII.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        Some(name.into())
            .filter(|name: &String| is_name(name))
            .map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the two connections of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Link {
    /// The worker with the smaller id is the TLS and HTTP/2 server.
    First,
    /// The worker with the larger id is.
    Second,
}

/// One of the two workers of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Smaller,
    Larger,
}

/// What a worker is on one connection, in TLS and in HTTP/2. Who dialled whom does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Client,
}

impl Side {
    /// `None` for a worker and itself.
    pub(super) fn of(own: &WorkerId, peer: &WorkerId) -> Option<Self> {
        match own.cmp(peer) {
            std::cmp::Ordering::Less => Some(Side::Smaller),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Side::Larger),
        }
    }

    pub(super) fn role(self, link: Link) -> Role {
        match (self, link) {
            (Side::Smaller, Link::First) | (Side::Larger, Link::Second) => Role::Server,
            (Side::Smaller, Link::Second) | (Side::Larger, Link::First) => Role::Client,
        }
    }

    /// The connection on which this side has that role.
    pub(super) fn link(self, role: Role) -> Link {
        match self.role(Link::First) == role {
            true => Link::First,
            false => Link::Second,
        }
    }
}

impl Link {
    pub(super) fn number(self) -> u8 {
        match self {
            Link::First => 1,
            Link::Second => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        assert!(WorkerId::new("w-1").is_some());
        assert!(WorkerId::new("x".repeat(64)).is_some());
        for bad in [String::new(), "x".repeat(65), "a b".into(), "é".into()] {
            assert!(WorkerId::new(bad.clone()).is_none(), "{bad:?}");
            assert!(SlotId::new(bad.clone()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn each_connection_has_one_server_and_each_side_serves_one() {
        let (small, large) = (WorkerId::new("a").unwrap(), WorkerId::new("b").unwrap());
        let (a, b) = (Side::of(&small, &large), Side::of(&large, &small));
        let (a, b) = (a.unwrap(), b.unwrap());
        for link in [Link::First, Link::Second] {
            assert_ne!(a.role(link), b.role(link));
            assert_eq!(a.link(a.role(link)), link);
        }
        assert_eq!(a.role(Link::First), Role::Server);
        assert_eq!(b.role(Link::Second), Role::Server);
        assert_eq!(Side::of(&small, &small), None);
    }
}
