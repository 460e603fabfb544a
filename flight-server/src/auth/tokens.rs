//! Bearer tokens that this server signs after a handshake.
//!
//! Shape: `murre.<payload>.<tag>`, base64url without padding; the payload is JSON, the tag HMAC-SHA256 over what is
//! before it. There is one algorithm, which the token does not name, so none can be swapped for another.
//! The key is kept in the data folder: tokens outlive a restart. A token names its user's credential id, so that a new
//! password or the end of the user ends it at once.
//! Units: the expiry is in seconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use catalog::{CatalogError, CredentialId, PrivateFiles, User};
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::AuthError;

const PREFIX: &str = "murre.";
/// The name of the key among the server's private files.
const KEY_NAME: &str = "token-key";
/// A token of ours has some 200 bytes; longer ones are not worth a hash.
const TOKEN_BYTES_MAX: usize = 2048;

#[derive(Debug)]
pub(super) struct Tokens {
    key: hmac::Key,
    lifetime: Duration,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    #[serde(rename = "sub")]
    pub(super) user: String,
    #[serde(rename = "cid")]
    pub(super) credential: CredentialId,
    #[serde(rename = "exp")]
    expires: u64,
}

impl Tokens {
    /// Takes the key from the server's private files, or makes one.
    pub(super) fn open(files: &PrivateFiles, lifetime: Duration) -> Result<Self, CatalogError> {
        let key = files.key(KEY_NAME)?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            lifetime,
        })
    }

    pub(super) fn issue(&self, user: &User) -> String {
        let claims = Claims {
            user: user.name.clone(),
            credential: user.credential.clone(),
            expires: seconds(SystemTime::now() + self.lifetime),
        };
        let payload = serde_json::to_vec(&claims).expect("claims are plain data");
        let signed = format!("{PREFIX}{}", BASE64.encode(payload));
        let tag = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(tag))
    }

    /// What a token says, once its signature and expiry are checked; `None` for texts that are not of our kind.
    pub(super) fn read(&self, token: &str) -> Option<Result<Claims, AuthError>> {
        token.starts_with(PREFIX).then(|| self.check(token))
    }

    fn check(&self, token: &str) -> Result<Claims, AuthError> {
        let unknown = AuthError::UnknownToken;
        let (signed, tag) = token
            .rsplit_once('.')
            .filter(|_| token.len() <= TOKEN_BYTES_MAX)
            .ok_or(AuthError::UnknownToken)?;
        let tag = BASE64.decode(tag).map_err(|_| AuthError::UnknownToken)?;
        // Takes the same time wherever the tags differ.
        hmac::verify(&self.key, signed.as_bytes(), &tag).map_err(|_| AuthError::UnknownToken)?;
        let payload = signed.strip_prefix(PREFIX).ok_or(AuthError::UnknownToken)?;
        let payload = BASE64
            .decode(payload)
            .map_err(|_| AuthError::UnknownToken)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| unknown)?;
        match claims.expires > seconds(SystemTime::now()) {
            true => Ok(claims),
            false => Err(AuthError::ExpiredToken),
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use catalog::{Password, Users};

    use super::*;

    struct Fixture {
        _dir: tempfile::TempDir,
        files: PrivateFiles,
        user: std::sync::Arc<User>,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::open(&dir.path().join("users")).unwrap();
        users
            .create("ada", &Password::new("correct horse").unwrap(), true)
            .unwrap();
        Fixture {
            files: PrivateFiles::open(&dir.path().join("server")).unwrap(),
            user: users.get("ada").unwrap(),
            _dir: dir,
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_read_by_a_server_with_the_same_key() {
        let Fixture { files, user, _dir } = fixture();
        let token = Tokens::open(&files, HOUR).unwrap().issue(&user);
        let claims = Tokens::open(&files, HOUR)
            .unwrap()
            .read(&token)
            .unwrap()
            .unwrap();
        assert_eq!(
            (&*claims.user, claims.credential),
            ("ada", user.credential.clone())
        );
        let others = fixture();
        let other = Tokens::open(&others.files, HOUR).unwrap();
        assert!(matches!(
            other.read(&token),
            Some(Err(AuthError::UnknownToken))
        ));
    }

    #[test]
    fn an_expired_token_is_told_apart_from_a_forged_one() {
        let Fixture { files, user, _dir } = fixture();
        let token = Tokens::open(&files, Duration::ZERO).unwrap().issue(&user);
        let tokens = Tokens::open(&files, HOUR).unwrap();
        assert!(matches!(
            tokens.read(&token),
            Some(Err(AuthError::ExpiredToken))
        ));
        assert!(tokens.read("some other token").is_none());
    }

    #[test]
    fn no_changed_byte_is_accepted() {
        let Fixture { files, user, _dir } = fixture();
        let tokens = Tokens::open(&files, HOUR).unwrap();
        let token = tokens.issue(&user);
        for at in 0..token.len() {
            for with in ['A', 'B', '.', '-'] {
                let mut forged = token.clone();
                forged.replace_range(at..=at, &with.to_string());
                let accepted = matches!(tokens.read(&forged), Some(Ok(_)));
                assert!(forged == token || !accepted, "byte {at} replaced by {with}");
            }
        }
    }
}
