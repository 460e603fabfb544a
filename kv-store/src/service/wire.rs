//! Between the store's types and the messages. What a message cannot mean is [`KvError::Malformed`].

use std::time::Duration;

use bytes::Bytes;

use super::messages as wire;
use crate::{
    KvError, Lead, LeaderHint, MemberStatus,
    archive::Archived,
    engine::Direction,
    mvcc::{
        changes::Change,
        read::Row,
        selector::{KeySelector, RangeQuery},
    },
    node::NodeStatus,
    txn::{AtomicOp, CommitRequest, KeyRange, Mutation, Outcome, TxnId},
};

fn malformed(what: &str) -> KvError {
    KvError::Malformed {
        detail: format!("the {what} makes no sense"),
    }
}

pub(crate) mod version {
    use bytes::Bytes;

    use crate::{KvError, Version};

    pub(crate) fn to_wire(version: Version) -> Bytes {
        Bytes::copy_from_slice(&version.to_bytes())
    }

    pub(crate) fn from_wire(bytes: &Bytes) -> Result<Version, KvError> {
        let bytes = bytes.as_ref().try_into();
        bytes
            .map(Version::from_bytes)
            .map_err(|_| super::malformed("version"))
    }
}

pub(crate) fn id_from_wire(bytes: &Bytes) -> Result<TxnId, KvError> {
    let id = bytes.as_ref().try_into();
    id.map(TxnId).map_err(|_| malformed("transaction id"))
}

pub(crate) fn id_to_wire(id: TxnId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}

pub(crate) fn range_to_wire(range: &KeyRange) -> wire::Range {
    wire::Range {
        begin: range.begin.clone().into(),
        end: range.end.clone().into(),
    }
}

pub(crate) fn range_from_wire(range: wire::Range) -> KeyRange {
    KeyRange {
        begin: range.begin.into(),
        end: range.end.into(),
    }
}

fn selector_to_wire(selector: &KeySelector) -> wire::Selector {
    wire::Selector {
        key: selector.key.clone().into(),
        or_equal: selector.or_equal,
        offset: selector.offset,
    }
}

fn selector_from_wire(selector: wire::Selector) -> KeySelector {
    KeySelector {
        key: selector.key.into(),
        or_equal: selector.or_equal,
        offset: selector.offset,
    }
}

pub(crate) fn query_to_wire(query: &RangeQuery, at: Option<Bytes>) -> wire::Query {
    wire::Query {
        begin: selector_to_wire(&query.begin),
        end: selector_to_wire(&query.end),
        limit: query.limit as u64,
        reverse: query.direction == Direction::Reverse,
        at,
    }
}

pub(crate) fn query_from_wire(query: wire::Query) -> RangeQuery {
    RangeQuery {
        begin: selector_from_wire(query.begin),
        end: selector_from_wire(query.end),
        limit: usize::try_from(query.limit).unwrap_or(usize::MAX),
        direction: if query.reverse {
            Direction::Reverse
        } else {
            Direction::Forward
        },
    }
}

pub(crate) fn row_to_wire(row: Row) -> wire::Row {
    wire::Row {
        key: row.key.into(),
        value: row.value.into(),
    }
}

pub(crate) fn row_from_wire(row: wire::Row) -> Row {
    Row {
        key: row.key.into(),
        value: row.value.into(),
    }
}

pub(crate) fn change_to_wire(change: Change) -> wire::Change {
    wire::Change {
        version: version::to_wire(change.version),
        key: change.key.into(),
        value: change.value.map(Bytes::from),
    }
}

pub(crate) fn change_from_wire(change: wire::Change) -> Result<Change, KvError> {
    Ok(Change {
        version: version::from_wire(&change.version)?,
        key: change.key.into(),
        value: change.value.map(Vec::from),
    })
}

pub(crate) fn outcome_to_wire(outcome: Outcome) -> wire::Outcome {
    let (Outcome::Committed(at) | Outcome::Aborted(at)) = outcome;
    wire::Outcome {
        committed: matches!(outcome, Outcome::Committed(_)),
        version: version::to_wire(at),
    }
}

pub(crate) fn outcome_from_wire(outcome: &wire::Outcome) -> Result<Outcome, KvError> {
    let at = version::from_wire(&outcome.version)?;
    Ok(if outcome.committed {
        Outcome::Committed(at)
    } else {
        Outcome::Aborted(at)
    })
}

/// Their places are their numbers: new ones go to the end.
const OPS: [AtomicOp; 8] = [
    AtomicOp::Add,
    AtomicOp::BitAnd,
    AtomicOp::BitOr,
    AtomicOp::BitXor,
    AtomicOp::Min,
    AtomicOp::Max,
    AtomicOp::AppendIfFits,
    AtomicOp::CompareAndClear,
];

fn mutation_to_wire(mutation: &Mutation) -> wire::Mutation {
    let message = |kind, key: &[u8], value: &[u8]| wire::Mutation {
        kind,
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
        ..wire::Mutation::default()
    };
    match mutation {
        Mutation::Set { key, value } => message(1, key, value),
        Mutation::Clear { key } => message(2, key, &[]),
        Mutation::ClearRange { range } => message(3, &range.begin, &range.end),
        Mutation::Atomic { op, key, operand } => {
            let place = OPS.iter().position(|known| known == op);
            wire::Mutation {
                op: place.expect("every operation is in OPS") as u32,
                ..message(4, key, operand)
            }
        }
        Mutation::SetVersionstampedKey { key, offset, value } => wire::Mutation {
            offset: *offset as u64,
            ..message(5, key, value)
        },
        Mutation::SetVersionstampedValue { key, value, offset } => wire::Mutation {
            offset: *offset as u64,
            ..message(6, key, value)
        },
    }
}

