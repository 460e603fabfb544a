//! A node that listens.

use std::{
    convert::Infallible,
    future::{Future, ready},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    service::Routes,
    transport::{Certificate, Identity, ServerTlsConfig, server::TcpIncoming},
};

use super::{
    KvService, Methods, RaftService, Shared,
    access::{Access, AccessError},
};
use crate::node::{Node, NodeOptions, OpenError};

/// What others may send in one frame, in bytes: an entry under load takes about as much.
const FRAME_BYTES: u32 = 256 * 1024;

/// How a node serves. Elsewhere than on the loopback it wants a certificate, and `client_ca` or `token_file`.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// Certificate and key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The authority that vouches for clients; those without a certificate of it are refused.
    pub client_ca: Option<PathBuf>,
    /// See [`super::access`].
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// Tokens and data would cross a network in clear.
    #[error("{address} is not the loopback, and serving there needs a certificate")]
    NotLoopback { address: SocketAddr },
    /// Whoever reached it would be an admin.
    #[error(
        "{address} is not the loopback, and serving there needs an authority of clients or a token file"
    )]
    Anybody { address: SocketAddr },
    #[error("cannot read \"{}\"", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("certificates of clients can be asked for only with a certificate of the server")]
    ClientCaAlone,
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the server failed")]
    Serve(#[from] tonic::transport::Error),
}

/// A node and its open port, before it answers.
#[derive(Debug)]
pub struct Server {
    node: Arc<Node>,
    access: Access,
    tls: Option<ServerTlsConfig>,
    listener: std::net::TcpListener,
    address: SocketAddr,
}

fn read(path: &Path) -> Result<String, ServeError> {
    std::fs::read_to_string(path).map_err(|source| ServeError::Read {
        path: path.into(),
        source,
    })
}

fn tls(options: &ServeOptions) -> Result<Option<ServerTlsConfig>, ServeError> {
    let Some((certificate, key)) = &options.identity else {
        return match options.client_ca {
            Some(_) => Err(ServeError::ClientCaAlone),
            None => Ok(None),
        };
    };
    let identity = Identity::from_pem(read(certificate)?, read(key)?);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(authority) = &options.client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(read(authority)?));
    }
    Ok(Some(tls))
}

/// For everybody who may read anything.
fn metrics(shared: &Shared, headers: &http::HeaderMap) -> http::Response<String> {
    let (code, text) = match shared.access.role(headers) {
        Ok(_) => {
            let text = String::from_utf8(shared.node.metrics());
            (http::StatusCode::OK, text.unwrap_or_default())
        }
        Err(error) => (http::StatusCode::UNAUTHORIZED, error.to_string()),
    };
    let mut response = http::Response::new(text);
    *response.status_mut() = code;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}

impl Server {
    /// Listens on `listen`, and opens the node. A node without an address is reached where it listens.
    pub async fn open(
        listen: SocketAddr,
        options: &ServeOptions,
        mut node: NodeOptions,
    ) -> Result<Self, ServeError> {
        let tls = tls(options)?;
        if !listen.ip().is_loopback() {
            if tls.is_none() {
                return Err(ServeError::NotLoopback { address: listen });
            }
            if options.client_ca.is_none() && options.token_file.is_none() {
                return Err(ServeError::Anybody { address: listen });
            }
        }
        let access = match &options.token_file {
            Some(path) => Access::from_file(path)?,
            None => Access::default(),
        };
        let listener = TcpListener::bind(listen).await;
        let at = |source| ServeError::Listen {
            address: listen,
            source,
        };
        let listener = listener.map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        if node.address.is_empty() {
            node.address = address.to_string();
        }
        Ok(Self {
            node: Arc::new(Node::open(node).await?),
            access,
            tls,
            listener: listener.into_std().map_err(at)?,
            address,
        })
    }

    /// With the port that was given out, when any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Answers until `stop` is there. Calls under way are then cut off: their clients ask other members.
    ///
    /// Runs where the node's Raft runs: what the two say to each other on the way of a call then crosses no runtimes.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let node = Arc::clone(&self.node);
        let shared = Arc::new(Shared {
            node: self.node,
            access: self.access,
        });
        let mut server = tonic::transport::Server::builder()
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            .max_frame_size(FRAME_BYTES)
            .max_concurrent_streams(None);
        if let Some(tls) = self.tls {
            server = server.tls_config(tls)?;
        }
        let methods = (
            KvService(Arc::clone(&shared)),
            RaftService(Arc::clone(&shared)),
        );
        let server = server.layer(tower::layer::layer_fn(move |rest| Methods {
            kv: methods.0.clone(),
            raft: methods.1.clone(),
            rest,
        }));
        let mut routes = Routes::default();
        // For Prometheus, which speaks HTTP/1.1 without encryption.
        let router = std::mem::take(routes.axum_router_mut());
        let metrics = tower::service_fn(move |request: http::Request<_>| {
            ready(Ok::<_, Infallible>(metrics(&shared, request.headers())))
        });
        *routes.axum_router_mut() = router.route_service("/metrics", metrics);
        let router = server.accept_http1(true).add_routes(routes.prepare());
        let (listener, address) = (self.listener, self.address);
        let mut serving = Serving(node.spawn(async move {
            let listener = TcpListener::from_std(listener)
                .map_err(|source| ServeError::Listen { address, source })?;
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            Ok(router.serve_with_incoming(incoming).await?)
        }));
        drop(node);
        tokio::select! {
            served = &mut serving.0 => match served {
                Ok(served) => served,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The member was closed, and its runtime with it.
                    Err(_) => Ok(()),
                },
            },
            () = stop => Ok(()),
        }
    }
}

/// Ends with whoever waits for it.
struct Serving(JoinHandle<Result<(), ServeError>>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}
