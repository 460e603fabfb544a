//! The public keys of a token issuer: fetched, kept, and fetched again when a token names one that is not known.
//!
//! Anybody can send a token with a made-up key id, so that alone causes at most one fetch in [`FETCH_EVERY`]. Keys that
//! cannot be fetched again stay in use: an issuer that is down must not lock everybody out, nor one that is silent keep
//! everybody waiting. So known keys are asked for again beside the calls that use them.
//! Shape: a JSON Web Key Set (RFC 7517) of at most [`BYTES_MAX`] bytes, over HTTPS or from a file. Keys that are for
//! encryption, secret, or of an unknown kind are skipped.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;
use tracing::{info, warn};

use super::AuthError;

const FETCH_EVERY: Duration = Duration::from_secs(30);
/// Keys are asked for again after this time, so that a withdrawn one ends.
const FRESH_FOR: Duration = Duration::from_secs(3600);
const FETCH_MAX: Duration = Duration::from_secs(10);
const BYTES_MAX: usize = 1 << 20;

/// Where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysSource {
    Url(url::Url),
    File(PathBuf),
}

impl KeysSource {
    /// Reads a URL or a path. Keys decide who is let in, so they are not fetched over plain HTTP from elsewhere.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let url = url::Url::parse(text).with_context(|| format!("\"{text}\" is not a URL"))?;
        let local = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => Ok(Self::Url(url)),
            "http" if local => Ok(Self::Url(url)),
            _ => bail!("\"{text}\" is not an https:// URL"),
        }
    }
}

/// One public key.
pub(super) struct Key {
    id: Option<String>,
    /// What it may be used with.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    source: KeysSource,
    client: reqwest::Client,
    known: RwLock<Known>,
    /// One fetch at a time.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Arc<Key>>,
    /// The last attempt, and the last that gave keys.
    tried: Option<Instant>,
    fetched: Option<Instant>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|key| &key.id).collect();
        f.debug_struct("Known")
            .field("keys", &ids)
            .finish_non_exhaustive()
    }
}

impl Known {
    /// The key a token names; the only one there is for a token that names none.
    fn find(&self, id: Option<&str>) -> Option<Arc<Key>> {
        match id {
            Some(_) => self
                .keys
                .iter()
                .find(|key| key.id.as_deref() == id)
                .cloned(),
            None if self.keys.len() == 1 => self.keys.first().cloned(),
            None => None,
        }
    }

    fn is_fresh(&self) -> bool {
        self.fetched.is_some_and(|at| at.elapsed() < FRESH_FOR)
    }

    fn may_fetch(&self) -> bool {
        self.tried.is_none_or(|at| at.elapsed() >= FETCH_EVERY)
    }
}

impl Keys {
    pub(super) fn open(source: KeysSource) -> anyhow::Result<Arc<Self>> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make an HTTPS client")?;
        Ok(Arc::new(Self {
            source,
            client,
            known: RwLock::default(),
            fetching: Arc::default(),
        }))
    }

    pub(super) async fn find(self: &Arc<Self>, id: Option<&str>) -> Result<Arc<Key>, AuthError> {
        if let Some(key) = self.known(id) {
            return Ok(key);
        }
        let _one = self.fetching.lock().await;
        // Somebody else may have fetched meanwhile.
        if let Some(key) = self.known(id) {
            return Ok(key);
        }
        if self.known.read().may_fetch() {
            self.refresh().await;
        }
        let known = self.known.read();
        match known.find(id) {
            Some(key) => Ok(key),
            None if known.fetched.is_none() => Err(AuthError::KeysUnavailable),
            None => Err(AuthError::RefusedToken {
                detail: "its issuer has no such key",
            }),
        }
    }

    /// A key that is there; where all of them are old, they are on their way again.
    fn known(self: &Arc<Self>, id: Option<&str>) -> Option<Arc<Key>> {
        let known = self.known.read();
        let key = known.find(id)?;
        if !known.is_fresh()
            && known.may_fetch()
            && let Ok(one) = Arc::clone(&self.fetching).try_lock_owned()
        {
            let keys = Arc::clone(self);
            tokio::spawn(async move {
                keys.refresh().await;
                drop(one);
            });
        }
        Some(key)
    }

    async fn refresh(&self) {
        let fetched = self.fetch().await;
        let mut known = self.known.write();
        known.tried = Some(Instant::now());
        match fetched {
            Ok(keys) => {
                info!(keys = keys.len(), "fetched the keys of the token issuer");
                known.keys = keys;
                known.fetched = known.tried;
            }
            Err(error) => warn!(
                error = format!("{error:#}"),
                "the keys of the token issuer cannot be fetched"
            ),
        }
    }

    async fn fetch(&self) -> anyhow::Result<Vec<Arc<Key>>> {
        let bytes = match &self.source {
            KeysSource::Url(url) => self.download(url).await?,
            KeysSource::File(path) => tokio::fs::read(path)
                .await
                .with_context(|| format!("cannot read {}", path.display()))?,
        };
        read_set(&bytes)
    }

    async fn download(&self, url: &url::Url) -> anyhow::Result<Vec<u8>> {
        let mut response = self
            .client
            .get(url.clone())
            .send()
            .await?
            .error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            ensure!(
                bytes.len() <= BYTES_MAX,
                "{url} gives more than {BYTES_MAX} bytes"
            );
        }
        Ok(bytes)
    }
}

