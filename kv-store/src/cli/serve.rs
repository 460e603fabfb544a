//! `kv serve`: a member in this process.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use clap::Args;

use super::{CliError, print};
use crate::{
    DialOptions, Dialer,
    archive::Archive,
    client::{Client, ClientOptions},
    node::{Node, NodeOptions},
    service::{ServeOptions, Server},
    transaction::Retry,
};

/// Between two tries to join.
const JOIN_AGAIN_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Names this member in its group, for good
    #[arg(long)]
    id: u64,
    /// Address to listen on; other than the loopback with a certificate only, and with --client-ca or --token-file
    #[arg(long, default_value = "127.0.0.1:31339")]
    listen: SocketAddr,
    /// host:port where others reach this member, when it is not the one it listens on
    #[arg(long)]
    advertise: Option<String>,
    /// Folder of the member
    #[arg(long)]
    data_dir: PathBuf,
    /// A member of the group to join, as host:port: as a learner, that votes once it has caught up
    #[arg(long)]
    join: Option<String>,
    /// Certificate to show clients and members, in PEM
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate, in PEM
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authority that vouches for clients and members, in PEM; those without a certificate of it are refused
    #[arg(long, requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// File with tokens to accept, one in a line with its role; the first is shown to other members
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Seconds that old versions are kept
    #[arg(long, default_value_t = 60)]
    retention: u64,
    /// MiB of the log that are kept for members that are away; one that lacks more gets a snapshot
    #[arg(long, default_value_t = 32)]
    keep_log_mib: u64,
    /// Where to upload the log and snapshots to while this member leads: s3://bucket/prefix, with credentials from the
    /// environment, or file:///folder; of this store alone
    #[arg(long)]
    archive: Option<String>,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let identity = self.tls_cert.clone().zip(self.tls_key.clone());
        let dialer = Dialer::new(&DialOptions {
            token_file: self.token_file.clone(),
            server_ca: self.client_ca.clone(),
            identity: identity.clone(),
        })?;
        // Now and not when it is first called: it may be one that must not be dialled.
        let group = self.join.map(|member| {
            Client::new(ClientOptions {
                dialer: dialer.clone(),
                retry: Retry {
                    patience: Duration::from_secs(5),
                    ..Retry::default()
                },
                ..ClientOptions::new([member])
            })
        });
        let group = group.transpose()?;
        let mut node = NodeOptions::new(&self.data_dir, self.id);
        node.address = self.advertise.clone().unwrap_or_default();
        node.dialer = dialer;
        node.retention = Duration::from_secs(self.retention);
        node.log_bytes_kept = self.keep_log_mib.saturating_mul(1024 * 1024);
        let archive = self.archive.as_deref().map(Archive::open);
        node.archive = archive.transpose()?;
        let options = ServeOptions {
            identity,
            client_ca: self.client_ca.clone(),
            token_file: self.token_file.clone(),
        };
        let server = Server::open(self.listen, &options, node).await?;
        print(&format!("listening on {}", server.address()))?;
        let joining = group.map(|group| {
            let node = Arc::downgrade(server.node());
            tokio::spawn(join(group, node))
        });
        let node = Arc::clone(server.node());
        tokio::select! {
            served = server.serve(until_asked_to_stop()) => served?,
            // It cannot be trusted with anything until its log has been read again.
            detail = node.until_failed() => return Err(CliError::Failed { detail }),
        }
        if let Some(joining) = joining {
            joining.abort();
        }
        // Also when connections still hold it.
        node.close().await;
        Ok(())
    }
}

/// Until this member votes, also when leaders that had promised it are gone.
async fn join(group: Client, node: Weak<Node>) {
    while let Some(node) = node.upgrade() {
        let members = node.status().members;
        let own = members.iter().find(|member| member.id == node.id());
        if own.is_some_and(|own| own.is_voter) {
            return;
        }
        let (id, address) = (node.id(), node.address().to_owned());
        drop(node);
        if let Err(error) = group.add_member(id, &address, true).await {
            tracing::warn!(%error, "the group does not let this member join yet");
        }
        tokio::time::sleep(JOIN_AGAIN_AFTER).await;
    }
}

async fn until_asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be waited for");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
