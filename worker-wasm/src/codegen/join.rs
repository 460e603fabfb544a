//! One hash join as a step of a pipeline: a row's candidates in the table, and what goes on for them.
//!
//! ```text
//! look up -> cursor, end      per candidate: budget? -> same keys, filter -> mark -> next step
//! ```
//!
//! A row may have millions of candidates, so the walk over them can stop at each one: a walk has a budget of candidates,
//! and where it is spent, the positions of all joins stay in locals, `resume` says which join stopped, and the driver (see
//! [`super::probe`]) comes back into the middle of it: joins before that one skip their lookup and check their candidate
//! again, which gives the same answer.

mod marks;

use super::{
    builder::{Function, I32, Label, Local, Value, select},
    expr::{self, Datum, Row},
    memory::{StateArea, field, set_field},
    rows::RowLayout,
    table::{self, View},
};
use crate::{
    abi::{control, table_link},
    fragment::{Join, JoinKind, Table, ValueType},
};

/// A join with its places.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    pub(crate) join: &'a Join,
    layout: RowLayout,
    /// Columns of the rows that probe.
    row_columns: Vec<ValueType>,
    /// The table's [`table_link`] in the control block.
    link: u32,
    /// Which of the pipeline's joins it is.
    level: i32,
    /// `u32` fields of the state area: cursor, end, matched, while no call runs.
    saved: u32,
    /// Bytes of marks that are cleared.
    cleared: u32,
}

/// A join's position, in locals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    view: View,
    /// Address of the candidate, and of the first row that is none.
    pub(crate) cursor: Local<I32>,
    pub(crate) end: Local<I32>,
    /// 1 when a candidate was a match.
    pub(crate) matched: Local<I32>,
    /// Address of the marks and of the first row; only of joins that keep rows of the table.
    marks: Option<(Local<I32>, Local<I32>)>,
}

/// A walk through a pipeline with joins, in locals.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Rows and candidates it may still take before the sink has to make room.
    pub(crate) budget: Local<I32>,
    /// One more than the level of the join that has stopped in the middle of its candidates; 0 for none.
    pub(crate) resume: Local<I32>,
    /// Blocks that the call may still begin.
    pub(crate) blocks: Local<I32>,
    pub(crate) positions: Vec<Position>,
}

impl<'a> Lookup<'a> {
    /// The `number`-th join of the fragment and the `level`-th of its pipeline.
    pub(crate) fn new(
        join: &'a Join,
        row_columns: Vec<ValueType>,
        number: u32,
        level: i32,
        state: &mut StateArea,
    ) -> Self {
        let saved = state.place(16);
        Self {
            join,
            layout: table::layout(&join.table.columns),
            row_columns,
            link: control::TABLES + number * table_link::BYTES,
            level,
            saved,
            cleared: saved + 12,
        }
    }

    fn view(&self, f: &mut Function) -> View {
        let Table { columns, keys } = &self.join.table;
        View::load(f, self.link + table_link::ADDRESS, columns, keys)
    }

    /// The position that the last call has left.
    pub(crate) fn load(&self, f: &mut Function) -> Position {
        let view = self.view(f);
        let marks = self.join.kind.keeps_table_rows().then(|| {
            let marks = f.let_(field(self.link + table_link::MATCHED));
            (marks, view.first_row())
        });
        Position {
            view,
            cursor: f.let_(field(self.saved)),
            end: f.let_(field(self.saved + 4)),
            matched: f.let_(field(self.saved + 8)),
            marks,
        }
    }

    pub(crate) fn save(&self, f: &mut Function, position: Position) {
        let fields = [position.cursor, position.end, position.matched];
        for (address, local) in (self.saved..).step_by(4).zip(fields) {
            set_field(f, address, local);
        }
    }

    /// Whether a row without candidates goes on.
    pub(crate) fn keeps_unmatched(&self) -> bool {
        matches!(
            self.join.kind,
            JoinKind::Right | JoinKind::Full | JoinKind::RightAnti
        )
    }

