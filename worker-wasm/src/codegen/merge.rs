//! Sorting of items by merging ever longer runs, in pieces of a few milliseconds.
//!
//! ```text
//! item  key words, 8 bytes each | u32: address of the row
//! ```
//!
//! Two arrays of items take turns: a pass merges pairs of runs from one into the other, and the next pass has runs of
//! twice the length. Where a pass stands is in the state area, so a call can end after any item. Merging takes the lower of
//! two items without a branch, because which one it is cannot be predicted; only keys of text are compared word by word.
//! Invariant: stable, an item of the left run goes first where both are equal.

use std::ops::RangeInclusive;

use super::{
    builder::{Function, I32, I64, Label, Local, Value, select},
    memory::{StateArea, field, set_field},
    sort_key::Tie,
    text::Text,
};
use crate::abi::Status;

/// Bytes of items that one call moves: about a millisecond.
const MOVE_BYTES: i32 = 2 << 20;
/// What beginning a pair of runs counts for: in the first passes it takes longer than moving the items.
const PAIR_BYTES: i32 = 64;

#[derive(Debug, Clone)]
pub(crate) struct Merge {
    words: u32,
    /// Texts that may go on behind their words, and where a row has its view of each.
    ties: Vec<(Tie, u32)>,
    pub(crate) item_bytes: u32,
    /// `u32` fields of the state area: addresses of the arrays that a pass reads and writes.
    from: u32,
    to: u32,
    /// Bytes of a run. The following are counted in bytes from the start of an array.
    width: u32,
    /// Where the pair of runs starts that is being merged, and how far each of the two is taken.
    low: u32,
    left: u32,
    right: u32,
}

impl Merge {
    pub(crate) fn new(words: u32, ties: Vec<(Tie, u32)>, state: &mut StateArea) -> Self {
        let from = state.place(24);
        Self {
            words,
            ties,
            item_bytes: 8 * words + 4,
            from,
            to: from + 4,
            width: from + 8,
            low: from + 12,
            left: from + 16,
            right: from + 20,
        }
    }

    /// Address of an item of the array that holds them between two sorts, and of the sorted ones in the end.
    pub(crate) fn item(&self, number: impl Into<Value<I32>>) -> Value<I32> {
        field(self.from) + number.into() * self.item_bytes
    }

    /// The row of an item.
    pub(crate) fn row(&self, item: Value<I32>) -> Value<I32> {
        item.load(8 * self.words)
    }

    /// Sets an item's row, and its words to those in front of the row.
    pub(crate) fn set_item(&self, f: &mut Function, item: Local<I32>, row: Local<I32>) {
        for word in 0..self.words {
            f.store(item, 8 * word, row.get().load::<I64>(8 * word));
        }
        f.store::<I32>(item, 8 * self.words, row);
    }

    /// Two arrays of `bytes` bytes each, from `address` on.
    pub(crate) fn place(&self, f: &mut Function, address: Local<I32>, bytes: Local<I32>) {
        set_field(f, self.from, address);
        set_field(f, self.to, address.get() + bytes);
    }

    /// Makes items from `items` up to `end`, which are not sorted, the same in both arrays: any of the two may be the last.
    pub(crate) fn copy_behind(&self, f: &mut Function, items: Value<I32>, end: Value<I32>) {
        let start: Local<I32> = f.let_(items * self.item_bytes);
        let bytes = end * self.item_bytes - start;
        f.copy(field(self.to) + start, field(self.from) + start, bytes);
    }

    /// Before the first piece: every item is a run.
    pub(crate) fn start(&self, f: &mut Function) {
        set_field(f, self.width, self.item_bytes);
        for position in [self.low, self.left] {
            set_field(f, position, 0);
        }
        set_field(f, self.right, self.item_bytes);
    }

    /// A piece of sorting `items` items: goes on behind it when all are sorted, else leaves the call with MORE.
    pub(crate) fn run(&self, f: &mut Function, items: impl Into<Value<I32>>) {
        let total: Local<I32> = f.let_(items.into() * self.item_bytes);
        let pass = Pass {
            from: f.let_(field(self.from)),
            to: f.let_(field(self.to)),
            left: f.let_(field(self.left)),
            right: f.let_(field(self.right)),
            middle: f.local(),
            end: f.local(),
            budget: f.let_(MOVE_BYTES),
        };
        let width: Local<I32> = f.let_(field(self.width));
        let low: Local<I32> = f.let_(field(self.low));
        f.block(|f, sorted| {
            f.block(|f, pause| {
                f.repeat(|f, next_pair| {
                    f.branch_if(sorted, total.get().le_u(width));
                    f.if_(total.get().le_u(low), |f| {
                        let written: Local<I32> = f.let_(pass.to);
                        f.set(pass.to, pass.from);
                        f.set(pass.from, written);
                        f.set(width, width.get() << 1);
                        f.set(low, 0);
                        f.set(pass.left, 0);
                        f.set(pass.right, width);
                        f.branch(next_pair);
                    });
                    f.set(pass.middle, lower(low.get() + width, total));
                    f.set(pass.end, lower(pass.middle.get() + width, total));
                    f.set(pass.right, lower(pass.right, pass.end));
                    self.merge(f, pass, pause);
                    pass.copy_rest(f, pause);
                    f.set(pass.budget, pass.budget.get() - PAIR_BYTES);
                    f.set(low, pass.end);
                    f.set(pass.left, low);
                    f.set(pass.right, low.get() + width);
                    f.branch(next_pair);
                });
            });
            self.save(f, pass, width, low);
            f.return_(Status::More as i32);
        });
        self.save(f, pass, width, low);
    }

