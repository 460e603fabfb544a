//! What a transaction may be at most, checked before anything is written.

use super::{CommitRequest, KEYS_END, KeyRange, Mutation};
use crate::version::VERSION_LEN;

/// Bytes of a key, at most.
pub const KEY_BYTES_MAX: usize = 10 * 1024;
/// Bytes of a value, at most.
pub const VALUE_BYTES_MAX: usize = 100 * 1024;
/// Bytes of keys, values and ranges of a transaction, at most.
pub const TRANSACTION_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Keys that the ranges of a transaction clear together, at most: each gets a marker of its own, on all members at once.
pub const CLEARED_KEYS_MAX: usize = 10_000;
/// Commands in one log entry, at most: a version's position has 16 bits, and its greatest value means the end of the entry.
pub const COMMANDS_MAX: usize = u16::MAX as usize;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    #[error("key of {bytes} bytes is longer than {KEY_BYTES_MAX}")]
    KeyTooLong { bytes: usize },
    #[error("value of {bytes} bytes is longer than {VALUE_BYTES_MAX}")]
    ValueTooLong { bytes: usize },
    #[error("transaction of {bytes} bytes is larger than {TRANSACTION_BYTES_MAX}")]
    TransactionTooLarge { bytes: usize },
    #[error("the ranges to clear hold more than {CLEARED_KEYS_MAX} keys")]
    ClearsTooMuch,
    #[error("keys must sort before ff, and one does not")]
    KeyBehindEnd,
    #[error("the range ends before it begins")]
    RangeReversed,
    #[error("a versionstamp takes 12 bytes, which do not fit at offset {offset} of {bytes} bytes")]
    VersionstampOutside { offset: usize, bytes: usize },
}

/// Whether the request may be tried.
pub fn check(request: &CommitRequest) -> Result<(), LimitError> {
    let mut bytes = 0;
    for range in &request.reads {
        bytes += check_range(range)?;
    }
    for mutation in &request.mutations {
        bytes += check_mutation(mutation)?;
    }
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(LimitError::TransactionTooLarge { bytes });
    }
    Ok(())
}

/// Bytes that count for the transaction.
fn check_mutation(mutation: &Mutation) -> Result<usize, LimitError> {
    match mutation {
        Mutation::Set { key, value } => Ok(check_key(key)? + check_value(value)?),
        Mutation::Clear { key } => check_key(key),
        Mutation::ClearRange { range } => check_range(range),
        Mutation::Atomic { key, operand, .. } => Ok(check_key(key)? + check_value(operand)?),
        Mutation::SetVersionstampedKey { key, offset, value } => {
            if *offset == 0 {
                // The first byte of a version may be anything, and keys must sort before ff.
                return Err(LimitError::KeyBehindEnd);
            }
            check_stamp(key, *offset)?;
            Ok(check_key(key)? + check_value(value)?)
        }
        Mutation::SetVersionstampedValue { key, value, offset } => {
            check_stamp(value, *offset)?;
            Ok(check_key(key)? + check_value(value)?)
        }
    }
}

fn check_key(key: &[u8]) -> Result<usize, LimitError> {
    if key.len() > KEY_BYTES_MAX {
        return Err(LimitError::KeyTooLong { bytes: key.len() });
    }
    if key >= KEYS_END {
        return Err(LimitError::KeyBehindEnd);
    }
    Ok(key.len())
}

fn check_value(value: &[u8]) -> Result<usize, LimitError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(LimitError::ValueTooLong { bytes: value.len() });
    }
    Ok(value.len())
}

/// Its ends may be one byte longer than a key, to stand right behind one.
fn check_range(range: &KeyRange) -> Result<usize, LimitError> {
    for key in [&range.begin, &range.end] {
        if key.len() > KEY_BYTES_MAX + 1 {
            return Err(LimitError::KeyTooLong { bytes: key.len() });
        }
        if key.as_slice() > KEYS_END {
            return Err(LimitError::KeyBehindEnd);
        }
    }
    if range.begin > range.end {
        return Err(LimitError::RangeReversed);
    }
    Ok(range.begin.len() + range.end.len())
}

fn check_stamp(bytes: &[u8], offset: usize) -> Result<(), LimitError> {
    if offset
        .checked_add(VERSION_LEN)
        .is_none_or(|end| end > bytes.len())
    {
        return Err(LimitError::VersionstampOutside {
            offset,
            bytes: bytes.len(),
        });
    }
    Ok(())
}
