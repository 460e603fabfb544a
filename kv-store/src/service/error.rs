//! Errors over the wire: a gRPC code for those who only look at codes, and all of the error in its details.

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

use super::{messages as wire, wire::version};
use crate::{
    KvError, LeaderHint,
    txn::{LimitError, TxnId},
};

pub(crate) fn to_wire(error: &KvError) -> Status {
    let details = details(error).encode_to_vec();
    Status::with_details(code(error), error.to_string(), details.into())
}

/// What a status says; one without our details is the network's, or another program's.
pub(crate) fn from_wire(status: &Status) -> KvError {
    let known = (!status.details().is_empty())
        .then(|| wire::Error::decode(status.details()).ok())
        .flatten()
        .and_then(from_details);
    known.unwrap_or_else(|| KvError::Unreachable {
        detail: format!("{}: {}", status.code(), status.message()),
    })
}

fn code(error: &KvError) -> Code {
    match error {
        KvError::Conflict | KvError::TooOld | KvError::Aborted { .. } => Code::Aborted,
        KvError::UnknownOutcome { .. } => Code::Unknown,
        KvError::NotLeader { .. } | KvError::Unreachable { .. } => Code::Unavailable,
        KvError::Limit(_) | KvError::Unreadable | KvError::Malformed { .. } => {
            Code::InvalidArgument
        }
        KvError::Compacted { .. } | KvError::Future { .. } => Code::OutOfRange,
        KvError::Overloaded => Code::ResourceExhausted,
        KvError::Members { .. } => Code::FailedPrecondition,
        KvError::Unauthenticated { .. } => Code::Unauthenticated,
        KvError::PermissionDenied { .. } => Code::PermissionDenied,
        KvError::Storage { .. } => Code::Internal,
    }
}

fn details(error: &KvError) -> wire::Error {
    let mut message = wire::Error::default();
    message.kind = match error {
        KvError::Conflict => 1,
        KvError::TooOld => 2,
        KvError::Aborted { at } => {
            message.version = version::to_wire(*at);
            3
        }
        KvError::UnknownOutcome { id } => {
            message.id = Bytes::copy_from_slice(&id.0);
            4
        }
        KvError::NotLeader { leader } => {
            message.leader = leader.as_ref().map(|leader| wire::Leader {
                id: leader.id,
                address: leader.address.clone(),
            });
            5
        }
        KvError::Limit(limit) => {
            set_limit(&mut message, limit);
            6
        }
        KvError::Compacted {
            version: asked,
            watermark,
        } => {
            message.version = version::to_wire(*asked);
            message.bound = version::to_wire(*watermark);
            7
        }
        KvError::Future {
            version: asked,
            applied,
        } => {
            message.version = version::to_wire(*asked);
            message.bound = version::to_wire(*applied);
            8
        }
        KvError::Overloaded => 9,
        KvError::Members { detail } => {
            message.detail.clone_from(detail);
            10
        }
        KvError::Unauthenticated { detail } => {
            message.detail.clone_from(detail);
            11
        }
        KvError::PermissionDenied {
            role,
            action,
            namespace,
        } => {
            message.role.clone_from(role);
            message.action.clone_from(action);
            message.namespace.clone_from(namespace);
            12
        }
        KvError::Unreachable { detail } => {
            message.detail.clone_from(detail);
            13
        }
        KvError::Unreadable => 14,
        KvError::Malformed { detail } => {
            message.detail.clone_from(detail);
            15
        }
        KvError::Storage { detail } => {
            message.detail.clone_from(detail);
            16
        }
    };
    message
}

fn set_limit(message: &mut wire::Error, limit: &LimitError) {
    let (kind, bytes, offset) = match limit {
        LimitError::KeyTooLong { bytes } => (1, *bytes, 0),
        LimitError::ValueTooLong { bytes } => (2, *bytes, 0),
        LimitError::TransactionTooLarge { bytes } => (3, *bytes, 0),
        LimitError::KeyBehindEnd => (4, 0, 0),
        LimitError::RangeReversed => (5, 0, 0),
        LimitError::VersionstampOutside { offset, bytes } => (6, *bytes, *offset),
        LimitError::ClearsTooMuch => (7, 0, 0),
    };
    message.limit = kind;
    message.bytes = bytes as u64;
    message.offset = offset as u64;
}

