//! One node: the store's own parts around a small model of Raft.
//!
//! The model is the paper's (Ongaro and Ousterhout 2014): votes, log matching, commit by majority in the leader's own term.
//! Fsyncs take time: a follower answers, and a leader counts itself, when one is done; a node applies what is durable on it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    super::{Fate, ModelEngine, Random, SimDisk},
    Answer, MS, Message, Outbox, Party, Request, Time,
};
use crate::{
    Version,
    applier::{AppliedEntry, Applier},
    engine::Engine,
    mvcc::selector::{RangeQuery, get_range},
    txn::{
        Admission, Command, CommitRequest, Committer, EntryOutcome, FeedError, KeyRange,
        ReadRounds, RoundId, TxnId, encode_entry, outcome,
    },
    wal::{Entry, EntryId, GroupId, Log, LogOptions},
};

const GROUP: GroupId = GroupId(1);
const SEGMENT_BYTES: u64 = 16 * 1024;
/// Small, so that forgetting is part of every run.
const CONFLICT_STEPS: usize = 60;
const FEED_BYTES: usize = 2_000;
/// Small, so that watchers are told in parts.
const WATCHED_BYTES_MAX: usize = 300;
/// Entries in one message, at most.
const ENTRIES_MAX: u64 = 8;

/// What outlives a crash.
#[derive(Debug, Default)]
pub(super) struct Stored {
    disk: SimDisk,
    engine: ModelEngine,
}

/// A client's request: client and number.
type Waiter = (usize, u64);

#[derive(Debug)]
enum Role {
    Follower,
    Candidate { votes: Vec<usize> },
    Leader(Leading),
}

#[derive(Debug)]
struct Leading {
    /// By node: index to send next, and the last one known to be there.
    next: Vec<u64>,
    matched: Vec<u64>,
    /// By node: the last read round it answered.
    rounds: Vec<u64>,
    /// The leader's own first entry; it serves once this is applied.
    first_index: u64,
    is_ready: bool,
    /// The last read round sent, and the commit index it vouches for.
    round: u64,
    read_index: u64,
}

#[derive(Debug)]
pub(super) struct Node {
    id: usize,
    num_nodes: usize,
    disk: SimDisk,
    log: Log,
    applier: Applier<ModelEngine>,
    committer: Committer,
    reads: ReadRounds<Waiter>,
    /// Reads whose round is through, and the index they must see.
    confirmed: Vec<(u64, Waiter)>,
    term: u64,
    voted_for: Option<usize>,
    role: Role,
    commit: u64,
    /// Last index that is durable here.
    synced: u64,
    sync_is_under_way: bool,
    /// Sent when the next fsync is done; void in a later term.
    replies: Vec<(Party, Message)>,
    /// Admitted and not yet in the log.
    proposals: Vec<Command>,
    waiting: BTreeMap<TxnId, Vec<Waiter>>,
    campaign_at: Time,
}

impl Node {
    pub(super) fn start(
        id: usize,
        num_nodes: usize,
        stored: Stored,
        now: Time,
        life: u64,
        random: &mut Random,
    ) -> Self {
        let options = LogOptions {
            segment_bytes_max: SEGMENT_BYTES,
            salt: life,
        };
        let disk = Arc::new(stored.disk.clone());
        let log =
            Log::open(disk, Path::new("/wal"), options).expect("the log opens after any crash");
        let state = log.state(GROUP);
        let (term, voted_for) = state.vote.as_deref().map_or((0, None), decode_vote);
        let applier = Applier::open(stored.engine, state.purged, FEED_BYTES)
            .expect("the log has what the engine lost");
        let applied = applier.last_applied().map_or(0, |id| id.index);
        let last = state.last.map_or(0, |id| id.index);
        let mut node = Self {
            id,
            num_nodes,
            disk: stored.disk,
            log,
            applier,
            committer: Committer::new(CONFLICT_STEPS),
            reads: ReadRounds::default(),
            confirmed: Vec::new(),
            term,
            voted_for,
            role: Role::Follower,
            commit: state.committed.map_or(0, |id| id.index).max(applied),
            synced: last,
            sync_is_under_way: false,
            replies: Vec::new(),
            proposals: Vec::new(),
            waiting: BTreeMap::new(),
            campaign_at: 0,
        };
        node.wait_for_leader(now, random);
        node
    }

