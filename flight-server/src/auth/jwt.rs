//! JSON web tokens of an issuer elsewhere, OpenID Connect's for example.
//!
//! Only signatures with public keys are believed: a key that everybody can fetch would be a secret known to all under
//! HMAC. The algorithm has to be of the key's own family, and the one the key names where it names one, whatever the
//! token says.
//! Expiry, issuer and audience are checked on every call; the name is a claim, `sub` unless set otherwise.
//! Source: RFC 7519, RFC 8725 (best practices), RFC 7517 for the keys.

use std::{collections::BTreeMap, sync::Arc};

use jsonwebtoken::{Validation, decode, decode_header, errors::ErrorKind};
use serde_json::Value;

use super::{
    AuthError,
    jwks::{Keys, KeysSource},
};

/// Clocks of issuer and server may differ by as much, in seconds.
const LEEWAY_SECONDS: u64 = 60;
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// What an operator says about the issuer.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    pub keys: KeysSource,
    pub issuer: String,
    pub audience: String,
    /// The claim that names the user.
    pub name_claim: String,
}

#[derive(Debug)]
pub(super) struct Jwt {
    config: JwtConfig,
    keys: Arc<Keys>,
}

impl Jwt {
    pub(super) fn new(config: JwtConfig) -> anyhow::Result<Self> {
        super::jwt_signatures::install();
        Ok(Self {
            keys: Keys::open(config.keys.clone())?,
            config,
        })
    }

    /// Whether a text has the form of such a token: three parts, the first of which is a JSON object in base64url.
    pub(super) fn is_one(token: &str) -> bool {
        token.starts_with("eyJ") && token.split('.').count() == 3
    }

    /// The name in a token that was signed by the issuer for this server, and is good now.
    pub(super) async fn name(&self, token: &str) -> Result<String, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return refused("it is too long");
        }
        let header = decode_header(token).map_err(|_| AuthError::RefusedToken {
            detail: "its header cannot be read, or names an algorithm that is not accepted",
        })?;
        let key = self.keys.find(header.kid.as_deref()).await?;
        if !key.algorithms.contains(&header.alg) {
            return refused("its algorithm is not the one of its key");
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims = decode::<BTreeMap<String, Value>>(token, &key.decoding, &validation);
        let claims = claims.map_err(|error| why(error.kind()))?.claims;
        match claims.get(&self.config.name_claim).and_then(Value::as_str) {
            Some(name) if !name.is_empty() && !name.chars().any(char::is_control) => {
                Ok(name.to_owned())
            }
            _ => refused("it has no claim with the user's name"),
        }
    }
}

fn why(kind: &ErrorKind) -> AuthError {
    let detail = match kind {
        ErrorKind::ExpiredSignature => return AuthError::ExpiredToken,
        ErrorKind::ImmatureSignature => "it is not good yet",
        ErrorKind::InvalidIssuer => "it is from another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "it has no expiry, issuer or audience",
        ErrorKind::InvalidSignature => "its signature is not of its issuer",
        _ => "it cannot be read",
    };
    AuthError::RefusedToken { detail }
}

fn refused<T>(detail: &'static str) -> Result<T, AuthError> {
    Err(AuthError::RefusedToken { detail })
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use ring::{
        hmac,
        rand::SystemRandom,
        signature::{Ed25519KeyPair, KeyPair},
    };
    use serde_json::json;

    use super::*;

    /// An issuer with one key, and a server that believes it.
    struct Fixture {
        key: Ed25519KeyPair,
        jwt: Jwt,
        _dir: tempfile::TempDir,
    }

    fn fixture() -> Fixture {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        let set = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig",
            "x": BASE64.encode(key.public_key()),
        }]});
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.json");
        std::fs::write(&file, set.to_string()).unwrap();
        let config = JwtConfig {
            keys: KeysSource::File(file),
            issuer: "https://issuer".into(),
            audience: "murre".into(),
            name_claim: "sub".into(),
        };
        Fixture {
            key,
            jwt: Jwt::new(config).unwrap(),
            _dir: dir,
        }
    }

    fn now() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    fn claims() -> Value {
        json!({"sub": "ada", "iss": "https://issuer", "aud": "murre", "exp": now() + 600})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = BASE64.encode(sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn signed(fixture: &Fixture, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": "one"});
        token(&header, claims, |text| {
            fixture.key.sign(text).as_ref().to_vec()
        })
    }

    #[tokio::test]
    async fn a_good_token_names_its_user() {
        let fixture = fixture();
        for good in [
            claims(),
            with("aud", json!(["other", "murre"])),
            with("nbf", json!(now() - 10)),
            with("exp", json!(now() - LEEWAY_SECONDS / 2)),
        ] {
            let token = signed(&fixture, &good);
            assert!(Jwt::is_one(&token));
            assert_eq!(fixture.jwt.name(&token).await.unwrap(), "ada", "{good}");
        }
    }

    #[tokio::test]
    async fn each_claim_is_checked() {
        let fixture = fixture();
        for (claims, text) in [
            (with("exp", json!(now() - 600)), "expired"),
            (with("exp", json!("tomorrow")), "no expiry"),
            (without("exp"), "no expiry"),
            (with("nbf", json!(now() + 600)), "not good yet"),
            (with("nbf", json!("tomorrow")), ""),
            (with("iss", json!("https://other")), "another issuer"),
            (without("iss"), "no expiry, issuer"),
            (with("aud", json!("other")), "another audience"),
            (without("aud"), "audience"),
            (without("sub"), "user's name"),
            (with("sub", json!(7)), "user's name"),
            (with("sub", json!("a\nb")), "user's name"),
        ] {
            let refused = fixture.jwt.name(&signed(&fixture, &claims)).await;
            let error = refused.expect_err(&claims.to_string()).to_string();
            assert!(error.contains(text), "{claims}: {error}");
        }
    }

    #[tokio::test]
    async fn no_other_algorithm_and_no_other_key_will_do() {
        let fixture = fixture();
        let public = fixture.key.public_key().as_ref().to_vec();
        let by_public_key = |text: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &public);
            hmac::sign(&key, text).as_ref().to_vec()
        };
        let right = |text: &[u8]| fixture.key.sign(text).as_ref().to_vec();
        let (other, nothing) = (super::tests::fixture(), |_: &[u8]| Vec::new());
        let by_other = |text: &[u8]| other.key.sign(text).as_ref().to_vec();
        for (what, token) in [
            (
                "none",
                token(&json!({"alg": "none", "kid": "one"}), &claims(), nothing),
            ),
            (
                "HMAC",
                token(
                    &json!({"alg": "HS256", "kid": "one"}),
                    &claims(),
                    by_public_key,
                ),
            ),
            (
                "RSA",
                token(&json!({"alg": "RS256", "kid": "one"}), &claims(), right),
            ),
            (
                "unsigned",
                token(&json!({"alg": "EdDSA", "kid": "one"}), &claims(), nothing),
            ),
            (
                "another key",
                token(&json!({"alg": "EdDSA", "kid": "one"}), &claims(), by_other),
            ),
            (
                "unknown key",
                token(&json!({"alg": "EdDSA", "kid": "two"}), &claims(), right),
            ),
        ] {
            let refused = fixture.jwt.name(&token).await;
            assert!(
                matches!(refused, Err(AuthError::RefusedToken { .. })),
                "{what}: {refused:?}"
            );
        }
    }
}
