//! What an operator sets about who is let in.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;
use serde::Deserialize;

use super::{AuthConfig, JwtConfig, KeysSource};
use crate::tls::{CertificateSource, TlsConfig};

/// Settings as given. In the file they stand in the table `[auth]`.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// How long the token of a handshake is good for [default: 12h]
    #[arg(long, env = "MURRE_TOKEN_LIFETIME", value_name = "TIME")]
    pub token_lifetime: Option<String>,
    /// Names that are administrators, besides users who are, separated by commas
    #[arg(long, env = "MURRE_ADMINS", value_name = "NAMES")]
    pub admins: Option<String>,
    /// File of bearer tokens for programs, a name and a token a line
    #[arg(long, env = "MURRE_STATIC_TOKENS", value_name = "FILE")]
    pub static_tokens: Option<PathBuf>,
    /// Public keys of a token issuer (JWKS): an https:// URL or a file
    #[arg(long, env = "MURRE_JWT_KEYS", value_name = "URL|FILE")]
    pub jwt_keys: Option<String>,
    /// What the issuer calls itself in its tokens
    #[arg(long, env = "MURRE_JWT_ISSUER", value_name = "TEXT")]
    pub jwt_issuer: Option<String>,
    /// What the issuer calls this server in its tokens
    #[arg(long, env = "MURRE_JWT_AUDIENCE", value_name = "TEXT")]
    pub jwt_audience: Option<String>,
    /// The claim that names the user [default: sub]
    #[arg(long, env = "MURRE_JWT_NAME_CLAIM", value_name = "CLAIM")]
    pub jwt_name_claim: Option<String>,
    /// PEM file of the TLS certificate and its chain
    #[arg(long, env = "MURRE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key
    #[arg(long, env = "MURRE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// TLS with a certificate that the server makes, where there is no other
    #[arg(long, env = "MURRE_TLS_SELF_SIGNED", value_parser = BoolishValueParser::new())]
    pub tls_self_signed: bool,
    /// PEM file of authorities; a client certificate they signed tells who the client is
    #[arg(long, env = "MURRE_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Let other machines connect without TLS: passwords and data are readable on the way
    #[arg(long, env = "MURRE_INSECURE_PLAINTEXT", value_parser = BoolishValueParser::new())]
    pub insecure_plaintext: bool,
}

impl AuthSettings {
    /// Fills what is unset from a file's.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            token_lifetime: self.token_lifetime.or(file.token_lifetime),
            admins: self.admins.or(file.admins),
            static_tokens: self.static_tokens.or(file.static_tokens),
            jwt_keys: self.jwt_keys.or(file.jwt_keys),
            jwt_issuer: self.jwt_issuer.or(file.jwt_issuer),
            jwt_audience: self.jwt_audience.or(file.jwt_audience),
            jwt_name_claim: self.jwt_name_claim.or(file.jwt_name_claim),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            tls_self_signed: self.tls_self_signed || file.tls_self_signed,
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            insecure_plaintext: self.insecure_plaintext || file.insecure_plaintext,
        }
    }

    /// `None` for plaintext.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<TlsConfig>> {
        let certificate = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) if !self.tls_self_signed => CertificateSource::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            (Some(_), Some(_)) => bail!("tls_self_signed: there is a tls_cert already"),
            (None, None) if self.tls_self_signed => CertificateSource::SelfSigned,
            (None, None) if self.tls_client_ca.is_none() => return Ok(None),
            (None, None) => bail!("tls_client_ca: needs tls_cert and tls_key, or tls_self_signed"),
            _ => bail!("tls_cert and tls_key go together"),
        };
        Ok(Some(TlsConfig {
            certificate,
            client_ca: self.tls_client_ca.clone(),
        }))
    }

    /// Without issuer and audience, tokens for other servers would be good here too.
    fn jwt(&self) -> anyhow::Result<Option<JwtConfig>> {
        let given = (&self.jwt_keys, &self.jwt_issuer, &self.jwt_audience);
        match given {
            (None, None, None) => Ok(None),
            (Some(keys), Some(issuer), Some(audience)) => Ok(Some(JwtConfig {
                keys: KeysSource::parse(keys).context("jwt_keys")?,
                issuer: issuer.clone(),
                audience: audience.clone(),
                name_claim: self.jwt_name_claim.clone().unwrap_or_else(|| "sub".into()),
            })),
            _ => bail!("jwt_keys, jwt_issuer and jwt_audience go together"),
        }
    }

    pub(crate) fn check(self) -> anyhow::Result<AuthConfig> {
        let token_lifetime = match self.token_lifetime.as_deref() {
            None => Duration::from_secs(12 * 3600),
            Some(text) => coordinator::parse_duration(text)
                .map_err(|e| anyhow::anyhow!("token_lifetime: {e}"))?,
        };
        Ok(AuthConfig {
            jwt: self.jwt()?,
            static_tokens: self.static_tokens,
            certificates: self.tls_client_ca.is_some(),
            token_lifetime,
            admins: names(self.admins.as_deref().unwrap_or_default()),
        })
    }
}

fn names(text: &str) -> BTreeSet<String> {
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn settings_that_need_each_other_are_asked_for() {
        let settings = AuthSettings {
            jwt_keys: text("keys.json"),
            jwt_issuer: text("https://issuer"),
            ..AuthSettings::default()
        };
        let error = settings.clone().check().unwrap_err().to_string();
        assert!(error.contains("jwt_audience"), "{error}");
        let jwt = AuthSettings {
            jwt_audience: text("murre"),
            ..settings
        };
        assert_eq!(jwt.check().unwrap().jwt.unwrap().name_claim, "sub");
        let ca = AuthSettings {
            tls_client_ca: Some("ca.pem".into()),
            ..AuthSettings::default()
        };
        assert!(ca.tls().unwrap_err().to_string().contains("tls_cert"));
        let half = AuthSettings {
            tls_cert: Some("cert.pem".into()),
            ..AuthSettings::default()
        };
        assert!(half.tls().is_err());
    }

    #[test]
    fn names_are_separated_by_commas() {
        let settings = AuthSettings {
            admins: text(" ada, bob ,,"),
            ..AuthSettings::default()
        };
        let admins = settings.check().unwrap().admins;
        assert_eq!(admins.into_iter().collect::<Vec<_>>(), ["ada", "bob"]);
    }
}