fn mutation_from_wire(message: wire::Mutation) -> Result<Mutation, KvError> {
    let offset = usize::try_from(message.offset).map_err(|_| malformed("offset"))?;
    let (key, value) = (message.key.into(), message.value.into());
    Ok(match message.kind {
        1 => Mutation::Set { key, value },
        2 => Mutation::Clear { key },
        3 => {
            let (begin, end) = (key, value);
            let range = KeyRange { begin, end };
            Mutation::ClearRange { range }
        }
        4 => Mutation::Atomic {
            op: *OPS
                .get(message.op as usize)
                .ok_or_else(|| malformed("operation"))?,
            key,
            operand: value,
        },
        5 => Mutation::SetVersionstampedKey { key, offset, value },
        6 => Mutation::SetVersionstampedValue { key, value, offset },
        _ => return Err(malformed("mutation")),
    })
}

pub(crate) fn commit_to_wire(request: &CommitRequest) -> wire::Commit {
    wire::Commit {
        id: id_to_wire(request.id),
        read_version: version::to_wire(request.read_version),
        reads: request.reads.iter().map(range_to_wire).collect(),
        mutations: request.mutations.iter().map(mutation_to_wire).collect(),
    }
}

pub(crate) fn commit_from_wire(message: wire::Commit) -> Result<CommitRequest, KvError> {
    let mutations = message.mutations.into_iter().map(mutation_from_wire);
    Ok(CommitRequest {
        id: id_from_wire(&message.id)?,
        read_version: version::from_wire(&message.read_version)?,
        reads: message.reads.into_iter().map(range_from_wire).collect(),
        mutations: mutations.collect::<Result<_, _>>()?,
    })
}

pub(crate) fn status_to_wire(status: NodeStatus) -> wire::Status {
    let leader = |leader: LeaderHint| wire::Leader {
        id: leader.id,
        address: leader.address,
    };
    let member = |member: MemberStatus| wire::Member {
        id: member.id,
        address: member.address,
        is_voter: member.is_voter,
        matched: member.matched,
    };
    wire::Status {
        id: status.id,
        term: status.lead.term,
        is_leader: status.lead.is_own,
        leader: status.lead.leader.map(leader),
        members: status.members.into_iter().map(member).collect(),
        first_index: status.first_index,
        last_index: status.last_index,
        applied: version::to_wire(status.applied),
        watermark: version::to_wire(status.watermark),
        num_syncs: status.num_syncs,
        is_stopped: status.lead.is_stopped,
        archived: status.archived.map(|archived| wire::Archived {
            index: archived.index,
            behind_ms: u64::try_from(archived.behind.as_millis()).unwrap_or(u64::MAX),
        }),
    }
}

pub(crate) fn status_from_wire(status: wire::Status) -> Result<NodeStatus, KvError> {
    let leader = |leader: wire::Leader| LeaderHint {
        id: leader.id,
        address: leader.address,
    };
    let member = |member: wire::Member| MemberStatus {
        id: member.id,
        address: member.address,
        is_voter: member.is_voter,
        matched: member.matched,
    };
    Ok(NodeStatus {
        id: status.id,
        lead: Lead {
            term: status.term,
            is_own: status.is_leader,
            leader: status.leader.map(leader),
            is_stopped: status.is_stopped,
        },
        members: status.members.into_iter().map(member).collect(),
        first_index: status.first_index,
        last_index: status.last_index,
        applied: version::from_wire(&status.applied)?,
        watermark: version::from_wire(&status.watermark)?,
        num_syncs: status.num_syncs,
        archived: status.archived.map(|archived| Archived {
            index: archived.index,
            behind: Duration::from_millis(archived.behind_ms),
        }),
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::Version;

    #[test]
    fn every_mutation_reads_back_through_the_bytes() {
        let (key, value) = (b"key".to_vec(), vec![7; 20]);
        let mut mutations = vec![
            Mutation::Set {
                key: key.clone(),
                value: value.clone(),
            },
            Mutation::Clear { key: key.clone() },
            Mutation::ClearRange {
                range: KeyRange::point("a"),
            },
            Mutation::SetVersionstampedKey {
                key: value.clone(),
                offset: 3,
                value: Vec::new(),
            },
            Mutation::SetVersionstampedValue {
                key: key.clone(),
                value,
                offset: 8,
            },
        ];
        mutations.extend(OPS.map(|op| Mutation::Atomic {
            op,
            key: key.clone(),
            operand: vec![1, 0],
        }));
        let request = CommitRequest {
            id: TxnId([3; 16]),
            read_version: Version::end_of_entry(4),
            reads: vec![KeyRange::point("x")],
            mutations,
        };
        let bytes = commit_to_wire(&request).encode_to_vec();
        let message = wire::Commit::decode(&*bytes).expect("it was just encoded");
        assert_eq!(commit_from_wire(message), Ok(request));
    }

    #[test]
    fn queries_read_back() {
        for direction in [Direction::Forward, Direction::Reverse] {
            let query = RangeQuery {
                begin: KeySelector::last_before("b").plus(-3),
                end: KeySelector::first_after("e"),
                limit: usize::MAX,
                direction,
            };
            assert_eq!(query_from_wire(query_to_wire(&query, None)), query);
        }
    }
}
