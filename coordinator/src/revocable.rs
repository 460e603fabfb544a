//! Object stores whose uploads can be called off: until then they are the engine's, from then on no file appears.
//!
//! Dropping an upload is not enough. A writer that is busy when its task is cancelled runs on to its next pause, may find
//! its input closed, and takes that for the end of the rows.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::{
    common::DataFusionError,
    execution::object_store::ObjectStoreRegistry,
    object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
        ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
        path::Path,
    },
};
use futures::stream::BoxStream;
use url::Url;

/// Whether uploads have been called off. Dropping it calls them off.
#[derive(Debug, Default)]
pub(crate) struct Revocation(Arc<AtomicBool>);

impl Revocation {
    /// The same stores, with uploads that end with this.
    pub(crate) fn over(
        &self,
        stores: Arc<dyn ObjectStoreRegistry>,
    ) -> Arc<dyn ObjectStoreRegistry> {
        Arc::new(Stores {
            stores,
            revoked: Revoked(Arc::clone(&self.0)),
        })
    }
}

impl Drop for Revocation {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[derive(Debug, Clone)]
struct Revoked(Arc<AtomicBool>);

impl Revoked {
    fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Error::Generic {
                store: "upload",
                source: "it was called off".into(),
            }),
        }
    }
}

#[derive(Debug)]
struct Stores {
    stores: Arc<dyn ObjectStoreRegistry>,
    revoked: Revoked,
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.stores.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>, DataFusionError> {
        Ok(Arc::new(Store {
            store: self.stores.get_store(url)?,
            revoked: self.revoked.clone(),
        }))
    }
}

#[derive(Debug)]
struct Store {
    store: Arc<dyn ObjectStore>,
    revoked: Revoked,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.revoked.check()?;
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload {
            upload: self.store.put_multipart_opts(location, options).await?,
            revoked: self.revoked.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    revoked: Revoked,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.revoked.check()?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

#[cfg(test)]
mod tests {
    use datafusion::{
        execution::object_store::DefaultObjectStoreRegistry,
        object_store::{ObjectStoreExt, memory::InMemory},
    };
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn no_file_appears_once_uploads_are_called_off() {
        let url = Url::parse("memory://").unwrap();
        let stores = Arc::new(DefaultObjectStoreRegistry::new());
        stores.register_store(&url, Arc::new(InMemory::new()));
        let revocation = Revocation::default();
        let store = revocation.over(stores).get_store(&url).unwrap();
        store.put(&Path::from("before"), "x".into()).await.unwrap();
        let mut upload = store.put_multipart(&Path::from("begun")).await.unwrap();
        upload.put_part("x".into()).await.unwrap();
        drop(revocation);
        assert!(upload.complete().await.is_err());
        assert!(store.put(&Path::from("after"), "x".into()).await.is_err());
        let names: Vec<_> = store
            .list(None)
            .map(|file| file.unwrap().location)
            .collect()
            .await;
        assert_eq!(names, [Path::from("before")]);
    }
}
