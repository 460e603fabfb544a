//! How a user's key and a version become one sorted key, and what stands behind it.
//!
//! A zero byte of the user's key becomes `00 FF`, and `00 01` ends it: so no key is a prefix of another, and the order stays.
//! Then come the twelve bytes of the version, inverted: newer versions sort first.
//! The stored value is one byte, 0 for a delete marker and 1 for a put, and after a put the user's value.

use crate::{EngineError, Version, version::VERSION_LEN};

const TERMINATOR: [u8; 2] = [0, 1];
const DELETE_MARKER: u8 = 0;
const PUT: u8 = 1;

/// The part that all versions of a key share.
pub fn prefix(user_key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(user_key.len() + 2 + VERSION_LEN);
    for byte in user_key {
        bytes.push(*byte);
        if *byte == 0 {
            bytes.push(0xff);
        }
    }
    bytes.extend_from_slice(&TERMINATOR);
    bytes
}

/// Where the version of the key with this prefix stands.
pub fn versioned(prefix: &[u8], version: Version) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(prefix.len() + VERSION_LEN);
    bytes.extend_from_slice(prefix);
    bytes.extend(version.to_bytes().map(|byte| !byte));
    bytes
}

/// Where a version of a user's key stands.
pub fn stored(user_key: &[u8], version: Version) -> Vec<u8> {
    let mut bytes = prefix(user_key);
    bytes.extend(version.to_bytes().map(|byte| !byte));
    bytes
}

/// Behind all versions of the key with this prefix.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

/// The prefix and the version of a stored key.
pub fn split(stored: &[u8]) -> Result<(&[u8], Version), EngineError> {
    let (prefix, version) = stored
        .split_last_chunk::<VERSION_LEN>()
        .filter(|(prefix, _)| prefix.ends_with(&TERMINATOR))
        .ok_or(EngineError::Malformed {
            what: "versioned key",
        })?;
    Ok((prefix, Version::from_bytes(version.map(|byte| !byte))))
}

/// The user's key of a prefix.
pub fn user_key(prefix: &[u8]) -> Result<Vec<u8>, EngineError> {
    let malformed = EngineError::Malformed { what: "key prefix" };
    let escaped = prefix.strip_suffix(&TERMINATOR).ok_or(malformed.clone())?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        key.push(*byte);
        if *byte == 0 && bytes.next() != Some(&0xff) {
            return Err(malformed);
        }
    }
    Ok(key)
}

/// As stored; `None` is a delete marker.
pub fn encode_value(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        None => vec![DELETE_MARKER],
        Some(value) => {
            let mut bytes = Vec::with_capacity(1 + value.len());
            bytes.push(PUT);
            bytes.extend_from_slice(value);
            bytes
        }
    }
}

pub fn decode_value(mut stored: Vec<u8>) -> Result<Option<Vec<u8>>, EngineError> {
    match stored.first() {
        Some(&DELETE_MARKER) if stored.len() == 1 => Ok(None),
        Some(&PUT) => {
            stored.remove(0);
            Ok(Some(stored))
        }
        _ => Err(EngineError::Malformed { what: "value" }),
    }
}

pub fn is_delete_marker(stored: &[u8]) -> bool {
    stored == [DELETE_MARKER]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_keys_sort_by_user_key_and_then_newest_first() {
        let keys: [&[u8]; 9] = [
            b"", b"\0", b"\0\0", b"\0\x01", b"\0\xff", b"\x01", b"a", b"a\0", b"a\x01",
        ];
        let versions = [(2, 0), (1, 7), (1, 0), (0, 0)];
        let mut stored = Vec::new();
        for key in keys {
            for (index, position) in versions {
                let version = Version {
                    epoch: 0,
                    index,
                    position,
                };
                let bytes = super::stored(key, version);
                assert_eq!(bytes, versioned(&prefix(key), version));
                let (found, at) = split(&bytes).unwrap();
                assert_eq!((user_key(found).unwrap().as_slice(), at), (key, version));
                assert!(bytes < prefix_end(&prefix(key)));
                stored.push(bytes);
            }
        }
        assert!(stored.is_sorted());
    }

    #[test]
    fn version_1_is_these_bytes() {
        let version = Version {
            epoch: 1,
            index: 2,
            position: 3,
        };
        let stored = versioned(&prefix(b"a\0b"), version);
        assert_eq!(
            stored,
            b"a\0\xffb\0\x01\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xfd\xff\xfc"
        );
        assert_eq!(encode_value(Some(b"x")), b"\x01x");
        assert_eq!(encode_value(None), b"\0");
    }
}
