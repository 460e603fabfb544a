//! Which reads a quorum round answers: those that asked before it was sent.
//!
//! A leader may read at its applied version once a quorum has said, after the read arrived, that it still leads.
//! Reads gather while a round is under way and share the next one.

use crate::mutant::Mutant;

/// Counts the rounds of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RoundId(pub u64);

/// `W` is whoever waits.
#[derive(Debug)]
pub struct ReadRounds<W> {
    next: Vec<W>,
    /// At most one at a time.
    sent: Option<(RoundId, Vec<W>)>,
    num_rounds: u64,
}

impl<W> Default for ReadRounds<W> {
    fn default() -> Self {
        Self {
            next: Vec::new(),
            sent: None,
            num_rounds: 0,
        }
    }
}

impl<W> ReadRounds<W> {
    /// A read arrives.
    pub fn join(&mut self, waiter: W) {
        if Mutant::JoinSentRound.is_active()
            && let Some((_, waiting)) = &mut self.sent
        {
            waiting.push(waiter);
            return;
        }
        self.next.push(waiter);
    }

    /// The round to send now, if someone waits and none is under way.
    pub fn begin(&mut self) -> Option<RoundId> {
        if self.sent.is_some() || self.next.is_empty() {
            return None;
        }
        self.num_rounds += 1;
        let round = RoundId(self.num_rounds);
        self.sent = Some((round, std::mem::take(&mut self.next)));
        Some(round)
    }

    /// A quorum answered the round, or cannot: those who waited for it. Empty for a round that is not under way.
    pub fn finish(&mut self, round: RoundId) -> Vec<W> {
        match self.sent.take() {
            Some((sent, waiting)) if sent == round => waiting,
            other => {
                self.sent = other;
                Vec::new()
            }
        }
    }

    /// The node does not lead any more: all who wait.
    pub fn stop(&mut self) -> Vec<W> {
        let mut waiting = self
            .sent
            .take()
            .map(|(_, waiting)| waiting)
            .unwrap_or_default();
        waiting.append(&mut self.next);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_never_joins_a_round_that_was_sent() {
        let mut rounds = ReadRounds::default();
        assert_eq!(rounds.begin(), None);
        rounds.join("a");
        let first = rounds.begin().unwrap();
        rounds.join("b");
        assert_eq!(rounds.begin(), None);
        assert_eq!(rounds.finish(first), ["a"]);
        assert!(rounds.finish(first).is_empty());
        let second = rounds.begin().unwrap();
        rounds.join("c");
        assert!(rounds.finish(first).is_empty());
        assert_eq!(rounds.finish(second), ["b"]);
        assert_eq!(rounds.stop(), ["c"]);
    }
}
