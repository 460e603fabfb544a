//! The types openraft is configured with, and what they are in the log.
//!
//! openraft counts entries from 0, the log and all versions from 1: 0 is before the first. The two meet here and nowhere else.

use std::fmt;

use bytes::Bytes;
use openraft::{EntryPayload, impls::leader_id_std, vote::RaftLeaderId};
use prost::Message;

use super::messages;
use crate::{
    applier::MEMBERSHIP_ENTRY,
    txn::EntryOutcome,
    wal::{self, EntryId},
};

openraft::declare_raft_types!(
    /// One leader per term, as in the Raft paper.
    pub(crate) TypeConfig:
        D = Proposal,
        R = Vec<EntryOutcome>,
        NodeId = u64,
        Node = Member,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
);

pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type RaftEntry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;

/// An encoded entry of commands; never empty.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proposal(pub(crate) Bytes);

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proposal({} bytes)", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where a member is reached, as `host:port`. Empty in a group that talks to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Member {
    pub(crate) address: String,
}

/// Bytes in the log that are no entry.
#[derive(Debug, thiserror::Error)]
#[error("log entry {index} holds a malformed membership")]
pub(crate) struct MembershipError {
    pub(crate) index: u64,
}

pub(crate) fn entry_id(id: &LogId) -> EntryId {
    EntryId {
        term: id.leader_id.term,
        index: id.index + 1,
    }
}

pub(crate) fn log_id(id: EntryId) -> LogId {
    LogId {
        leader_id: id.term.into(),
        index: id.index - 1,
    }
}

/// As it stands in the log: nothing for an entry that only marks a term, else a first byte that tells the kind.
pub(crate) fn to_log(entry: &RaftEntry) -> wal::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => Bytes::new(),
        EntryPayload::Normal(proposal) => proposal.0.clone(),
        EntryPayload::Membership(membership) => encode_membership(membership).into(),
    };
    wal::Entry {
        id: entry_id(&entry.log_id),
        payload,
    }
}

pub(crate) fn from_log(entry: wal::Entry) -> Result<RaftEntry, MembershipError> {
    from_bytes(entry.id, entry.payload)
}

/// From what [`to_log`] gives.
pub(crate) fn from_bytes(id: EntryId, payload: Bytes) -> Result<RaftEntry, MembershipError> {
    let payload = match payload.first() {
        None => EntryPayload::Blank,
        Some(&MEMBERSHIP_ENTRY) => {
            let index = id.index;
            let membership = decode_membership(&payload).ok_or(MembershipError { index })?;
            EntryPayload::Membership(membership)
        }
        Some(_) => EntryPayload::Normal(Proposal(payload)),
    };
    Ok(RaftEntry {
        log_id: log_id(id),
        payload,
    })
}

pub(crate) fn encode_membership(membership: &Membership) -> Vec<u8> {
    let voters = membership.get_joint_config().iter();
    let message = messages::Membership {
        configs: voters
            .map(|ids| messages::Voters {
                ids: ids.iter().copied().collect(),
            })
            .collect(),
        members: membership
            .nodes()
            .map(|(id, member)| messages::Member {
                id: *id,
                address: member.address.clone(),
            })
            .collect(),
    };
    let mut bytes = vec![MEMBERSHIP_ENTRY];
    bytes.extend(message.encode_to_vec());
    bytes
}

/// `None` when the bytes are none.
pub(crate) fn decode_membership(bytes: &[u8]) -> Option<Membership> {
    let message = messages::Membership::decode(bytes.strip_prefix(&[MEMBERSHIP_ENTRY])?).ok()?;
    let configs = message.configs.into_iter();
    let configs = configs.map(|voters| voters.ids.into_iter().collect());
    let members: std::collections::BTreeMap<_, _> = message
        .members
        .into_iter()
        .map(|member| {
            let address = member.address;
            (member.id, Member { address })
        })
        .collect();
    Membership::new(configs.collect(), members).ok()
}

/// Term 8, node 8, whether a quorum granted it 1; integers little-endian.
pub(crate) fn encode_vote(vote: &Vote) -> Vec<u8> {
    let mut bytes = vote.leader_id.term.to_le_bytes().to_vec();
    bytes.extend(vote.leader_id.voted_for.to_le_bytes());
    bytes.push(u8::from(vote.committed));
    bytes
}

/// `None` when the bytes are none.
pub(crate) fn decode_vote(bytes: &[u8]) -> Option<Vote> {
    let (term, rest) = bytes.split_first_chunk()?;
    let (node, rest) = rest.split_first_chunk()?;
    let leader_id =
        leader_id_std::LeaderId::new(u64::from_le_bytes(*term), u64::from_le_bytes(*node));
    let committed = match rest {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    Some(Vote {
        leader_id,
        committed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_and_memberships_read_back_and_no_cut_is_a_vote() {
        for committed in [false, true] {
            let vote = Vote {
                leader_id: leader_id_std::LeaderId::new(7, 3),
                committed,
            };
            let bytes = encode_vote(&vote);
            assert_eq!(decode_vote(&bytes), Some(vote));
            assert!((0..bytes.len()).all(|len| decode_vote(&bytes[..len]).is_none()));
        }
        let address = |port: u16| Member {
            address: format!("127.0.0.1:{port}"),
        };
        let members =
            std::collections::BTreeMap::from([1, 2, 3].map(|id| (id, address(id as u16))));
        let configs = vec![[1].into(), [1, 2].into()];
        let membership = Membership::new(configs, members).expect("all voters are members");
        assert_eq!(
            decode_membership(&encode_membership(&membership)),
            Some(membership)
        );
    }

    #[test]
    fn every_kind_of_entry_reads_back_from_the_log() {
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Proposal(Bytes::from_static(&[1, 0, 0, 0, 0]))),
            EntryPayload::Membership(
                Membership::new(
                    vec![[4].into()],
                    std::collections::BTreeMap::from([(4, Member::default())]),
                )
                .expect("all voters are members"),
            ),
        ];
        for (index, payload) in (0..).zip(payloads) {
            let entry = RaftEntry {
                log_id: log_id(EntryId {
                    term: 2,
                    index: index + 1,
                }),
                payload,
            };
            let in_log = to_log(&entry);
            assert_eq!(in_log.id.index, index + 1);
            assert_eq!(from_log(in_log).expect("it was just written"), entry);
        }
    }
}
