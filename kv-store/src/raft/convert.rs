//! Between openraft's requests and the messages on the wire.

use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};

use super::{
    messages as wire,
    types::{self, LogId, MembershipError, RaftEntry, TypeConfig, Vote},
};
use crate::wal::EntryId;

impl From<EntryId> for wire::Id {
    fn from(id: EntryId) -> Self {
        Self {
            term: id.term,
            index: id.index,
        }
    }
}

impl From<wire::Id> for EntryId {
    fn from(id: wire::Id) -> Self {
        Self {
            term: id.term,
            // Entries are counted from 1; a message that says otherwise must not panic here.
            index: id.index.max(1),
        }
    }
}

fn id(id: &LogId) -> wire::Id {
    types::entry_id(id).into()
}

fn log_id(id: wire::Id) -> LogId {
    types::log_id(id.into())
}

pub(super) fn vote(vote: &Vote) -> wire::Vote {
    wire::Vote {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

pub(super) fn from_vote(vote: wire::Vote) -> Vote {
    if vote.committed {
        Vote::new_committed(vote.term, vote.node)
    } else {
        Vote::new(vote.term, vote.node)
    }
}

pub(super) fn entry(entry: &RaftEntry) -> wire::LogEntry {
    wire::LogEntry {
        id: id(&entry.log_id),
        payload: types::to_log(entry).payload,
    }
}

pub(super) fn from_entry(entry: wire::LogEntry) -> Result<RaftEntry, MembershipError> {
    types::from_bytes(entry.id.into(), entry.payload)
}

pub(super) fn append(request: &AppendEntriesRequest<TypeConfig>) -> wire::AppendRequest {
    wire::AppendRequest {
        vote: vote(&request.vote),
        previous: request.prev_log_id.as_ref().map(id),
        entries: request.entries.iter().map(entry).collect(),
        committed: request.leader_commit.as_ref().map(id),
    }
}

pub(super) fn from_append(
    request: wire::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, MembershipError> {
    let entries = request.entries.into_iter().map(from_entry);
    Ok(AppendEntriesRequest {
        vote: from_vote(request.vote),
        prev_log_id: request.previous.map(log_id),
        entries: entries.collect::<Result<_, _>>()?,
        leader_commit: request.committed.map(log_id),
    })
}

/// How far a request's entries and those before them are in the log, or why it was refused.
pub(super) fn append_answer(result: &StreamAppendResult<TypeConfig>) -> wire::AppendAnswer {
    let (result, upto, higher) = match result {
        Ok(upto) => (wire::AppendResult::Success, upto.as_ref().map(id), None),
        Err(StreamAppendError::Conflict(at)) => (wire::AppendResult::Conflict, Some(id(at)), None),
        Err(StreamAppendError::HigherVote(higher)) => {
            (wire::AppendResult::HigherVote, None, Some(vote(higher)))
        }
    };
    wire::AppendAnswer {
        result: result.into(),
        upto,
        vote: higher,
    }
}

/// `None` when the message makes no sense.
pub(super) fn from_append_answer(
    answer: wire::AppendAnswer,
) -> Option<StreamAppendResult<TypeConfig>> {
    Some(match wire::AppendResult::try_from(answer.result).ok()? {
        wire::AppendResult::Success => Ok(answer.upto.map(log_id)),
        wire::AppendResult::Conflict => Err(StreamAppendError::Conflict(log_id(answer.upto?))),
        wire::AppendResult::HigherVote => {
            Err(StreamAppendError::HigherVote(from_vote(answer.vote?)))
        }
    })
}

pub(super) fn vote_request(request: &VoteRequest<TypeConfig>, is_trial: bool) -> wire::VoteRequest {
    wire::VoteRequest {
        vote: vote(&request.vote),
        last: request.last_log_id.as_ref().map(id),
        is_transfer: request.leadership_transfer,
        is_trial,
    }
}

pub(super) fn from_vote_request(request: wire::VoteRequest) -> VoteRequest<TypeConfig> {
    VoteRequest {
        vote: from_vote(request.vote),
        last_log_id: request.last.map(log_id),
        leadership_transfer: request.is_transfer,
    }
}

pub(super) fn vote_answer(answer: &VoteResponse<TypeConfig>) -> wire::VoteAnswer {
    wire::VoteAnswer {
        vote: vote(&answer.vote),
        granted: answer.vote_granted,
        last: answer.last_log_id.as_ref().map(id),
    }
}

pub(super) fn from_vote_answer(answer: wire::VoteAnswer) -> VoteResponse<TypeConfig> {
    VoteResponse {
        vote: from_vote(answer.vote),
        vote_granted: answer.granted,
        last_log_id: answer.last.map(log_id),
    }
}

pub(super) fn transfer(request: &TransferLeaderRequest<TypeConfig>) -> wire::TransferRequest {
    wire::TransferRequest {
        from: vote(request.from_leader()),
        to: *request.to_node_id(),
        last: request.last_log_id().map(id),
    }
}

pub(super) fn from_transfer(request: wire::TransferRequest) -> TransferLeaderRequest<TypeConfig> {
    TransferLeaderRequest::new(
        from_vote(request.from),
        request.to,
        request.last.map(log_id),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use openraft::EntryPayload;
    use prost::Message;

    use super::*;
    use crate::raft::types::Proposal;

    fn at(term: u64, index: u64) -> LogId {
        types::log_id(EntryId { term, index })
    }

    /// Through the bytes, too.
    fn sent<M: Message + Default>(message: M) -> M {
        M::decode(&*message.encode_to_vec()).expect("it was just encoded")
    }

    #[test]
    fn requests_to_append_read_back() {
        let entries = vec![
            RaftEntry {
                log_id: at(2, 8),
                payload: EntryPayload::Blank,
            },
            RaftEntry {
                log_id: at(2, 9),
                payload: EntryPayload::Normal(Proposal(Bytes::from_static(b"\x01abc"))),
            },
        ];
        let request = AppendEntriesRequest {
            vote: Vote::new_committed(2, 3),
            prev_log_id: Some(at(1, 7)),
            entries,
            leader_commit: None,
        };
        let back = from_append(sent(append(&request))).expect("no membership is in it");
        assert_eq!(back.vote, request.vote);
        assert_eq!(back.prev_log_id, request.prev_log_id);
        assert_eq!(back.entries, request.entries);
        assert_eq!(back.leader_commit, None);
    }

    #[test]
    fn every_answer_reads_back() {
        for result in [
            Ok(None),
            Ok(Some(at(4, 4))),
            Err(StreamAppendError::Conflict(at(3, 7))),
            Err(StreamAppendError::HigherVote(Vote::new(9, 1))),
        ] {
            let back = from_append_answer(sent(append_answer(&result)));
            assert_eq!(back, Some(result));
        }
        for granted in [false, true] {
            let answer = VoteResponse::new(Vote::new(5, 2), Some(at(4, 11)), granted);
            assert_eq!(from_vote_answer(sent(vote_answer(&answer))), answer);
            let mut request = VoteRequest::new(Vote::new(5, 2), None);
            request.leadership_transfer = granted;
            let message = sent(vote_request(&request, !granted));
            assert_eq!(message.is_trial, !granted);
            assert_eq!(from_vote_request(message), request);
        }
        let request = TransferLeaderRequest::new(Vote::new_committed(5, 2), 3, Some(at(5, 1)));
        assert_eq!(from_transfer(sent(transfer(&request))), request);
    }
}
