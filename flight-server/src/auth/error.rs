//! Why a call was not let in.

use std::{net::IpAddr, time::Duration};

/// Why a call was not let in. No message says which part of a name and password was wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("the call carries no credentials, and this server lets in nobody without")]
    Missing,
    /// The header is not `Basic` or `Bearer` in the form of RFC 7617 and RFC 6750.
    #[error("the credentials cannot be read: {detail}")]
    Malformed { detail: &'static str },
    #[error("user name or password is wrong")]
    WrongPassword,
    /// Of the user from this address, or of all names tried from it.
    #[error("too many failed attempts{} from {address}; wait {} s", if *of_user { " for this user" } else { "" }, wait.as_secs() + 1)]
    TooManyFailures {
        address: IpAddr,
        of_user: bool,
        wait: Duration,
    },
    /// The signature does not fit, or the text is no token of any kind that is accepted.
    #[error("the token is not valid here")]
    UnknownToken,
    #[error("the token has expired")]
    ExpiredToken,
    /// Its user has another password now, or is gone.
    #[error("the token was made for a password that is no longer in use")]
    RevokedToken,
    #[error("the token is refused: {detail}")]
    RefusedToken { detail: &'static str },
    /// Credentials for a server that has nobody to compare them with.
    #[error("there are no users yet: connect without user, password and token")]
    NoUsers,
    /// A server without users serves its own machine only.
    #[error("there are no users yet, and {address} is not this machine")]
    NoUsersForOthers { address: IpAddr },
    #[error("too many passwords are being checked at once")]
    Busy,
    /// The keys of a token's issuer could not be fetched.
    #[error("the keys to check tokens with cannot be fetched")]
    KeysUnavailable,
    /// The task that checks a password panicked or was shut down.
    #[error("a password check stopped")]
    Task(#[source] tokio::task::JoinError),
}

impl AuthError {
    /// What the caller can do about it, where that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("connect with user and password, or with a token"),
            Self::ExpiredToken | Self::RevokedToken => Some("connect again with user and password"),
            Self::NoUsers | Self::NoUsersForOthers { .. } => {
                Some("make the first user on the server's machine: CREATE USER name PASSWORD '..'")
            }
            Self::Busy | Self::KeysUnavailable => Some("try again in a moment"),
            _ => None,
        }
    }
}
