//! Who can reach whom.

use std::collections::BTreeMap;

use super::{super::Random, Party};

/// Cuts between nodes, each until it heals. Clients reach everybody.
#[derive(Debug)]
pub(super) struct Nemesis {
    num_nodes: usize,
    /// By number of the breakage: pairs of nodes, from and to, that do not hear each other.
    cuts: BTreeMap<u64, Vec<(usize, usize)>>,
    num_breakages: u64,
}

impl Nemesis {
    pub(super) fn new(num_nodes: usize) -> Self {
        Self {
            num_nodes,
            cuts: BTreeMap::new(),
            num_breakages: 0,
        }
    }

    /// Cuts a node off: from all others, or in one direction only. Returns the breakage's number.
    pub(super) fn isolate(&mut self, victim: usize, random: &mut Random) -> u64 {
        let (outwards, inwards) =
            *random.pick(&[(true, true), (true, true), (true, false), (false, true)]);
        let mut cut = Vec::new();
        for other in (0..self.num_nodes).filter(|other| *other != victim) {
            if outwards {
                cut.push((victim, other));
            }
            if inwards {
                cut.push((other, victim));
            }
        }
        self.num_breakages += 1;
        self.cuts.insert(self.num_breakages, cut);
        self.num_breakages
    }

    pub(super) fn heal(&mut self, breakage: u64) {
        self.cuts.remove(&breakage);
    }

    pub(super) fn blocks(&self, from: Party, to: Party) -> bool {
        let (Party::Node(from), Party::Node(to)) = (from, to) else {
            return false;
        };
        self.cuts.values().any(|cut| cut.contains(&(from, to)))
    }
}
