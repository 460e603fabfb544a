//! What the log knows of each group: where its entries are, and its latest vote, committed and purged index.

use std::collections::{BTreeMap, VecDeque};

use super::{
    EntryId, GroupId, WalError,
    record::{Kind, Record},
};

/// Where an entry's record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) term: u64,
    pub(super) segment: u64,
    /// Of the record in its file, in bytes.
    pub(super) offset: u64,
    /// Of the record's body, in bytes.
    pub(super) body_len: usize,
}

/// What of a group is carried from segment to segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    pub(super) purged: Option<EntryId>,
    pub(super) committed: Option<EntryId>,
    pub(super) vote: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) kept: Kept,
    /// Index of the first of `entries`; means nothing while there are none.
    pub(super) first: u64,
    pub(super) entries: VecDeque<Place>,
}

impl Group {
    pub(super) fn last(&self) -> Option<EntryId> {
        match self.entries.back() {
            Some(place) => Some(EntryId {
                term: place.term,
                index: self.first + self.entries.len() as u64 - 1,
            }),
            None => self.kept.purged,
        }
    }

    /// The index the next entry must have; `None` in a group that never had one.
    pub(super) fn next(&self) -> Option<u64> {
        self.last().map(|last| last.index + 1)
    }

    pub(super) fn place(&self, index: u64) -> Option<Place> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(at).copied()
    }
}

/// All groups, and how many live entries each segment holds.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) groups: BTreeMap<GroupId, Group>,
    /// Entries neither truncated nor purged, by segment. A segment that is not named holds none.
    live: BTreeMap<u64, usize>,
}

impl Groups {
    /// As a segment's checkpoint says.
    pub(super) fn from_kept(kept: BTreeMap<GroupId, Kept>) -> Self {
        let group = |kept| Group {
            kept,
            ..Group::default()
        };
        Self {
            groups: kept
                .into_iter()
                .map(|(id, kept)| (id, group(kept)))
                .collect(),
            live: BTreeMap::new(),
        }
    }

    pub(super) fn kept(&self) -> BTreeMap<GroupId, Kept> {
        self.groups
            .iter()
            .map(|(id, group)| (*id, group.kept.clone()))
            .collect()
    }

    pub(super) fn has_live_entries(&self, segment: u64) -> bool {
        self.live.contains_key(&segment)
    }

    /// Whether an entry with this index may be added to the group.
    pub(super) fn check_next(&self, id: GroupId, found: u64) -> Result<(), WalError> {
        match self.groups.get(&id).and_then(Group::next) {
            Some(expected) if expected != found => Err(WalError::NotContiguous {
                group: id,
                expected,
                found,
            }),
            _ => Ok(()),
        }
    }

    /// Takes in a record. Entries are where `place` says; their indexes have been checked.
    pub(super) fn apply(&mut self, record: &Record<'_>, segment: u64, offset: u64) {
        if record.kind == Kind::Mark {
            return;
        }
        let group = self.groups.entry(record.group).or_default();
        let mut gone = Vec::new();
        match record.kind {
            Kind::Entry => {
                if group.entries.is_empty() {
                    group.first = record.id.index;
                }
                group.entries.push_back(Place {
                    term: record.id.term,
                    segment,
                    offset,
                    body_len: record.body.len(),
                });
                *self.live.entry(segment).or_default() += 1;
            }
            Kind::Truncate => {
                let keep = record.id.index.saturating_sub(group.first);
                let keep = usize::try_from(keep).unwrap_or(usize::MAX);
                if keep < group.entries.len() {
                    gone.extend(group.entries.drain(keep..));
                }
            }
            Kind::Purge => {
                if group
                    .kept
                    .purged
                    .is_none_or(|purged| purged.index < record.id.index)
                {
                    let num = (record.id.index + 1).saturating_sub(group.first);
                    let num = usize::try_from(num).unwrap_or(usize::MAX);
                    gone.extend(group.entries.drain(..num.min(group.entries.len())));
                    group.first += gone.len() as u64;
                    group.kept.purged = Some(record.id);
                }
            }
            Kind::Vote => group.kept.vote = Some(record.body.to_vec()),
            Kind::Committed => group.kept.committed = Some(record.id),
            Kind::Mark => {}
        }
        for place in gone {
            let live = self
                .live
                .get_mut(&place.segment)
                .expect("the entry was counted");
            *live -= 1;
            if *live == 0 {
                self.live.remove(&place.segment);
            }
        }
    }
}