    /// Start and end of a row's candidates.
    pub(crate) fn find(
        &self,
        f: &mut Function,
        position: Position,
        keys: &[Datum],
    ) -> (Local<I32>, Local<I32>) {
        let (start, end) = position.view.find(f, keys);
        if let Some(null) = table::any_null(f, keys).filter(|_| !self.join.nulls_equal) {
            f.set(end, select::<I32>(null, start, end));
        }
        (start, end)
    }

    /// 1 where the table says whether it has a key without leading to its rows; `None` where none does, or where rows go on
    /// whether it has their key or not.
    pub(crate) fn excludes_quickly(&self, position: Position) -> Option<Value<I32>> {
        match self.keeps_unmatched() {
            true => None,
            false => position.view.is_ranked(),
        }
    }

    /// 1 where such a table has the keys of a row.
    pub(crate) fn has(&self, f: &mut Function, position: Position, keys: &[Datum]) -> Value<I32> {
        let present = position.view.has(f, keys);
        match table::any_null(f, keys).filter(|_| !self.join.nulls_equal) {
            Some(null) => present & null.get().eqz(),
            None => present,
        }
    }

    /// Keys of a probing row.
    pub(crate) fn keys(&self, f: &mut Function, row: &Row<'_>) -> Vec<Datum> {
        let keys = self.join.keys.iter();
        keys.map(|key| row.value(f, key)).collect()
    }

