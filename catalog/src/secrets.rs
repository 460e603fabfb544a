//! Credentials of object stores, made by `CREATE SECRET`.
//!
//! Shape: one JSON file a secret in `secrets/`, mode 0600, in clear. Never logged, never shown: `Debug` leaves values out.
//! A secret applies to one bucket (scope `s3://bucket`) or to all (`s3://`); the bucket's own wins.

use std::{
    collections::BTreeMap,
    fmt, fs,
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::CatalogError;

/// Credentials and address of an S3-compatible store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    pub name: String,
    /// `s3://bucket`, or `s3://` for every bucket without a secret of its own.
    pub scope: String,
    #[serde(default)]
    pub key_id: Option<String>,
    #[serde(default)]
    pub secret: Option<String>,
    #[serde(default)]
    pub session_token: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
    /// `http://` or `https://` address; AWS where unset.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// `vhost` puts the bucket into the host name, `path` (the default with an endpoint) into the path.
    #[serde(default)]
    pub url_style: Option<String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("name", &self.name)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Secret {
    /// From the options of `CREATE SECRET name (TYPE s3, KEY_ID '..', ..)`; names in lower case.
    pub fn from_options(
        name: &str,
        mut options: BTreeMap<String, String>,
    ) -> Result<Self, CatalogError> {
        let invalid = |detail: String| CatalogError::SecretInvalid {
            secret: name.into(),
            detail,
        };
        match options
            .remove("type")
            .map(|kind| kind.to_ascii_lowercase())
            .as_deref()
        {
            Some("s3") => {}
            Some(other) => {
                return Err(invalid(format!(
                    "unknown type \"{other}\"; only s3 is known"
                )));
            }
            None => return Err(invalid("TYPE is missing, for example TYPE s3".into())),
        }
        let secret = Self {
            name: name.into(),
            scope: options
                .remove("scope")
                .map_or("s3://".into(), |scope| bucket_scope(&scope)),
            key_id: options.remove("key_id"),
            secret: options.remove("secret"),
            session_token: options.remove("session_token"),
            region: options.remove("region"),
            endpoint: options.remove("endpoint"),
            url_style: options.remove("url_style"),
        };
        if let Some(option) = options.keys().next() {
            return Err(invalid(format!(
                "unknown option \"{option}\"; known are TYPE, SCOPE, KEY_ID, SECRET, SESSION_TOKEN, REGION, ENDPOINT, URL_STYLE"
            )));
        }
        if secret
            .scope
            .strip_prefix("s3://")
            .is_none_or(|bucket| bucket.contains('/'))
        {
            return Err(invalid(format!(
                "SCOPE '{}' is not s3://bucket or s3://",
                secret.scope
            )));
        }
        if secret.key_id.is_some() != secret.secret.is_some() {
            return Err(invalid("KEY_ID and SECRET go together".into()));
        }
        if !matches!(secret.url_style.as_deref(), None | Some("path" | "vhost")) {
            return Err(invalid("URL_STYLE is 'path' or 'vhost'".into()));
        }
        if secret
            .endpoint
            .as_ref()
            .is_some_and(|e| !e.starts_with("http://") && !e.starts_with("https://"))
        {
            return Err(invalid("ENDPOINT begins with http:// or https://".into()));
        }
        Ok(secret)
    }
}

/// All secrets of a data folder.
#[derive(Debug)]
pub struct Secrets {
    folder: PathBuf,
    secrets: RwLock<BTreeMap<String, Secret>>,
}

impl Secrets {
    /// Reads all secrets of a folder.
    ///
    /// Errors: [`CatalogError::Io`]; [`CatalogError::Damaged`] for a file that is not a secret.
    pub fn open(folder: &Path) -> Result<Self, CatalogError> {
        let mut secrets = BTreeMap::new();
        for item in fs::read_dir(folder).map_err(|e| CatalogError::io("list", folder, e))? {
            let path = item
                .map_err(|e| CatalogError::io("list", folder, e))?
                .path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let bytes = fs::read(&path).map_err(|e| CatalogError::io("read", &path, e))?;
            // The parser's message could quote a value: it is left out.
            let secret: Secret =
                serde_json::from_slice(&bytes).map_err(|e| CatalogError::Damaged {
                    path: path.clone(),
                    detail: format!("not a secret (line {}, column {})", e.line(), e.column()),
                })?;
            secrets.insert(secret.name.clone(), secret);
        }
        Ok(Self {
            folder: folder.into(),
            secrets: RwLock::new(secrets),
        })
    }

    /// Stores a secret durably; it counts for requests from then on.
    ///
    /// Errors: [`CatalogError::SecretExists`], IO.
    pub fn create(
        &self,
        secret: Secret,
        or_replace: bool,
        if_not_exists: bool,
    ) -> Result<(), CatalogError> {
        let mut secrets = self.secrets.write();
        if secrets.contains_key(&secret.name) && !or_replace {
            return if if_not_exists {
                Ok(())
            } else {
                Err(CatalogError::SecretExists {
                    secret: secret.name,
                })
            };
        }
        let path = self.path(&secret.name);
        let new = path.with_extension("new");
        write_private(
            &new,
            &serde_json::to_vec(&secret).expect("a secret is plain data"),
        )
        .and_then(|()| fs::rename(&new, &path))
        .and_then(|()| fs::File::open(&self.folder)?.sync_all())
        .map_err(|e| CatalogError::io("write", path, e))?;
        secrets.insert(secret.name.clone(), secret);
        Ok(())
    }

    /// Errors: [`CatalogError::SecretNotFound`] unless `if_exists`, IO.
    pub fn remove(&self, name: &str, if_exists: bool) -> Result<(), CatalogError> {
        let mut secrets = self.secrets.write();
        if !secrets.contains_key(name) {
            return if if_exists {
                Ok(())
            } else {
                Err(CatalogError::SecretNotFound {
                    secret: name.into(),
                })
            };
        }
        let path = self.path(name);
        fs::remove_file(&path)
            .and_then(|()| fs::File::open(&self.folder)?.sync_all())
            .map_err(|e| CatalogError::io("remove", path, e))?;
        secrets.remove(name);
        Ok(())
    }

    /// The secret for a bucket: its own, else the one for every bucket.
    pub fn for_bucket(&self, bucket: &str) -> Option<Secret> {
        let secrets = self.secrets.read();
        let own = format!("s3://{bucket}");
        let with_scope = |scope: &str| {
            secrets
                .values()
                .find(|secret| secret.scope == scope)
                .cloned()
        };
        with_scope(&own).or_else(|| with_scope("s3://"))
    }

    /// Names and scopes, for `SHOW SECRETS`.
    pub fn list(&self) -> Vec<(String, String)> {
        self.secrets
            .read()
            .values()
            .map(|secret| (secret.name.clone(), secret.scope.clone()))
            .collect()
    }

    /// The key that authenticates compiled modules of this data folder, made with the first call.
    pub fn module_key(&self) -> Result<[u8; 32], CatalogError> {
        let path = self.folder.join("modules.key");
        match fs::read(&path) {
            Ok(bytes) => {
                return bytes.try_into().map_err(|_| CatalogError::Damaged {
                    path,
                    detail: "not a key of 32 bytes".to_owned(),
                });
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(CatalogError::io("read", path, e)),
        }
        let mut key = [0; 32];
        for half in key.chunks_mut(16) {
            half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        let new = path.with_extension("new");
        write_private(&new, &key)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|e| CatalogError::io("write", path, e))?;
        Ok(key)
    }

    /// Any name is a file name once its bytes are written in hexadecimal.
    fn path(&self, name: &str) -> PathBuf {
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{hex}.json"))
    }
}

fn bucket_scope(scope: &str) -> String {
    match scope.strip_prefix("s3://") {
        Some(bucket) => format!("s3://{}", bucket.trim_end_matches('/')),
        None => scope.to_owned(),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn a_bucket_s_own_secret_wins_and_survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        for (name, scope) in [("all", "s3://"), ("one", "s3://bucket/")] {
            let secret =
                Secret::from_options(name, options(&[("type", "S3"), ("scope", scope)])).unwrap();
            secrets.create(secret, false, false).unwrap();
        }
        let secrets = Secrets::open(dir.path()).unwrap();
        assert_eq!(secrets.for_bucket("bucket").unwrap().name, "one");
        assert_eq!(secrets.for_bucket("bucket2").unwrap().name, "all");
    }

    #[test]
    fn files_are_private_and_debug_is_silent() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        let secret = Secret::from_options(
            "../x",
            options(&[("type", "s3"), ("key_id", "k"), ("secret", "hush")]),
        )
        .unwrap();
        assert!(!format!("{secret:?}").contains("hush"));
        secrets.create(secret, false, false).unwrap();
        let files: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|item| item.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(
            fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn unknown_options_are_named() {
        let error =
            Secret::from_options("x", options(&[("type", "s3"), ("keyid", "k")])).unwrap_err();
        assert!(
            error.to_string().contains("unknown option \"keyid\""),
            "{error}"
        );
    }

    #[test]
    fn the_key_of_modules_stays_the_same_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let key = Secrets::open(dir.path()).unwrap().module_key().unwrap();
        let again = Secrets::open(dir.path()).unwrap().module_key().unwrap();
        assert_eq!(key, again);
        let metadata = fs::metadata(dir.path().join("modules.key")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        fs::write(dir.path().join("modules.key"), "short").unwrap();
        let error = Secrets::open(dir.path()).unwrap().module_key().unwrap_err();
        assert!(error.to_string().contains("32 bytes"), "{error}");
    }
}
