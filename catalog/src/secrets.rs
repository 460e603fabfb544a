//! Credentials of object stores, made by `CREATE SECRET`.
//!
//! Shape: one JSON file a secret in `secrets/`, mode 0600, in clear. Never logged, never shown: `Debug` leaves values out.
//! A secret applies to one bucket (scope `s3://bucket`) or to all (`s3://`); the bucket's own wins.

use std::{collections::BTreeMap, fmt, path::Path};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::{CatalogError, private_files::PrivateFiles};

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
    files: PrivateFiles,
    secrets: RwLock<BTreeMap<String, Secret>>,
}

impl Secrets {
    /// Reads all secrets of a folder.
    ///
    /// Errors: [`CatalogError::Io`]; [`CatalogError::Damaged`] for a file that is not a secret.
    pub fn open(folder: &Path) -> Result<Self, CatalogError> {
        let files = PrivateFiles::open(folder)?;
        let secrets: Vec<Secret> = files.load("a secret")?;
        let by_name = |secret: Secret| (secret.name.clone(), secret);
        Ok(Self {
            files,
            secrets: RwLock::new(secrets.into_iter().map(by_name).collect()),
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
        self.files.store(&secret.name, &secret)?;
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
        self.files.remove(name)?;
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
}

fn bucket_scope(scope: &str) -> String {
    match scope.strip_prefix("s3://") {
        Some(bucket) => format!("s3://{}", bucket.trim_end_matches('/')),
        None => scope.to_owned(),
    }
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
    fn debug_is_silent() {
        let pairs = [("type", "s3"), ("key_id", "k"), ("secret", "hush")];
        let secret = Secret::from_options("x", options(&pairs)).unwrap();
        assert!(!format!("{secret:?}").contains("hush"));
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
}