    /// A row through the join; `next` takes what comes out. Leaves through `leave` where the budget is spent.
    ///
    /// The first join of a pipeline is looked up for many rows at once, so that its position is there already.
    pub(crate) fn probe(
        &self,
        f: &mut Function,
        walk: &Walk,
        row: &Row<'_>,
        leave: Label,
        next: &mut dyn FnMut(&mut Function, &Row<'_>),
    ) {
        let position = walk.positions[self.level as usize];
        let keys = self.keys(f, row);
        if self.level > 0 {
            f.if_(walk.resume.get().le_s(self.level), |f| {
                let (start, end) = self.find(f, position, &keys);
                f.set(position.cursor, start);
                f.set(position.end, end);
                f.set(position.matched, 0);
            });
        }
        match self.join.kind {
            JoinKind::Inner | JoinKind::Left => {
                self.each_candidate(f, walk, row, &keys, leave, next);
            }
            JoinKind::LeftSemi | JoinKind::LeftAnti => {
                self.each_candidate(f, walk, row, &keys, leave, &mut |_, _| {});
            }
            JoinKind::RightSemi | JoinKind::RightAnti => {
                f.block(|f, found| {
                    f.branch_if(found, position.matched);
                    self.each_candidate(f, walk, row, &keys, leave, &mut |f, _| {
                        f.set(position.matched, 1);
                        f.branch(found);
                    });
                });
                let wanted = match self.join.kind {
                    JoinKind::RightSemi => position.matched.get(),
                    _ => position.matched.get().eqz(),
                };
                f.if_(wanted, |f| next(f, row));
            }
            JoinKind::Right | JoinKind::Full => {
                self.each_candidate_or_none(f, walk, row, &keys, leave, next);
            }
        }
    }

    /// Runs the body for each match.
    fn each_candidate(
        &self,
        f: &mut Function,
        walk: &Walk,
        row: &Row<'_>,
        keys: &[Datum],
        leave: Label,
        body: &mut dyn FnMut(&mut Function, &Row<'_>),
    ) {
        let position = walk.positions[self.level as usize];
        f.block(|f, done| {
            f.repeat(|f, again| {
                f.branch_if(done, position.end.get().le_u(position.cursor));
                walk.spend(f, self.level, leave);
                let pair = self.pair(walk, row, position.cursor, None);
                let same = self.matches(f, position, &pair, keys);
                f.if_(same, |f| {
                    self.mark(f, position);
                    body(f, &pair);
                });
                self.advance(f, position);
                f.branch(again);
            });
        });
    }

    /// Runs the body for each match, or once without a row of the table where there is none.
    fn each_candidate_or_none(
        &self,
        f: &mut Function,
        walk: &Walk,
        row: &Row<'_>,
        keys: &[Datum],
        leave: Label,
        body: &mut dyn FnMut(&mut Function, &Row<'_>),
    ) {
        let position = walk.positions[self.level as usize];
        let absent = f.local::<I32>();
        let table_row = f.local::<I32>();
        f.block(|f, done| {
            f.repeat(|f, again| {
                f.set(absent, position.end.get().le_u(position.cursor));
                f.branch_if(done, absent.get() & position.matched);
                walk.spend(f, self.level, leave);
                // The table's own start stands in for a row: it is there, and whatever it says is null.
                let address = position.view.address;
                f.set(table_row, select::<I32>(absent, address, position.cursor));
                let pair = self.pair(walk, row, table_row, None);
                f.if_(absent.get().eqz(), |f| {
                    let same = self.matches(f, position, &pair, keys);
                    f.if_(same.eqz(), |f| {
                        self.advance(f, position);
                        f.branch(again);
                    });
                    f.set(position.matched, 1);
                    self.mark(f, position);
                });
                body(f, &self.pair(walk, row, table_row, Some(absent)));
                f.branch_if(done, absent);
                self.advance(f, position);
                f.branch(again);
            });
        });
    }

    fn advance(&self, f: &mut Function, position: Position) {
        f.set(
            position.cursor,
            position.cursor.get() + self.layout.row_bytes,
        );
    }

    fn pair<'r>(
        &self,
        walk: &Walk,
        row: &Row<'r>,
        table_row: Local<I32>,
        absent: Option<Local<I32>>,
    ) -> Row<'r> {
        let table = walk.positions[self.level as usize].view.address;
        let mut columns = self.layout.bind(table_row, absent, Some(table));
        columns.extend(row.columns.iter().cloned());
        Row { columns, ..*row }
    }

    /// 1 where a pair has the same keys and fulfils the filter.
    fn matches(
        &self,
        f: &mut Function,
        position: Position,
        pair: &Row<'_>,
        keys: &[Datum],
    ) -> Value<I32> {
        let same: Local<I32> = f.let_(1);
        let compare = |f: &mut Function| {
            for (column, key) in self.join.table.keys.iter().zip(keys) {
                let stored = pair.column(f, &pair.columns[*column]);
                let equal = expr::equals(f, &stored, key);
                let equal = match (stored.null, key.null, self.join.nulls_equal) {
                    (None, None, _) => equal,
                    (Some(one), Some(other), true) => one.get().eq(other) & (equal | one),
                    // A null on one side only is no match; nor is one on both sides where nulls are not equal.
                    (Some(one), Some(other), false) => equal & (one.get() | other).eqz(),
                    (Some(null), None, _) | (None, Some(null), _) => equal & null.get().eqz(),
                };
                f.set(same, same.get() & equal);
            }
        };
        let may_be_null = self.join.nulls_equal && keys.iter().any(|key| key.null.is_some());
        match position.view.is_ranked() {
            // The candidates in such a table are the rows with the key, and where nothing else is read of them they stay
            // where they are, out of the caches.
            Some(is_ranked) if !may_be_null => f.if_(is_ranked.eqz(), compare),
            _ => compare(f),
        }
        if let Some(filter) = &self.join.filter {
            // A filter may fail for rows that are no pair.
            f.if_(same, |f| {
                let keep = pair.value(f, filter);
                f.set(same, keep.is_true());
            });
        }
        same.get()
    }
}

impl Walk {
    /// Takes one candidate of the budget, or leaves where it is spent. Clears `resume` where this join had stopped.
    fn spend(&self, f: &mut Function, level: i32, leave: Label) {
        f.if_(self.resume.get().eq(level + 1), |f| f.set(self.resume, 0));
        f.if_(self.resume.get().eqz(), |f| {
            f.if_(self.budget.get().le_s(0), |f| {
                f.set(self.resume, level + 1);
                f.branch(leave);
            });
            f.set(self.budget, self.budget.get() - 1);
        });
    }
}