    /// The power fails, or the process is killed. Also how many engine batches are gone.
    pub(super) fn crash(self, random: &mut Random) -> (Stored, usize) {
        let engine = self.applier.engine();
        if random.chance(20) {
            let stored = Stored {
                disk: self.disk.after_kill(),
                engine: engine.clone(),
            };
            return (stored, 0);
        }
        let fate = Fate::Perhaps(random.below(101) as u64);
        let (engine, num_lost) = engine.after_power_loss(random);
        let disk = self.disk.after_power_loss(fate, fate, random);
        (Stored { disk, engine }, num_lost)
    }

    pub(super) fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    pub(super) fn engine(&self) -> &ModelEngine {
        self.applier.engine()
    }

    pub(super) fn last_applied(&self) -> Option<EntryId> {
        self.applier.last_applied()
    }

    /// Entries up to here are committed and durable on this node.
    pub(super) fn safe(&self) -> u64 {
        self.applied().min(self.synced)
    }

    fn applied(&self) -> u64 {
        self.applier.last_applied().map_or(0, |id| id.index)
    }

    fn last(&self) -> Option<EntryId> {
        self.log.state(GROUP).last
    }

    fn last_index(&self) -> u64 {
        self.last().map_or(0, |id| id.index)
    }

    /// The entry with this index, if it is here or was the last purged.
    fn id_at(&self, index: u64) -> Option<EntryId> {
        let purged = self.log.state(GROUP).purged;
        if let Some(purged) = purged.filter(|purged| purged.index == index) {
            return Some(purged);
        }
        let entries = self.log.read(GROUP, index..index + 1).ok()?;
        entries.first().map(|entry| entry.id)
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let id = self.id;
        (0..self.num_nodes).filter(move |other| *other != id)
    }

    fn is_majority(&self, num: usize) -> bool {
        num * 2 > self.num_nodes
    }

    // Terms and votes.

    fn wait_for_leader(&mut self, now: Time, random: &mut Random) {
        self.campaign_at = now + (150 + random.below(250) as Time) * MS;
    }

    fn save_vote(&mut self) {
        let mut bytes = self.term.to_le_bytes().to_vec();
        bytes.extend(self.voted_for.map(|node| node as u8));
        self.log
            .save_vote(GROUP, &bytes)
            .expect("the simulated disk writes");
        self.log.sync().expect("the simulated disk syncs");
        self.synced = self.last_index();
    }

