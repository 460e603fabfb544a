//! Object stores by URL: the local file system, and S3-compatible stores made on first use.
//!
//! A bucket's credentials come from the secret whose scope fits, else from the environment (`AWS_*`).
//! Requests run on the network runtime, so that a busy query runtime does not starve them.

use std::{collections::HashMap, sync::Arc};

use datafusion::{
    common::{DataFusionError, Result},
    execution::object_store::ObjectStoreRegistry,
};
use object_store::{
    ObjectStore,
    aws::{AmazonS3, AmazonS3Builder},
    client::SpawnedReqwestConnector,
    local::LocalFileSystem,
};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use url::{Position, Url};

use crate::{CatalogError, Secret, Secrets};

/// The stores of one process. Stores made before a secret changed are forgotten by [`ObjectStores::forget`].
#[derive(Debug)]
pub struct ObjectStores {
    local: Arc<LocalFileSystem>,
    secrets: Arc<Secrets>,
    network: Handle,
    /// By scheme and authority.
    remote: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl ObjectStores {
    /// `network` is the runtime that requests to stores run on.
    pub fn new(secrets: Arc<Secrets>, network: Handle) -> Self {
        Self {
            local: Arc::new(LocalFileSystem::new()),
            secrets,
            network,
            remote: Mutex::default(),
        }
    }

    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Makes every remote store anew at its next use.
    pub fn forget(&self) {
        self.remote.lock().clear();
    }

    fn s3(&self, url: &Url) -> Result<AmazonS3, CatalogError> {
        let failed = |detail: String| CatalogError::Location {
            location: url.to_string(),
            detail,
        };
        let bucket = url.host_str().filter(|host| !host.is_empty());
        let bucket = bucket.ok_or_else(|| failed("no bucket after s3://".into()))?;
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(SpawnedReqwestConnector::new(self.network.clone()));
        if let Some(secret) = self.secrets.for_bucket(bucket) {
            builder = with_secret(builder, secret);
        }
        builder.build().map_err(|e| failed(e.to_string()))
    }
}

fn with_secret(mut builder: AmazonS3Builder, secret: Secret) -> AmazonS3Builder {
    if let (Some(key_id), Some(key)) = (secret.key_id, secret.secret) {
        builder = builder
            .with_access_key_id(key_id)
            .with_secret_access_key(key);
    }
    if let Some(token) = secret.session_token {
        builder = builder.with_token(token);
    }
    if let Some(region) = secret.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = secret.endpoint {
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint);
    }
    builder.with_virtual_hosted_style_request(secret.url_style.as_deref() == Some("vhost"))
}

impl ObjectStoreRegistry for ObjectStores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.remote.lock().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.scheme() == "file" {
            return Ok(Arc::clone(&self.local) as Arc<dyn ObjectStore>);
        }
        if let Some(store) = self.remote.lock().get(&key(url)) {
            return Ok(Arc::clone(store));
        }
        let store: Arc<dyn ObjectStore> = match url.scheme() {
            "s3" => Arc::new(
                self.s3(url)
                    .map_err(|e| DataFusionError::External(Box::new(e)))?,
            ),
            scheme => {
                let detail = format!(
                    "\"{scheme}\" is not a known kind of location; known are file paths and s3://"
                );
                let error = CatalogError::Location {
                    location: url.to_string(),
                    detail,
                };
                return Err(DataFusionError::External(Box::new(error)));
            }
        };
        self.remote.lock().insert(key(url), Arc::clone(&store));
        Ok(store)
    }
}

/// Scheme and authority, without credentials.
fn key(url: &Url) -> String {
    format!(
        "{}://{}",
        url.scheme(),
        &url[Position::BeforeHost..Position::AfterPort]
    )
}
