//! Passwords, and the argon2id hashes that are kept of them.
//!
//! Units: lengths in bytes. Hashing takes some 20 ms and 19 MiB, on the caller's thread: never call it on one that serves
//! connections.
//! Source: the OWASP password storage cheat sheet for the parameters (19 MiB, 2 passes, 1 lane), which are also the
//! library's defaults; the hash carries them in PHC form, so raising them later keeps old hashes valid.

use std::{fmt, sync::LazyLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use serde::{Deserialize, Serialize};

const LENGTH_MIN: usize = 8;
/// Hashing reads every byte: a client must not choose how many.
const LENGTH_MAX: usize = 1024;

/// A password as its user gave it. `Debug` is silent.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// Errors: why the text cannot be a password, without the text.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        match text.len() {
            ..LENGTH_MIN => Err(format!("a password has at least {LENGTH_MIN} characters")),
            LENGTH_MIN..=LENGTH_MAX => Ok(Self(text)),
            _ => Err(format!("a password has at most {LENGTH_MAX} bytes")),
        }
    }
}

/// What is stored of a password, in PHC form: `$argon2id$v=19$m=..$salt$hash`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PasswordHash(String);

impl PasswordHash {
    pub(crate) fn of(password: &Password) -> Self {
        let hash = Argon2::default().hash_password(password.0.as_bytes());
        // Salt and parameters are the library's own, and the length was checked.
        Self(hash.expect("argon2 with its defaults").to_string())
    }

    /// Takes the same time for a right and a wrong password.
    pub(crate) fn verify(&self, password: &str) -> bool {
        password.len() <= LENGTH_MAX
            && Argon2::default()
                .verify_password(password.as_bytes(), self.0.as_str())
                .is_ok()
    }
}

/// Takes the time of checking a password, for names without a user: the time of an answer must not tell which exist.
pub(crate) fn verify_nobodys(password: &str) {
    static NOBODYS: LazyLock<PasswordHash> =
        LazyLock::new(|| PasswordHash::of(&Password("this is nobody's password".into())));
    let _ = NOBODYS.verify(password);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_is_salted() {
        let password = Password::new("correct horse").unwrap();
        let (one, two) = (PasswordHash::of(&password), PasswordHash::of(&password));
        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(one.0, two.0);
        assert!(one.verify("correct horse") && two.verify("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", &"x".repeat(5000)] {
            assert!(!one.verify(wrong), "{wrong}");
        }
    }

    #[test]
    fn lengths_are_limited_and_no_message_shows_the_text() {
        for text in ["", "seven77", &"geheim".repeat(200)] {
            let error = Password::new(text).unwrap_err();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        assert_eq!(
            format!("{:?}", Password::new("geheimes").unwrap()),
            "Password"
        );
    }
}
