//! Why there is no stream. Each says what was being done; what the other end may know of a reason is a [`Refusal`].

use std::{io, net::SocketAddr};

use tokio_rustls::rustls;

use super::{
    names::{SlotId, WorkerId},
    wire::Refusal,
};

/// Making or reading a certificate and its key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot make a certificate")]
    Generate {
        #[source]
        source: rcgen::Error,
    },
    #[error("cannot use the certificate's key: {detail}")]
    Key { detail: &'static str },
}

/// Starting a rendezvous.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot use the rendezvous's certificate")]
    Tls {
        #[source]
        source: rustls::Error,
    },
}

/// Waiting for a function, or making room for it.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    #[error("too many slots and workers are expected already")]
    Full,
    #[error("slot \"{slot}\" is expected already")]
    Taken { slot: SlotId },
    #[error("nobody came for slot \"{slot}\"")]
    Absent { slot: SlotId },
}

/// A worker or a function could not join the rendezvous.
#[derive(Debug, thiserror::Error)]
pub enum RendezvousError {
    #[error("cannot reach rendezvous \"{address}\"")]
    Dial {
        address: String,
        #[source]
        source: io::Error,
    },
    /// A wrong fingerprint is here too.
    #[error("cannot speak TLS with rendezvous \"{address}\"")]
    Tls {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot use the worker's certificate")]
    Identity {
        #[source]
        source: rustls::Error,
    },
    #[error("cannot listen for peers")]
    Listen {
        #[source]
        source: io::Error,
    },
    #[error("rendezvous \"{address}\" refuses: {refusal}")]
    Refused { address: String, refusal: Refusal },
    #[error("cannot talk to rendezvous \"{address}\"")]
    Wire {
        address: String,
        #[source]
        source: WireError,
    },
    #[error("rendezvous \"{address}\" does not answer")]
    TimedOut { address: String },
}

/// Two workers could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("worker \"{worker}\" cannot be its own peer")]
    Itself { worker: WorkerId },
    #[error("the connection to the rendezvous is lost")]
    Lost,
    #[error("too many requests are waiting for the rendezvous")]
    Busy,
    #[error("the rendezvous does not answer about worker \"{peer}\"")]
    TimedOut { peer: WorkerId },
    #[error("cannot be paired with worker \"{peer}\": {refusal}")]
    NotPaired { peer: WorkerId, refusal: Refusal },
    #[error("\"{peer}\" at the rendezvous is not the one whose certificate is expected")]
    Another { peer: WorkerId },
    #[error("worker \"{peer}\" did not come to the rendezvous")]
    PeerAbsent { peer: WorkerId },
    #[error("no way leads to worker \"{peer}\"")]
    NoWay {
        peer: WorkerId,
        /// Of the last way.
        #[source]
        source: WayError,
    },
}

/// One way did not lead to the peer.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// Neither of the two listens, or no tries are allowed.
    #[error("the way is not offered")]
    NotOffered,
    #[error("cannot open a socket")]
    Socket {
        #[source]
        source: io::Error,
    },
    #[error("cannot reach the rendezvous")]
    Dial {
        #[source]
        source: io::Error,
    },
    #[error("cannot talk to the rendezvous")]
    Wire {
        #[source]
        source: WireError,
    },
    #[error("the rendezvous refuses: {refusal}")]
    Refused { refusal: Refusal },
    #[error("cannot use the worker's certificate")]
    Identity {
        #[source]
        source: rustls::Error,
    },
    #[error("the peer is not who it should be")]
    Prove {
        #[source]
        source: ProveError,
    },
    #[error("no connection was ready in time")]
    TimedOut,
    #[error("no connection could be made")]
    Unreachable,
}

/// A TCP connection did not turn out to be the peer's.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// A wrong fingerprint is here too.
    #[error("cannot speak TLS")]
    Tls {
        #[source]
        source: io::Error,
    },
    #[error("the connection is lost")]
    Io {
        #[source]
        source: io::Error,
    },
    #[error("cannot say what the connection is for")]
    Knock {
        #[source]
        source: WireError,
    },
    #[error("the connection is not for this pairing")]
    Pairing,
    /// Or it chose another session.
    #[error("the client does not prove that it has the pairing's key")]
    Choice,
}

/// A message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the connection is lost")]
    Io {
        #[source]
        source: io::Error,
    },
    #[error("a message of {bytes} bytes is too long")]
    TooLong { bytes: usize },
    #[error("{what} is malformed")]
    Malformed { what: &'static str },
    #[error("a message's seal is broken")]
    Forged,
}