    fn save(&self, f: &mut Function, pass: Pass, width: Local<I32>, low: Local<I32>) {
        let fields = [
            (self.from, pass.from),
            (self.to, pass.to),
            (self.left, pass.left),
            (self.right, pass.right),
            (self.width, width),
            (self.low, low),
        ];
        for (address, local) in fields {
            set_field(f, address, local);
        }
    }

    /// Takes the lower of both runs until one of them is empty, or the budget is spent.
    fn merge(&self, f: &mut Function, pass: Pass, pause: Label) {
        f.block(|f, one_is_empty| {
            f.repeat(|f, again| {
                let both = pass.left.get().lt_u(pass.middle) & pass.right.get().lt_u(pass.end);
                f.branch_if(one_is_empty, both.eqz());
                f.branch_if(pause, pass.budget.get().le_s(0));
                let left: Local<I32> = f.let_(pass.from.get() + pass.left);
                let right: Local<I32> = f.let_(pass.from.get() + pass.right);
                let out: Local<I32> = f.let_(pass.out());
                let right_first = self.less(f, right, left);
                let first: Local<I32> = f.let_(select::<I32>(right_first, right, left));
                for word in 0..self.words {
                    f.store(out, 8 * word, first.get().load::<I64>(8 * word));
                }
                f.store(out, 8 * self.words, first.get().load::<I32>(8 * self.words));
                let step: Local<I32> = f.let_(right_first.get() * self.item_bytes);
                f.set(pass.right, pass.right.get() + step);
                let other_step = Value::from(self.item_bytes) - step;
                f.set(pass.left, pass.left.get() + other_step);
                f.set(pass.budget, pass.budget.get() - self.item_bytes);
                f.branch(again);
            });
        });
    }

    /// 1 where one item is below another.
    fn less(&self, f: &mut Function, one: Local<I32>, other: Local<I32>) -> Local<I32> {
        if self.ties.is_empty() {
            let less = self.words_less(one, other);
            return f.let_(less);
        }
        let less: Local<I32> = f.let_(0);
        f.block(|f, known| {
            let mut first = 0;
            for (tie, offset) in &self.ties {
                decide(f, first..=tie.word, [one, other], less, known);
                first = tie.word + 1;
                // Both words are the same, so both texts go on or none does.
                f.if_(tie.is_long(word(one, tie.word)), |f| {
                    let text = |f: &mut Function, item: Local<I32>| {
                        let row: Local<I32> = f.let_(self.row(item.get()));
                        Text::from_view(f, &row.get(), *offset)
                    };
                    let (one, other) = (text(f, one), text(f, other));
                    let order = match tie.descending {
                        true => other.order(f, one),
                        false => one.order(f, other),
                    };
                    f.if_(order, |f| {
                        f.set(less, order.get().lt_s(0));
                        f.branch(known);
                    });
                });
            }
            if first < self.words {
                decide(f, first..=self.words - 1, [one, other], less, known);
            }
        });
        less
    }

    /// 1 where the words of one item are below those of another.
    fn words_less(&self, one: Local<I32>, other: Local<I32>) -> Value<I32> {
        let last = self.words.saturating_sub(1);
        let mut less = word(one, last).lt_u(word(other, last));
        for earlier in (0..last).rev() {
            let below = word(one, earlier).lt_u(word(other, earlier));
            let same = word(one, earlier).eq(word(other, earlier));
            less = below | (same & less);
        }
        less
    }
}

fn word(item: Local<I32>, number: u32) -> Value<I64> {
    item.get().load::<I64>(8 * number)
}

/// Sets `less` and leaves through `known` where some of the words differ.
fn decide(
    f: &mut Function,
    words: RangeInclusive<u32>,
    [one, other]: [Local<I32>; 2],
    less: Local<I32>,
    known: Label,
) {
    for number in words {
        let own: Local<I64> = f.let_(word(one, number));
        let others: Local<I64> = f.let_(word(other, number));
        f.if_(own.get().ne(others), |f| {
            f.set(less, own.get().lt_u(others));
            f.branch(known);
        });
    }
}

/// A pass in locals. Positions in bytes from the start of an array.
#[derive(Debug, Clone, Copy)]
struct Pass {
    from: Local<I32>,
    to: Local<I32>,
    left: Local<I32>,
    right: Local<I32>,
    /// Ends of the two runs.
    middle: Local<I32>,
    end: Local<I32>,
    /// Bytes that this call may still move.
    budget: Local<I32>,
}

impl Pass {
    /// Where the next item goes: as far as both runs are taken.
    fn out(self) -> Value<I32> {
        self.to.get() + self.left + self.right - self.middle
    }

    /// Copies what is left of the run that is not empty, as far as the budget goes.
    fn copy_rest(self, f: &mut Function, pause: Label) {
        let left_rest: Local<I32> = f.let_(self.middle.get() - self.left);
        let right_rest: Local<I32> = f.let_(self.end.get() - self.right);
        let rest: Local<I32> = f.let_(left_rest.get() + right_rest);
        let zero_or_more = select::<I32>(self.budget.get().le_s(0), 0, self.budget);
        let piece: Local<I32> = f.let_(lower(rest, zero_or_more));
        let source = select::<I32>(left_rest, self.left, self.right);
        f.copy(self.out(), self.from.get() + source, piece);
        f.set(self.budget, self.budget.get() - piece);
        f.if_else(
            left_rest,
            |f| f.set(self.left, self.left.get() + piece),
            |f| f.set(self.right, self.right.get() + piece),
        );
        f.branch_if(pause, piece.get().lt_u(rest));
    }
}

/// The lower of two unsigned numbers.
fn lower(one: impl Into<Value<I32>>, other: impl Into<Value<I32>>) -> Value<I32> {
    let (one, other) = (one.into(), other.into());
    select(one.clone().lt_u(other.clone()), one, other)
}