fn read_set(bytes: &[u8]) -> anyhow::Result<Vec<Arc<Key>>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(bytes).context("not a JSON Web Key Set")?;
    // One by one: a key of a kind that is not known yet must not hide the others.
    let keys = set
        .keys
        .into_iter()
        .filter_map(|key| serde_json::from_value(key).ok());
    Ok(keys.filter_map(usable).map(Arc::new).collect())
}

/// A key to check signatures with, and the algorithms it is for: those of its kind, or the one it names.
fn usable(jwk: Jwk) -> Option<Key> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    if matches!(jwk.common.public_key_use, Some(ref usage) if *usage != PublicKeyUse::Signature) {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![EdDSA]
        }
        // A shared secret in a published set is none.
        AlgorithmParameters::EllipticCurve(_)
        | AlgorithmParameters::OctetKeyPair(_)
        | AlgorithmParameters::OctetKey(_) => return None,
    };
    if let Some(named) = jwk.common.key_algorithm {
        let named = Algorithm::from_str(&named.to_string()).ok()?;
        algorithms.retain(|algorithm| *algorithm == named);
    }
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then_some(Key {
        id: jwk.common.key_id,
        algorithms,
        decoding,
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    const SET: &str = r#"{"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "new", "kid": "unknown"},
        {"kty": "RSA", "kid": "one", "alg": "PS256", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "lies", "alg": "HS256", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"}
    ]}"#;

    #[test]
    fn only_public_keys_for_signatures_are_taken_and_only_for_their_algorithms() {
        let keys = read_set(SET.as_bytes()).unwrap();
        let taken: Vec<_> = keys
            .iter()
            .map(|key| (key.id.as_deref().unwrap(), &*key.algorithms))
            .collect();
        assert_eq!(
            taken,
            [
                ("ed", &[Algorithm::EdDSA][..]),
                ("one", &[Algorithm::PS256])
            ]
        );
        assert!(read_set(b"{}").is_err());
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for text in [
            "https://issuer/keys",
            "http://127.0.0.1:1/keys",
            "http://[::1]/k",
            "http://localhost/k",
            "keys.json",
        ] {
            KeysSource::parse(text).unwrap();
        }
        for text in ["http://issuer/keys", "ftp://127.0.0.1/keys", "https://"] {
            assert!(KeysSource::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn an_unknown_key_causes_one_fetch_and_a_lost_source_keeps_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.json");
        let keys = Keys::open(KeysSource::File(file.clone())).unwrap();
        let missing = keys.find(Some("ed")).await;
        assert!(matches!(missing, Err(AuthError::KeysUnavailable)));
        std::fs::write(&file, SET).unwrap();
        // Too soon to ask again.
        assert!(keys.find(Some("ed")).await.is_err());
        keys.known.write().tried = None;
        assert!(keys.find(Some("ed")).await.is_ok());
        assert!(keys.find(None).await.is_err(), "there are two");
        std::fs::remove_file(&file).unwrap();
        let known = || keys.known.write();
        (known().tried, known().fetched) = (None, Some(Instant::now() - FRESH_FOR));
        assert!(
            keys.find(Some("ed")).await.is_ok(),
            "stale, and the source is gone"
        );
        let unknown = keys.find(Some("other")).await;
        assert!(matches!(unknown, Err(AuthError::RefusedToken { .. })));
    }

    #[tokio::test]
    async fn old_keys_are_used_while_a_silent_issuer_is_asked_and_withdrawn_ones_end() {
        // It takes connections, and says nothing until it is told to.
        let issuer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", issuer.local_addr().unwrap());
        let keys = Keys::open(KeysSource::parse(&url).unwrap()).unwrap();
        {
            let mut known = keys.known.write();
            known.keys = read_set(SET.as_bytes()).unwrap();
            known.fetched = Some(Instant::now() - FRESH_FOR);
        }
        let found = keys.find(Some("ed"));
        found.now_or_never().expect("nobody waits").unwrap();
        let (mut asked, _) = issuer.accept().await.unwrap();
        keys.find(Some("ed"))
            .now_or_never()
            .expect("still")
            .unwrap();
        let none = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"keys\": []}";
        asked.write_all(none).await.unwrap();
        let _ended = keys.fetching.lock().await;
        assert!(keys.known.read().keys.is_empty());
    }
}