    /// Somebody is in a later term.
    fn follow(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.voted_for = None;
            // What was queued in the old term may have been truncated by the time it is durable.
            self.replies.clear();
            self.save_vote();
        }
        self.role = Role::Follower;
        self.reads.stop();
        self.confirmed.clear();
        self.proposals.clear();
        self.waiting.clear();
    }

    fn campaign(&mut self, now: Time, random: &mut Random, out: &mut Outbox) {
        self.wait_for_leader(now, random);
        self.follow(self.term + 1);
        self.voted_for = Some(self.id);
        self.save_vote();
        self.role = Role::Candidate {
            votes: vec![self.id],
        };
        for other in self.others() {
            let ask = Message::AskVote {
                term: self.term,
                last: self.last(),
            };
            out.send(Party::Node(other), ask);
        }
    }

    fn lead(&mut self, out: &mut Outbox) {
        let next = self.last_index() + 1;
        self.role = Role::Leader(Leading {
            next: vec![next; self.num_nodes],
            matched: vec![0; self.num_nodes],
            rounds: vec![0; self.num_nodes],
            first_index: next,
            is_ready: false,
            round: 0,
            read_index: 0,
        });
        out.became_leader = true;
        self.append_own(Vec::new(), out);
        self.replicate(out);
    }

    fn append_own(&mut self, payload: Vec<u8>, out: &mut Outbox) {
        let id = EntryId {
            term: self.term,
            index: self.last_index() + 1,
        };
        self.log
            .append(
                GROUP,
                &[Entry {
                    id,
                    payload: payload.into(),
                }],
            )
            .expect("indexes are contiguous");
        self.want_sync(out);
    }

    fn want_sync(&mut self, out: &mut Outbox) {
        if !self.sync_is_under_way {
            self.sync_is_under_way = true;
            out.wants_sync = true;
        }
    }

    // Events.

    pub(super) fn synced(&mut self, out: &mut Outbox) {
        self.sync_is_under_way = false;
        self.log.sync().expect("the simulated disk syncs");
        self.synced = self.last_index();
        for (to, reply) in std::mem::take(&mut self.replies) {
            out.send(to, reply);
        }
        self.advance(out);
    }

    pub(super) fn tick(&mut self, now: Time, random: &mut Random, out: &mut Outbox) {
        if self.leads() {
            self.propose(out);
            self.replicate(out);
        } else if now >= self.campaign_at {
            self.campaign(now, random, out);
        }
    }

    /// Returns the number of compactions.
    pub(super) fn maintain(&mut self, floor: u64, random: &mut Random, out: &mut Outbox) -> usize {
        if random.chance(60) {
            self.applier.persist().expect("the model engine syncs");
        }
        self.applier.collect().expect("the model engine reads");
        let engine = self.applier.engine().clone();
        if random.chance(50) {
            engine.flush();
        }
        let num_wanted = random.below(4);
        let num_compactions = (0..num_wanted).filter(|_| engine.compact(random)).count();
        let purgeable = self.applier.purgeable().map_or(0, |id| id.index).min(floor);
        let purged = self.log.state(GROUP).purged.map_or(0, |id| id.index);
        if purgeable > purged
            && let Some(upto) = self.id_at(purgeable)
        {
            self.log
                .purge(GROUP, upto)
                .expect("the simulated disk writes");
            self.want_sync(out);
        }
        if self.is_ready() && random.chance(40) {
            let back = |by: u64| Version::end_of_entry(self.applied().saturating_sub(by));
            let gc = Command::Gc {
                watermark: back(10 + random.below(80) as u64),
                outcomes_below: back(2_000),
            };
            self.proposals.push(gc);
        }
        num_compactions
    }

    pub(super) fn receive(
        &mut self,
        from: Party,
        message: Message,
        now: Time,
        random: &mut Random,
        out: &mut Outbox,
    ) {
        match (from, message) {
            (Party::Client(client), Message::Request(number, request)) => {
                self.serve((client, number), request, random, out);
            }
            (Party::Node(other), Message::AskVote { term, last }) => {
                if term > self.term {
                    self.follow(term);
                }
                let is_free = self.voted_for.is_none_or(|node| node == other);
                let granted = term == self.term && is_free && last >= self.last() && !self.leads();
                if granted {
                    self.voted_for = Some(other);
                    self.save_vote();
                    self.wait_for_leader(now, random);
                }
                let vote = Message::Vote {
                    term: self.term,
                    granted,
                };
                out.send(from, vote);
            }
            (Party::Node(other), Message::Vote { term, granted }) => {
                self.count_vote(other, term, granted, out);
            }
            (
                Party::Node(_),
                Message::Append {
                    term,
                    prev,
                    entries,
                    commit,
                    round,
                },
            ) => {
                if term >= self.term {
                    if term > self.term || !matches!(self.role, Role::Follower) {
                        self.follow(term);
                    }
                    self.wait_for_leader(now, random);
                }
                // A message of an earlier term answers no round: its sender may lead again, and count rounds from 1.
                let (matched, round) = if term < self.term {
                    (Err(0), 0)
                } else {
                    (self.take_entries(prev, &entries), round)
                };
                if let Ok(matched) = matched {
                    self.commit = self.commit.max(commit.min(matched));
                }
                let reply = Message::Appended {
                    term: self.term,
                    matched,
                    round,
                };
                self.replies.push((from, reply));
                self.want_sync(out);
                self.advance(out);
            }
            (
                Party::Node(other),
                Message::Appended {
                    term,
                    matched,
                    round,
                },
            ) => {
                if term > self.term {
                    self.follow(term);
                } else if term == self.term {
                    self.appended(other, matched, round, out);
                }
            }
            (_, Message::Answer(..)) | (Party::Client(_), _) | (_, Message::Request(..)) => {}
        }
    }

    fn count_vote(&mut self, other: usize, term: u64, granted: bool, out: &mut Outbox) {
        if term > self.term {
            self.follow(term);
        }
        let Role::Candidate { votes } = &mut self.role else {
            return;
        };
        if granted && term == self.term && !votes.contains(&other) {
            votes.push(other);
            let num_votes = votes.len();
            if self.is_majority(num_votes) {
                self.lead(out);
            }
        }
    }

    // Replication.

    /// Where the log now agrees with the leader's, or where the leader should try.
    fn take_entries(&mut self, prev: Option<EntryId>, entries: &[Entry]) -> Result<u64, u64> {
        let purged = self.log.state(GROUP).purged.map_or(0, |id| id.index);
        if let Some(prev) = prev.filter(|prev| prev.index > purged)
            && self.id_at(prev.index) != Some(prev)
        {
            return Err(prev.index.min(self.last_index() + 1));
        }
        for (at, entry) in entries.iter().enumerate() {
            let index = entry.id.index;
            if index <= purged || self.id_at(index) == Some(entry.id) {
                continue;
            }
            if index <= self.last_index() {
                assert!(index > self.commit, "a committed entry is never replaced");
                self.log
                    .truncate(GROUP, index)
                    .expect("the simulated disk writes");
                self.synced = self.synced.min(index - 1);
            }
            self.log
                .append(GROUP, &entries[at..])
                .expect("indexes are contiguous");
            break;
        }
        Ok(prev.map_or(0, |prev| prev.index) + entries.len() as u64)
    }

    fn replicate(&mut self, out: &mut Outbox) {
        for other in self.others() {
            self.replicate_to(other, out);
        }
    }

    fn replicate_to(&mut self, other: usize, out: &mut Outbox) {
        let Role::Leader(leading) = &self.role else {
            return;
        };
        let purged = self.log.state(GROUP).purged.map_or(0, |id| id.index);
        let next = leading.next[other].clamp(purged + 1, self.last_index() + 1);
        let end = (next + ENTRIES_MAX).min(self.last_index() + 1);
        let append = Message::Append {
            term: self.term,
            prev: self.id_at(next - 1),
            entries: self
                .log
                .read(GROUP, next..end)
                .expect("the entries are here"),
            commit: self.commit,
            round: leading.round,
        };
        out.send(Party::Node(other), append);
    }

    fn appended(&mut self, other: usize, matched: Result<u64, u64>, round: u64, out: &mut Outbox) {
        let last = self.last_index();
        let Role::Leader(leading) = &mut self.role else {
            return;
        };
        leading.rounds[other] = leading.rounds[other].max(round);
        let is_behind = match matched {
            Ok(matched) => {
                leading.matched[other] = leading.matched[other].max(matched);
                leading.next[other] = leading.next[other].max(matched + 1);
                leading.next[other] <= last
            }
            Err(next) => {
                leading.next[other] = next.max(leading.matched[other] + 1);
                true
            }
        };
        if is_behind {
            self.replicate_to(other, out);
        }
        self.advance(out);
        self.finish_round(out);
    }

    /// Commits what a majority has, applies what is committed, answers who waited for it.
    fn advance(&mut self, out: &mut Outbox) {
        if let Role::Leader(leading) = &self.role {
            let mut matched = leading.matched.clone();
            matched[self.id] = self.synced;
            matched.sort_unstable_by(|a, b| b.cmp(a));
            let majority = matched[self.num_nodes / 2];
            let is_own = self.id_at(majority).is_some_and(|id| id.term == self.term);
            if majority > self.commit && is_own {
                self.commit = majority;
            }
        }
        let upto = self.commit.min(self.synced);
        let purged = self.log.state(GROUP).purged.map_or(0, |id| id.index);
        let next = self.applied().max(purged) + 1;
        if upto >= next {
            let entries = self
                .log
                .read(GROUP, next..upto + 1)
                .expect("the entries are here");
            let applied = self.applier.apply(&entries).expect("entries come in order");
            for entry in applied {
                self.applied_one(&entry, out);
            }
            if let Some(upto) = self.id_at(upto) {
                self.log
                    .save_committed(GROUP, upto)
                    .expect("the simulated disk writes");
            }
        }
        self.become_ready();
        self.answer_reads(out);
    }

    fn applied_one(&mut self, entry: &AppliedEntry, out: &mut Outbox) {
        for (position, (command, outcome)) in entry.commands.iter().zip(&entry.outcomes).enumerate()
        {
            let version = Version {
                epoch: 0,
                index: entry.id.index,
                position: position as u16,
            };
            let id = match command {
                Command::Commit { term, id, .. } => {
                    if *term == entry.id.term {
                        self.committer.applied(*term, *id, version);
                    }
                    *id
                }
                Command::AskOutcome { id } => *id,
                Command::Gc { .. } => continue,
            };
            let answer = match outcome {
                EntryOutcome::Outcome(outcome) => Answer::Outcome(*outcome),
                EntryOutcome::OtherTerm | EntryOutcome::Watermark(_) => Answer::NotHere,
            };
            for (client, number) in self.waiting.remove(&id).unwrap_or_default() {
                out.send(
                    Party::Client(client),
                    Message::Answer(number, answer.clone()),
                );
            }
        }
    }

    fn is_ready(&self) -> bool {
        matches!(&self.role, Role::Leader(leading) if leading.is_ready)
    }

    fn become_ready(&mut self) {
        let applied = self.applied();
        if let Role::Leader(leading) = &mut self.role
            && !leading.is_ready
            && applied >= leading.first_index
        {
            leading.is_ready = true;
            let start = Version::end_of_entry(leading.first_index);
            self.committer.begin_term(self.term, start);
        }
    }

    // Clients.

    fn serve(&mut self, waiter: Waiter, request: Request, random: &mut Random, out: &mut Outbox) {
        let answer = match request {
            Request::Read { at, query } => Some(self.read(at, &query)),
            Request::Watch { range, after } => Some(self.watch(&range, after)),
            _ if !self.is_ready() => Some(Answer::NotHere),
            Request::Begin => {
                self.reads.join(waiter);
                self.begin_round(out);
                None
            }
            Request::Commit(request) => self.admit(waiter, &request),
            Request::AskOutcome(id) => self.ask(waiter, id),
        };
        if let Some(answer) = answer {
            out.send(Party::Client(waiter.0), Message::Answer(waiter.1, answer));
        }
        // Some proposals wait for others, so that entries hold several.
        if random.chance(50) {
            self.propose(out);
        }
    }

    fn read(&self, at: Version, query: &RangeQuery) -> Answer {
        if at < self.applier.watermark() {
            return Answer::TooOld;
        }
        if at > Version::end_of_entry(self.applied()) {
            return Answer::NotHere;
        }
        let snapshot = self.applier.engine().snapshot();
        let found = get_range(&*snapshot, query, at).expect("the model engine reads");
        let rows = found.rows.into_iter().map(|row| (row.key, row.value));
        Answer::Rows(rows.collect(), found.read)
    }

    fn watch(&self, range: &KeyRange, after: Version) -> Answer {
        if after > Version::end_of_entry(self.applied()) {
            return Answer::NotHere;
        }
        let snapshot = self.applier.engine().snapshot();
        let told = self
            .applier
            .feed()
            .since(&*snapshot, range, after, WATCHED_BYTES_MAX);
        match told {
            Ok((changes, upto)) => Answer::Changes(changes, upto),
            Err(FeedError::Compacted { .. }) => Answer::TooOld,
            Err(FeedError::Engine(error)) => panic!("the model engine reads: {error}"),
        }
    }

    fn admit(&mut self, waiter: Waiter, request: &CommitRequest) -> Option<Answer> {
        let snapshot = self.applier.engine().snapshot();
        let admission = self
            .committer
            .admit(request.clone(), || outcome(&*snapshot, request.id));
        match admission.expect("the model engine reads") {
            Admission::Propose(command) => {
                self.proposals.push(command);
                self.waiting.entry(request.id).or_default().push(waiter);
                None
            }
            Admission::InFlight => {
                self.waiting.entry(request.id).or_default().push(waiter);
                None
            }
            Admission::Known(outcome) => Some(Answer::Outcome(outcome)),
            Admission::Conflict => Some(Answer::Conflict),
            Admission::TooOld => Some(Answer::TooOld),
            Admission::Refused(limit) => panic!("clients keep the limits: {limit}"),
        }
    }

    fn ask(&mut self, waiter: Waiter, id: TxnId) -> Option<Answer> {
        let snapshot = self.applier.engine().snapshot();
        let known = outcome(&*snapshot, id).expect("the model engine reads");
        if let Some(known) = known {
            return Some(Answer::Outcome(known));
        }
        self.proposals.push(Command::AskOutcome { id });
        self.waiting.entry(id).or_default().push(waiter);
        None
    }

    /// Everything admitted so far becomes one entry.
    fn propose(&mut self, out: &mut Outbox) {
        if self.proposals.is_empty() || !self.leads() {
            return;
        }
        let commands = std::mem::take(&mut self.proposals);
        self.append_own(encode_entry(&commands), out);
        self.replicate(out);
    }

    fn begin_round(&mut self, out: &mut Outbox) {
        let Role::Leader(leading) = &mut self.role else {
            return;
        };
        if let Some(RoundId(round)) = self.reads.begin() {
            leading.round = round;
            leading.read_index = self.commit;
            self.replicate(out);
        }
    }

    fn finish_round(&mut self, out: &mut Outbox) {
        let Role::Leader(leading) = &self.role else {
            return;
        };
        let (round, read_index) = (leading.round, leading.read_index);
        let num_answered = leading
            .rounds
            .iter()
            .filter(|answered| **answered >= round)
            .count();
        if round > 0 && self.is_majority(num_answered + 1) {
            let waiting = self.reads.finish(RoundId(round));
            self.confirmed
                .extend(waiting.into_iter().map(|waiter| (read_index, waiter)));
            self.answer_reads(out);
            self.begin_round(out);
        }
    }

    fn answer_reads(&mut self, out: &mut Outbox) {
        let applied = self.applied();
        self.confirmed.retain(|(index, (client, number))| {
            if *index > applied {
                return true;
            }
            let began = Answer::Began(Version::end_of_entry(applied));
            out.send(Party::Client(*client), Message::Answer(*number, began));
            false
        });
    }
}

fn decode_vote(bytes: &[u8]) -> (u64, Option<usize>) {
    let (term, voted_for) = bytes.split_first_chunk::<8>().expect("a vote has a term");
    (
        u64::from_le_bytes(*term),
        voted_for.first().map(|node| usize::from(*node)),
    )
}
