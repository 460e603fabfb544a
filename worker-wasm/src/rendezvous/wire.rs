//! What is said, to whom.
//!
//! ```text
//! over TLS      worker     Hello(Register) -> Welcome | Refused, then ToRendezvous and ToWorker both ways
//!               function   Hello(Serve)    -> Welcome | Refused, then the turned connection's own bytes
//! without TLS   worker     Knock           -> a byte at once, then Met, then nothing (punch) or the peer's bytes (relay)
//!               worker     Wait            -> a byte, then at some time a Knock as above
//!               worker     Knock to a worker's own listener, then the bytes
//! ```
//! Those without TLS are sealed with the pairing's key, or for `Wait` with one that the worker got when it registered. They
//! hold nothing secret. A `Wait` has a number and is good once; replaying a knock gains no more than disturbing the
//! connection would; what follows on them is TLS between the workers. A byte that starts no TLS record comes before a
//! knock, so one port takes both.

use std::net::SocketAddr;

use prost::Message;

use super::{
    error::WireError,
    limits::ENDPOINTS_MAX,
    names::{Link, Side},
    secret::PairingId,
};

/// The first byte of a TLS connection: a handshake record.
pub(super) const TLS_HANDSHAKE: u8 = 0x16;
/// The first byte of a knock.
pub(super) const KNOCK: u8 = b'M';
/// The first byte of a connection that waits for its knock, and the answer to what follows it.
pub(super) const WAITS: u8 = b'W';
pub(super) const WELCOME: u8 = b'w';
/// The rendezvous has read a knock that it knows the pairing of. Nothing follows from it but patience.
pub(super) const HEARD: u8 = b'h';
/// The labels of what is sealed.
pub(super) const KNOCKS: &str = "knock";
pub(super) const MET: &str = "met";
pub(super) const SPARES: &str = "spare";

/// Why the rendezvous does not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Refusal {
    /// The message is not one that it knows.
    Malformed = 0,
    /// The token is wrong, used or too old.
    Token = 1,
    /// A worker of that name is there.
    NameTaken = 2,
    /// A limit is reached.
    Full = 3,
    /// No worker of that name is there.
    PeerUnknown = 4,
    /// The other worker of the pair did not come in time.
    PeerAbsent = 5,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refusal::Malformed => "the message is malformed",
            Refusal::Token => "the token is not accepted",
            Refusal::NameTaken => "the name is taken",
            Refusal::Full => "a limit is reached",
            Refusal::PeerUnknown => "the peer is not registered",
            Refusal::PeerAbsent => "the peer did not come",
        })
    }
}

/// The first message over TLS.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Hello {
    #[prost(oneof = "Purpose", tags = "1, 2")]
    pub(super) purpose: Option<Purpose>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Purpose {
    #[prost(message, tag = "1")]
    Register(Register),
    #[prost(message, tag = "2")]
    Serve(Serve),
}

/// A worker comes; its certificate in the handshake is the one that its peers will pin.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Register {
    #[prost(string, tag = "1")]
    pub(super) worker: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) token: Vec<u8>,
    /// Where the worker itself listens; empty where it cannot.
    #[prost(string, repeated, tag = "3")]
    pub(super) direct: Vec<String>,
}

/// A function offers its connection to the coordinator.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Serve {
    #[prost(string, tag = "1")]
    pub(super) slot: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) token: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    /// `None`: welcome.
    #[prost(enumeration = "Refusal", optional, tag = "1")]
    pub(super) refused: Option<i32>,
    /// What a worker that is welcome seals [`Wait`] with; else empty.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) spare_key: Vec<u8>,
}

