//! The local file system, where long ranges are read into memory that is used again.
//!
//! A scan of Parquet reads megabytes at a time. Fresh memory for each read costs twice what the copy into it does: the system
//! clears its pages when they are first touched, and `object_store` fills them with zeros.

mod buffers;

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem,
    path::Path,
};
use tokio::runtime::Handle;

use buffers::Buffers;

/// Shorter reads take new memory, which the allocator has at hand.
const LONG: u64 = 256 << 10;

#[derive(Debug, Default)]
pub(crate) struct LocalFiles {
    store: LocalFileSystem,
    buffers: Arc<Buffers>,
}

impl fmt::Display for LocalFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LocalFiles {
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let is_long = |range: &Range<u64>| range.end.saturating_sub(range.start) >= LONG;
        if let (true, Ok(runtime)) = (ranges.iter().any(is_long), Handle::try_current()) {
            let path = self.store.path_to_filesystem(location)?;
            let (ranges, buffers) = (ranges.to_vec(), Arc::clone(&self.buffers));
            let read = move || read(&File::open(path)?, &ranges, &buffers);
            if let Ok(Ok(bytes)) = runtime.spawn_blocking(read).await {
                return Ok(bytes);
            }
            // It says what is wrong as everywhere else.
        }
        self.store.get_ranges(location, ranges).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
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

fn read(file: &File, ranges: &[Range<u64>], buffers: &Arc<Buffers>) -> io::Result<Vec<Bytes>> {
    let file_bytes = file.metadata()?.len();
    let read = |range: &Range<u64>| {
        // No memory for what a damaged file claims to have.
        if range.start > range.end || range.end > file_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        buffers.filled(len, |bytes| {
            let mut file = file;
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(bytes)
        })
    };
    ranges.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of both stores, errors as text.
    async fn both(
        path: &std::path::Path,
        ranges: &[Range<u64>],
    ) -> [Result<Vec<Bytes>, String>; 2] {
        let location = Path::from_absolute_path(path).unwrap();
        let text = |e: object_store::Error| e.to_string();
        let ours = LocalFiles::default();
        let theirs = LocalFileSystem::new();
        [
            ours.get_ranges(&location, ranges).await.map_err(text),
            theirs.get_ranges(&location, ranges).await.map_err(text),
        ]
    }

    #[tokio::test]
    async fn ranges_and_errors_are_those_of_the_plain_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..3 * LONG).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        for ranges in [
            vec![],
            vec![5..6],
            vec![0..3 * LONG],
            vec![1..LONG + 1, 7..7, 2 * LONG..2 * LONG + 3, LONG..3 * LONG],
        ] {
            let [ours, theirs] = both(&path, &ranges).await;
            assert_eq!(ours, theirs, "{ranges:?}");
            let expected = ranges
                .iter()
                .map(|of| &bytes[of.start as usize..of.end as usize]);
            assert!(ours.unwrap().iter().eq(expected), "{ranges:?}");
        }
        let beyond = [0..LONG, LONG..4 * LONG];
        let [ours, theirs] = both(&path, &beyond).await;
        assert!(ours.is_err());
        assert_eq!(ours, theirs);
        let [ours, theirs] = both(&folder.path().join("gone"), &[0..LONG]).await;
        assert!(ours.is_err());
        assert_eq!(ours, theirs);
    }
}
