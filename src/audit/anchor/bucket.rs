//! Objects that are never overwritten: a bucket (S3 protocol) or a folder, through `object_store`.

use super::{Error, ObjectStore as Config};
use crate::audit::tree::note::{Checkpoint, Verifier};
use crate::audit::tree::proof::Head;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Largest object that is taken for a checkpoint, in bytes.
const LARGEST: u64 = 64 << 10;
/// Longest time for one request.
const PATIENCE: Duration = Duration::from_secs(15);

/// A bucket or folder for the checkpoints of one log.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    name: String,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Bucket {
    pub(super) fn new(config: &Config, origin: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::Setting { name: "objectStore.url".into(), why: why.to_owned() };
        let url =
            Url::parse(&config.url).map_err(|_| bad("write `s3://bucket/prefix` or `file:///folder`"))?;
        let (store, prefix): (Arc<dyn ObjectStore>, &str) = match url.scheme() {
            "s3" => (Arc::new(s3(config, &url)?), url.path()),
            "file" => {
                let folder = url.to_file_path().map_err(|()| bad("write `file:///folder`"))?;
                std::fs::create_dir_all(&folder)
                    .map_err(|source| Error::File { path: folder.clone(), source })?;
                let local = LocalFileSystem::new_with_prefix(&folder).map_err(|e| bad(&e.to_string()))?;
                (Arc::new(local.with_fsync(true)), "")
            }
            _ => return Err(bad("write `s3://bucket/prefix` or `file:///folder`")),
        };
        let prefix = Path::from(prefix).join(origin.replace('/', "_")).join("checkpoint");
        Ok(Self { name: config.url.clone(), store, prefix })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sizes sort as their names do.
    fn object(&self, size: u64) -> Path {
        self.prefix.clone().join(format!("{size:020}"))
    }

    /// Stores a checkpoint as a new object. One of the same size that is there already must say the same.
    pub(super) async fn put(&self, note: &str, head: &Head, known: &Known<'_>) -> Result<String, Error> {
        let object = self.object(head.size);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.store.put_opts(&object, PutPayload::from(note.to_owned()), options);
        match tokio::time::timeout(PATIENCE, put).await {
            Ok(Ok(_)) => Ok(object.to_string()),
            Ok(Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. })) => {
                match self.get(head.size, known).await? {
                    Some(there) if there == *head => Ok(object.to_string()),
                    _ => Err(Error::Forked { target: self.name.clone(), size: head.size }),
                }
            }
            Ok(Err(e)) => Err(self.unreachable(&e)),
            Err(_) => Err(self.unreachable(&"no answer")),
        }
    }

    /// The checkpoint of that size.
    pub(super) async fn get(&self, size: u64, known: &Known<'_>) -> Result<Option<Head>, Error> {
        let got = match tokio::time::timeout(PATIENCE, self.store.get(&self.object(size))).await {
            Ok(Ok(got)) => got,
            Ok(Err(object_store::Error::NotFound { .. })) => return Ok(None),
            Ok(Err(e)) => return Err(self.unreachable(&e)),
            Err(_) => return Err(self.unreachable(&"no answer")),
        };
        if got.meta.size > LARGEST {
            return Err(Error::Foreign(self.name.clone()));
        }
        let bytes = tokio::time::timeout(PATIENCE, got.bytes()).await;
        let bytes = bytes.map_err(|_| self.unreachable(&"no answer"))?.map_err(|e| self.unreachable(&e))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::Foreign(self.name.clone()))?;
        let opened = Checkpoint::open(text, known.origin, known.keys);
        opened.map(|checkpoint| Some(checkpoint.head)).map_err(|_| Error::Foreign(self.name.clone()))
    }

    /// The newest checkpoint after that of `since`.
    pub(super) async fn newest(&self, since: Option<u64>, known: &Known<'_>) -> Result<Option<Head>, Error> {
        let listed = match since {
            Some(size) => self.store.list_with_offset(Some(&self.prefix), &self.object(size)),
            None => self.store.list(Some(&self.prefix)),
        };
        let newest = listed.try_fold(None, |newest: Option<u64>, object| async move {
            let size = object.location.filename().and_then(|name| name.parse::<u64>().ok());
            Ok(newest.max(size))
        });
        let newest = tokio::time::timeout(PATIENCE * 4, newest).await;
        let newest = newest.map_err(|_| self.unreachable(&"no answer"))?.map_err(|e| self.unreachable(&e))?;
        match newest.or(since) {
            Some(size) => self.get(size, known).await,
            None => Ok(None),
        }
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> Error {
        Error::Unreachable { target: self.name.clone(), why: why.to_string() }
    }
}

/// Whose checkpoints are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub origin: &'a str,
    pub keys: &'a [Verifier],
}

fn s3(config: &Config, url: &Url) -> Result<object_store::aws::AmazonS3, Error> {
    let bad = |why: String| Error::Setting { name: "objectStore".into(), why };
    let bucket = url.host_str().ok_or_else(|| bad("write `s3://bucket/prefix`".into()))?;
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_allow_http(config.allow_http);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder = builder.with_region(config.region.as_deref().unwrap_or("us-east-1"));
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
    }
    builder.build().map_err(|e| bad(e.to_string()))
}
