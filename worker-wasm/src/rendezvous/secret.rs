//! What must not be guessed: tokens, and the key that the two workers of a pair share.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::Sha256;

/// Bytes of a token that was made here; also the least for one that an operator chose.
const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 256;
pub(super) const MAC_BYTES: usize = 32;

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives randomness");
    bytes
}

pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        // With lengths, no two lists of parts read the same.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// What a worker or a function shows to the rendezvous. Its `Debug` does not print it.
#[derive(Clone)]
pub struct Token(Vec<u8>);

impl Token {
    /// `None` where there are fewer than 16 or more than 256 bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX)
            .contains(&bytes.len())
            .then_some(Self(bytes))
    }

    /// 32 hexadecimal digits: 128 random bits.
    pub fn generate() -> Self {
        let digits = random::<TOKEN_BYTES_MIN>().map(|byte| format!("{byte:02x}"));
        Self(digits.concat().into_bytes())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes the same time wherever the two differ: MACs under a key that nobody knows are compared, not the bytes.
    pub(super) fn matches(&self, shown: &[u8]) -> bool {
        let key = random::<MAC_BYTES>();
        let own = mac(&key, &[&self.0]).finalize().into_bytes();
        mac(&key, &[shown]).verify_slice(&own).is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Names a pairing on connections that are not encrypted yet. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PairingId(pub(super) [u8; 16]);

/// Known to the rendezvous and to the two workers of one pair. Its `Debug` does not print it.
#[derive(Clone)]
pub(super) struct PairingKey([u8; MAC_BYTES]);

impl PairingKey {
    pub(super) fn generate() -> Self {
        Self(random())
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A MAC under a key that is used for `label` only.
    pub(super) fn mac(&self, label: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let key = mac(&self.0, &[label.as_bytes()]).finalize().into_bytes();
        mac(&key, parts)
    }

    pub(super) fn sign(&self, label: &str, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        self.mac(label, parts).finalize().into_bytes().into()
    }

    pub(super) fn verifies(&self, label: &str, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.mac(label, parts).verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for PairingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_itself_only() {
        let token = Token::generate();
        let other = Token::generate();
        assert!(token.matches(token.as_bytes()));
        assert!(!token.matches(other.as_bytes()));
        assert!(!token.matches(&token.as_bytes()[1..]));
        assert!(!token.matches(b""));
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert!(Token::new("fifteen bytes..").is_none());
        assert!(Token::new("sixteen bytes...").is_some());
    }

    #[test]
    fn a_signature_is_of_its_key_its_label_and_its_parts() {
        let key = PairingKey::generate();
        let signature = key.sign("one", &[b"ab", b"c"]);
        assert!(key.verifies("one", &[b"ab", b"c"], &signature));
        assert!(!key.verifies("two", &[b"ab", b"c"], &signature));
        assert!(!key.verifies("one", &[b"a", b"bc"], &signature));
        assert!(!PairingKey::generate().verifies("one", &[b"ab", b"c"], &signature));
    }
}
