//! The handshake: credentials in, a bearer token out.
//!
//! Clients differ in where they put the credentials and where they look for the token:
//!
//! ```text
//! JDBC, ADBC, pyarrow's authenticate_basic_token, Rust   Basic header         -> authorization header of the answer
//! pyarrow's authenticate, with BasicAuth                 BasicAuth in payload -> payload, sent back in auth-token-bin
//! any of them with a token                               Bearer header        -> the same token
//! ```
//! So the token is put into both places.
//! Source: the Arrow Flight documentation on authentication, and the clients' own code.

use std::time::Duration;

use arrow_flight::{BasicAuth, HandshakeRequest, HandshakeResponse};
use futures::{Stream, StreamExt};
use http::HeaderMap;
use prost::Message;
use tonic::Status;

use super::{AuthError, Authenticator, Origin, credentials::Credentials, without_users};
use crate::status;

/// A client must say something, or end its side, within this time.
const FIRST_MESSAGE_MAX: Duration = Duration::from_secs(10);

/// What a handshake gives: the answer's payload, and the token for its headers.
pub(crate) struct Welcome {
    pub(crate) response: HandshakeResponse,
    /// `None` where nobody has to say who they are.
    pub(crate) token: Option<String>,
}

/// Answers the first message; more are not needed for any credentials that are accepted.
pub(crate) async fn handshake(
    authenticator: &Authenticator,
    headers: &HeaderMap,
    origin: &Origin,
    mut messages: impl Stream<Item = Result<HandshakeRequest, Status>> + Unpin,
) -> Result<Welcome, Status> {
    let first = tokio::time::timeout(FIRST_MESSAGE_MAX, messages.next()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("the handshake says nothing"))?;
    let first = first.transpose()?.unwrap_or_default();
    let credentials = in_either(headers, &first);
    let token = match credentials {
        Ok(credentials) => authenticator.welcome(credentials, origin).await,
        Err(error) => Err(error),
    };
    let token = token.map_err(|error| status::from_auth(&error))?;
    let payload = token.clone().unwrap_or_default().into_bytes().into();
    let response = HandshakeResponse {
        protocol_version: first.protocol_version,
        payload,
    };
    Ok(Welcome { response, token })
}

/// Headers win: a payload that is not `BasicAuth` may mean anything.
fn in_either(
    headers: &HeaderMap,
    first: &HandshakeRequest,
) -> Result<Option<Credentials>, AuthError> {
    let in_headers = Credentials::of(headers)?;
    if in_headers.is_some() || first.payload.is_empty() {
        return Ok(in_headers);
    }
    match BasicAuth::decode(&*first.payload) {
        Ok(BasicAuth { username, password }) => Ok(Some(Credentials::Basic {
            user: username,
            password,
        })),
        Err(_) => Err(AuthError::Malformed {
            detail: "the handshake's payload is not BasicAuth",
        }),
    }
}

impl Authenticator {
    /// The token to use from now on; `None` where no token is needed.
    async fn welcome(
        &self,
        credentials: Option<Credentials>,
        origin: &Origin,
    ) -> Result<Option<String>, AuthError> {
        if self.knows_nobody() {
            return without_users(credentials.as_ref(), origin).map(|_| None);
        }
        match credentials {
            Some(Credentials::Basic { user, password }) => {
                let user = self
                    .passwords
                    .check(&user, &password, origin.address)
                    .await?;
                Ok(Some(self.tokens.issue(&user)))
            }
            Some(Credentials::Bearer(token)) => {
                self.bearer(&token).await?;
                Ok(Some(token))
            }
            None if origin.certificate.is_some() => Ok(None),
            None => Err(AuthError::Missing),
        }
    }
}
