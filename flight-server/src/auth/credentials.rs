//! What a call says about who makes it: the `authorization` header, or `auth-token-bin` of Flight's older clients.
//!
//! Source: RFC 7617 (Basic), RFC 6750 (Bearer), and Arrow Flight's `ClientAuthHandler`, which sends back what the
//! handshake gave it as base64 in `auth-token-bin`.

use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::AuthError;

/// gRPC leaves padding away, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const AUTH_TOKEN: &str = "auth-token-bin";

/// `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Basic { user: String, password: String },
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => f
                .debug_struct("Basic")
                .field("user", user)
                .finish_non_exhaustive(),
            Self::Bearer(_) => f.write_str("Bearer"),
        }
    }
}

impl Credentials {
    /// The credentials in a request's headers, if there are any. Two `authorization` headers are one too many.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, AuthError> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (None, _) => headers.get(AUTH_TOKEN).map(older).transpose(),
            (Some(_), Some(_)) => malformed("there are two authorization headers"),
            (Some(value), None) => Self::parse(value).map(Some),
        }
    }

    fn parse(value: &HeaderValue) -> Result<Self, AuthError> {
        let Ok(text) = value.to_str() else {
            return malformed("the authorization header is not plain ASCII");
        };
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            Ok(Self::Bearer(rest.to_owned()))
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic(rest)
        } else {
            malformed("the authorization header is neither Basic nor Bearer")
        }
    }
}

fn basic(encoded: &str) -> Result<Credentials, AuthError> {
    let decoded = BASE64.decode(encoded).ok();
    let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return malformed("the Basic credentials are not base64 of UTF-8");
    };
    match text.split_once(':') {
        Some((user, password)) => Ok(Credentials::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        }),
        None => malformed("the Basic credentials have no colon between user and password"),
    }
}

fn older(value: &HeaderValue) -> Result<Credentials, AuthError> {
    let decoded = BASE64.decode(value.as_bytes()).ok();
    match decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(token) => Ok(Credentials::Bearer(token)),
        None => malformed("auth-token-bin is not base64 of a token"),
    }
}

fn malformed<T>(detail: &'static str) -> Result<T, AuthError> {
    Err(AuthError::Malformed { detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Result<Option<Credentials>, AuthError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Credentials::of(&headers)
    }

    fn ada() -> Credentials {
        Credentials::Basic {
            user: "ada".into(),
            password: "a:b".into(),
        }
    }

    #[test]
    fn both_schemes_are_read_in_any_case_with_and_without_padding() {
        for header in [
            "Basic YWRhOmE6Yg==",
            "basic  YWRhOmE6Yg",
            "BASIC YWRhOmE6Yg=",
        ] {
            assert_eq!(
                of(&[("authorization", header)]).unwrap(),
                Some(ada()),
                "{header}"
            );
        }
        let bearer = Some(Credentials::Bearer("x.y".into()));
        assert_eq!(of(&[("authorization", "bearer x.y")]).unwrap(), bearer);
        assert_eq!(of(&[("auth-token-bin", "eC55")]).unwrap(), bearer);
        assert_eq!(of(&[("cookie", "a=b")]).unwrap(), None);
    }

    #[test]
    fn anything_else_is_malformed_and_not_ignored() {
        for header in [
            "",
            "Basic",
            "Basic !",
            "Basic YWRh",
            "Bearer",
            "Bearer ",
            "Digest x",
            "YWRhOmE6Yg==",
        ] {
            assert!(of(&[("authorization", header)]).is_err(), "{header}");
        }
        assert!(of(&[("authorization", "Bearer x"), ("authorization", "Bearer y")]).is_err());
        assert!(of(&[("auth-token-bin", "!")]).is_err());
    }

    #[test]
    fn debug_is_silent() {
        assert!(!format!("{:?}", ada()).contains("a:b"));
    }
}
