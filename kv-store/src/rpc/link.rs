//! One server, called. The connection is made when it is needed and again when it broke.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use futures::Stream;
use prost::Message;
use tonic::{
    Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{MESSAGE_BYTES_MAX, codec::Codec};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A peer that says nothing to a ping for this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How servers are reached, and what they are shown.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    token: Option<MetadataValue<Ascii>>,
    tls: Option<ClientTlsConfig>,
}

/// Files to dial with; all in PEM but the token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialOptions {
    /// Holds the token as its first word.
    pub token_file: Option<PathBuf>,
    /// The authority that vouches for servers. Without one the connection is not encrypted, and a token goes no farther than
    /// the loopback.
    pub server_ca: Option<PathBuf>,
    /// Shown to servers that ask who calls: certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("cannot read \"{}\"", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the token in \"{}\" holds characters that a header cannot", path.display())]
    Token { path: PathBuf },
    #[error("\"{address}\" is not host:port")]
    Address { address: String },
    /// Whoever is on the way would read it.
    #[error("the token is not shown to \"{address}\" over a connection that is not encrypted")]
    TokenInClear { address: String },
    #[error("the certificates to dial with are not usable")]
    Tls(#[source] tonic::transport::Error),
}

fn read(path: &std::path::Path) -> Result<String, DialError> {
    std::fs::read_to_string(path).map_err(|source| DialError::Read {
        path: path.into(),
        source,
    })
}

impl Dialer {
    /// Reads the files.
    pub fn new(options: &DialOptions) -> Result<Self, DialError> {
        let mut dialer = Self::default();
        if let Some(path) = &options.token_file {
            let token = read(path)?;
            // Behind it may stand a role, for who serves.
            let word = token.split_whitespace().next().unwrap_or_default();
            let token = format!("Bearer {word}");
            let token = token
                .parse()
                .map_err(|_| DialError::Token { path: path.clone() })?;
            dialer.token = Some(token);
        }
        if let Some(path) = &options.server_ca {
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?));
            if let Some((certificate, key)) = &options.identity {
                tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
            }
            dialer.tls = Some(tls);
        }
        Ok(dialer)
    }

    /// To `host:port`. Inside of a tokio runtime; connects at the first call.
    pub(crate) fn link(&self, address: &str) -> Result<Link, DialError> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"));
        let mut endpoint = endpoint.map_err(|_| DialError::Address {
            address: address.into(),
        })?;
        if self.token.is_some() && self.tls.is_none() && !is_loopback(endpoint.uri()) {
            return Err(DialError::TokenInClear {
                address: address.into(),
            });
        }
        endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            .tcp_nodelay(true);
        if let Some(tls) = &self.tls {
            endpoint = endpoint.tls_config(tls.clone()).map_err(DialError::Tls)?;
        }
        Ok(Link {
            channel: endpoint.connect_lazy(),
            token: self.token.clone(),
        })
    }
}

/// Names are not looked up: but for one they may be anybody's.
fn is_loopback(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || number
            .parse()
            .is_ok_and(|number: IpAddr| number.is_loopback())
}

/// Clones share the connection.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

type Method = &'static str;

/// What every kind of call needs.
struct Begun<M, Q, A> {
    grpc: tonic::client::Grpc<Channel>,
    request: Request<M>,
    path: http::uri::PathAndQuery,
    codec: Codec<Q, A>,
}

impl Link {
    fn request<M>(&self, message: M, timeout: Option<Duration>) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        request
    }

    /// Waits until the connection takes a call.
    async fn begin<M, Q, A>(
        &self,
        method: Method,
        message: M,
        timeout: Option<Duration>,
    ) -> Result<Begun<M, Q, A>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Begun {
            grpc,
            request: self.request(message, timeout),
            path: http::uri::PathAndQuery::from_static(method),
            codec: Codec::default(),
        })
    }

    /// One request, one answer, within `timeout`.
    pub(crate) async fn unary<Q, A>(
        &self,
        method: Method,
        message: Q,
        timeout: Duration,
    ) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let call = async {
            let mut begun = self.begin(method, message, Some(timeout)).await?;
            let answer = begun.grpc.unary(begun.request, begun.path, begun.codec);
            answer.await.map(Response::into_inner)
        };
        let late = |_| Status::deadline_exceeded(format!("no answer within {timeout:?}"));
        tokio::time::timeout(timeout, call).await.map_err(late)?
    }

    /// A stream of requests, one answer.
    pub(crate) async fn gathered<S, Q, A>(&self, method: Method, messages: S) -> Result<A, Status>
    where
        S: Stream<Item = Q> + Send + 'static,
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut begun = self.begin(method, messages, None).await?;
        let answer = begun
            .grpc
            .client_streaming(begun.request, begun.path, begun.codec);
        answer.await.map(Response::into_inner)
    }

    /// One request, a stream of answers.
    pub(crate) async fn streamed<Q, A>(
        &self,
        method: Method,
        message: Q,
    ) -> Result<Streaming<A>, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut begun = self.begin(method, message, None).await?;
        let answers = begun
            .grpc
            .server_streaming(begun.request, begun.path, begun.codec);
        answers.await.map(Response::into_inner)
    }

    /// A stream of requests, a stream of answers. Returns before the first request is answered.
    pub(crate) async fn exchanged<S, Q, A>(
        &self,
        method: Method,
        messages: S,
    ) -> Result<Streaming<A>, Status>
    where
        S: Stream<Item = Q> + Send + 'static,
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut begun = self.begin(method, messages, None).await?;
        let answers = begun.grpc.streaming(begun.request, begun.path, begun.codec);
        answers.await.map(Response::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_in_clear_stays_on_the_loopback() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        std::fs::write(&token_file, "root admin\nalice user\n").unwrap();
        let with_token = Dialer::new(&DialOptions {
            token_file: Some(token_file),
            ..DialOptions::default()
        });
        let with_token = with_token.unwrap();
        assert_eq!(with_token.token.as_ref().unwrap(), "Bearer root");
        for near in ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"] {
            assert!(with_token.link(near).is_ok(), "{near}");
        }
        for far in [
            "10.0.0.1:1",
            "[fe80::1]:1",
            "localhost.example.org:1",
            "127.0.0.1@example.org:1",
        ] {
            let refused = with_token.link(far);
            assert!(
                matches!(refused, Err(DialError::TokenInClear { .. })),
                "{far}: {refused:?}"
            );
            assert!(Dialer::default().link(far).is_ok(), "{far}");
        }
    }
}