/// The connection that this comes on is for a knock to come.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Wait {
    #[prost(string, tag = "1")]
    pub(super) worker: String,
    /// The worker's own numbers, from 1 in each registration. They come in any order.
    #[prost(uint64, tag = "2")]
    pub(super) number: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ToRendezvous {
    /// `None`: a heartbeat.
    #[prost(message, optional, tag = "1")]
    pub(super) request: Option<Request>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    /// The worker's own numbers, from 1.
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(string, tag = "2")]
    pub(super) peer: String,
    /// Invitations that the worker had received when it asked: one from the same peer on its way fulfils the request.
    #[prost(uint64, tag = "3")]
    pub(super) invitations_seen: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ToWorker {
    /// `None`: a heartbeat.
    #[prost(oneof = "News", tags = "1, 2")]
    pub(super) news: Option<News>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum News {
    #[prost(message, tag = "1")]
    Paired(Paired),
    #[prost(message, tag = "2")]
    NotPaired(NotPaired),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Paired {
    /// The number of the request that this answers; zero for an invitation.
    #[prost(uint64, tag = "1")]
    pub(super) request: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) pairing: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) key: Vec<u8>,
    #[prost(string, tag = "4")]
    pub(super) peer: String,
    #[prost(bytes = "vec", tag = "5")]
    pub(super) peer_fingerprint: Vec<u8>,
    #[prost(string, repeated, tag = "6")]
    pub(super) peer_direct: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NotPaired {
    #[prost(uint64, tag = "1")]
    pub(super) request: u64,
    #[prost(enumeration = "Refusal", tag = "2")]
    pub(super) refusal: i32,
}

/// What a connection without TLS is for. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Errand {
    Unknown = 0,
    Direct = 1,
    Punch = 2,
    Relay = 3,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Knock {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) pairing: Vec<u8>,
    #[prost(enumeration = "Errand", tag = "2")]
    pub(super) errand: i32,
    #[prost(bool, tag = "3")]
    pub(super) larger_side: bool,
    #[prost(bool, tag = "4")]
    pub(super) second_link: bool,
    /// From 0; each has its own local port.
    #[prost(uint32, tag = "5")]
    pub(super) attempt: u32,
    /// Of the local port that knocks.
    #[prost(string, repeated, tag = "6")]
    pub(super) private: Vec<String>,
    /// Microseconds that connecting to the rendezvous took.
    #[prost(uint64, tag = "7")]
    pub(super) round_trip_us: u64,
    /// The worker takes its first knock for lost: this one has its place.
    #[prost(bool, tag = "8")]
    pub(super) again: bool,
}

/// The answer to a knock once both workers are there.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Met {
    #[prost(enumeration = "Refusal", optional, tag = "1")]
    pub(super) refused: Option<i32>,
    /// For punching: the peer's public endpoint first, its private ones after.
    #[prost(string, repeated, tag = "2")]
    pub(super) endpoints: Vec<String>,
    /// For punching: connect this many microseconds after this message came.
    #[prost(uint64, tag = "3")]
    pub(super) start_after_us: u64,
}

impl Knock {
    pub(super) fn new(pairing: PairingId, errand: Errand, side: Side, link: Link) -> Self {
        Self {
            pairing: pairing.0.to_vec(),
            errand: errand.into(),
            larger_side: side == Side::Larger,
            second_link: link == Link::Second,
            ..Self::default()
        }
    }

    pub(super) fn pairing(&self) -> Option<PairingId> {
        self.pairing.as_slice().try_into().ok().map(PairingId)
    }

    pub(super) fn side(&self) -> Side {
        match self.larger_side {
            true => Side::Larger,
            false => Side::Smaller,
        }
    }

    pub(super) fn link(&self) -> Link {
        match self.second_link {
            true => Link::Second,
            false => Link::First,
        }
    }
}

pub(super) fn to_text(endpoints: &[SocketAddr]) -> Vec<String> {
    endpoints
        .iter()
        .take(ENDPOINTS_MAX)
        .map(ToString::to_string)
        .collect()
}

pub(super) fn from_text(endpoints: &[String]) -> Result<Vec<SocketAddr>, WireError> {
    let malformed = || WireError::Malformed { what: "endpoint" };
    if endpoints.len() > ENDPOINTS_MAX {
        return Err(malformed());
    }
    endpoints
        .iter()
        .map(|text| text.parse().map_err(|_| malformed()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_or_broken_endpoints_are_malformed() {
        let endpoint = "127.0.0.1:1".to_owned();
        assert_eq!(
            from_text(&vec![endpoint.clone(); ENDPOINTS_MAX])
                .unwrap()
                .len(),
            8
        );
        assert!(from_text(&vec![endpoint; ENDPOINTS_MAX + 1]).is_err());
        assert!(from_text(&["localhost:1".to_owned()]).is_err());
    }
}
