//! Rows that a join keeps of its table, once all have probed.

use super::{Probing, Target, put};
use crate::codegen::{
    builder::{Function, I32, Local},
    expr::{Datum, Row},
    join::Walk,
    memory::{field, set_field},
    pipeline::Context,
};

impl<'a> Probing<'a> {
    /// When all have probed: the rows that a join keeps of its table into the target.
    pub(crate) fn keep_rows(
        &self,
        f: &mut Function,
        walk: &Walk,
        params: &[Datum],
        context: &Context<'_>,
        target: &Target<'_, 'a>,
    ) {
        let mut lookups = self.lookups.iter();
        let Some(level) = lookups.position(|lookup| lookup.join.kind.keeps_table_rows()) else {
            return;
        };
        let lookup = &self.lookups[level];
        let position = walk.positions[level];
        let behind = self.behind(level);
        let kept: Local<I32> = f.let_(field(self.kept));
        let rows: Local<I32> = f.let_(lookup.table_rows(position));
        f.if_(field(self.finished) & lookup.keeps(), |f| {
            f.block(|f, done| {
                f.repeat(|f, next_block| {
                    set_field(f, self.kept, kept);
                    f.branch_if(done, rows.get().le_u(kept));
                    let block = self.begin_block(f, walk, target);
                    f.block(|f, leave| {
                        f.repeat(|f, again| {
                            f.branch_if(leave, rows.get().le_u(kept));
                            f.if_(walk.resume.get().eqz(), |f| {
                                f.branch_if(leave, walk.budget.get().le_s(0));
                                f.set(walk.budget, walk.budget.get() - 1);
                            });
                            let row = Row {
                                columns: Vec::new(),
                                params,
                                param_types: &context.fragment.params,
                                index: kept,
                            };
                            lookup.kept_row(f, position, kept, row, &mut |f, row| {
                                self.flow(f, walk, row, behind, level + 1, leave, &mut |f, row| {
                                    put(f, target, block.as_ref(), row);
                                });
                            });
                            f.set(kept, kept.get() + 1);
                            f.branch(again);
                        });
                    });
                    f.branch(next_block);
                });
            });
        });
    }
}