fn limit(message: &wire::Error) -> Option<LimitError> {
    let bytes = usize::try_from(message.bytes).ok()?;
    let offset = usize::try_from(message.offset).ok()?;
    Some(match message.limit {
        1 => LimitError::KeyTooLong { bytes },
        2 => LimitError::ValueTooLong { bytes },
        3 => LimitError::TransactionTooLarge { bytes },
        4 => LimitError::KeyBehindEnd,
        5 => LimitError::RangeReversed,
        6 => LimitError::VersionstampOutside { offset, bytes },
        7 => LimitError::ClearsTooMuch,
        _ => return None,
    })
}

/// `None` for an error of a later release.
fn from_details(message: wire::Error) -> Option<KvError> {
    let detail = message.detail.clone();
    Some(match message.kind {
        1 => KvError::Conflict,
        2 => KvError::TooOld,
        3 => KvError::Aborted {
            at: version::from_wire(&message.version).ok()?,
        },
        4 => KvError::UnknownOutcome {
            id: TxnId(message.id.as_ref().try_into().ok()?),
        },
        5 => KvError::NotLeader {
            leader: message.leader.map(|leader| LeaderHint {
                id: leader.id,
                address: leader.address,
            }),
        },
        6 => KvError::Limit(limit(&message)?),
        7 => KvError::Compacted {
            version: version::from_wire(&message.version).ok()?,
            watermark: version::from_wire(&message.bound).ok()?,
        },
        8 => KvError::Future {
            version: version::from_wire(&message.version).ok()?,
            applied: version::from_wire(&message.bound).ok()?,
        },
        9 => KvError::Overloaded,
        10 => KvError::Members { detail },
        11 => KvError::Unauthenticated { detail },
        12 => KvError::PermissionDenied {
            role: message.role,
            action: message.action,
            namespace: message.namespace,
        },
        13 => KvError::Unreachable { detail },
        14 => KvError::Unreadable,
        15 => KvError::Malformed { detail },
        16 => KvError::Storage { detail },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    fn one_of_each() -> Vec<KvError> {
        let version = Version {
            epoch: 1,
            index: 2,
            position: 3,
        };
        let leader = LeaderHint {
            id: 7,
            address: "127.0.0.1:9".into(),
        };
        let detail = || "why".to_owned();
        let limits = [
            LimitError::KeyTooLong { bytes: 1 },
            LimitError::ValueTooLong { bytes: 2 },
            LimitError::TransactionTooLarge { bytes: 3 },
            LimitError::KeyBehindEnd,
            LimitError::RangeReversed,
            LimitError::VersionstampOutside {
                offset: 4,
                bytes: 5,
            },
            LimitError::ClearsTooMuch,
        ];
        let mut all = vec![
            KvError::Conflict,
            KvError::TooOld,
            KvError::Aborted { at: version },
            KvError::UnknownOutcome { id: TxnId([9; 16]) },
            KvError::NotLeader { leader: None },
            KvError::NotLeader {
                leader: Some(leader),
            },
            KvError::Compacted {
                version,
                watermark: Version::MAX,
            },
            KvError::Future {
                version,
                applied: Version::MIN,
            },
            KvError::Overloaded,
            KvError::Members { detail: detail() },
            KvError::Unauthenticated { detail: detail() },
            KvError::PermissionDenied {
                role: "user".into(),
                action: "write".into(),
                namespace: "/system".into(),
            },
            KvError::Unreachable { detail: detail() },
            KvError::Unreadable,
            KvError::Malformed { detail: detail() },
            KvError::Storage { detail: detail() },
        ];
        all.extend(limits.map(KvError::Limit));
        all
    }

    #[test]
    fn every_error_reads_back() {
        for error in one_of_each() {
            assert_eq!(from_wire(&to_wire(&error)), error);
        }
    }

    #[test]
    fn a_status_of_somebody_else_is_the_store_not_being_reached() {
        let error = from_wire(&Status::internal("h2 protocol error"));
        assert!(matches!(error, KvError::Unreachable { .. }), "{error:?}");
    }
}
