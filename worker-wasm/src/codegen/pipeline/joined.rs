//! The calls of a pipeline with joins; what they drive is in [`crate::codegen::probe`].

use super::{Compiled, CompiledSink, Context, bind, count_rows};
use crate::{
    abi::Status,
    codegen::{
        builder::{Function, I32, Local},
        emit::Emission,
        expr::{self, Datum, Row},
        join::Walk,
        memory::field,
        probe::{Batch, Probing, Target},
        sink::Store,
    },
    fragment::Source,
};

impl<'a> Compiled<'a> {
    /// `push_<input>(rows)` into a sink that stores.
    #[allow(
        clippy::too_many_arguments,
        reason = "what a batch is, and where it goes"
    )]
    pub(super) fn push_joined(
        &self,
        f: &mut Function,
        context: &Context<'a>,
        input: usize,
        rows: Local<I32>,
        params: &[Datum],
        probing: &Probing<'a>,
        store: &Store<'a>,
    ) {
        probing.ensure(f);
        let accumulators = store.begin(f);
        let walk = probing.begin(f);
        let row_text = store.row_text(f, &context.fragment.inputs[input], input);
        let target = Target::Store(store, &accumulators, row_text);
        self.drive(f, context, input, rows, params, probing, &walk, &target);
        store.end(f, &accumulators);
        count_rows(f, rows);
        f.return_(Status::Done as i32);
    }

    /// The stage of `finish_<input>()` before that, of the pipeline that reads the input: what joins keep of their tables.
    pub(crate) fn finish_joins(&self, f: &mut Function, context: &Context<'a>) {
        let Some(probing) = &self.probing else {
            return;
        };
        probing.finish(f);
        if let CompiledSink::Store(store) = &self.sink {
            store.go_on(f);
            let params = expr::load_params(f, &context.fragment.params, context.params);
            let accumulators = store.begin(f);
            let walk = probing.begin(f);
            // Kept rows are of a table, whose text stays.
            let target = Target::Store(store, &accumulators, None);
            probing.keep_rows(f, &walk, &params, context, &target);
            store.end(f, &accumulators);
        }
    }

    /// `pull(rows_max)` behind joins: what a batch that was pushed comes to, and rows kept of a table.
    pub(super) fn pull_joined(
        &self,
        f: &mut Function,
        context: &Context<'a>,
        rows_max: Local<I32>,
        emission: &Emission,
        probing: &Probing<'a>,
    ) {
        let Source::Input(input) = self.pipeline.source else {
            unreachable!("verified: only rows of an input probe");
        };
        emission.ensure(f, rows_max);
        probing.ensure(f);
        let params = expr::load_params(f, &context.fragment.params, context.params);
        let out = emission.begin_again(f);
        let walk = probing.begin(f);
        let left: Local<I32> = f.let_(1);
        f.block(|f, enough| {
            let target = Target::Emit(emission, &out, rows_max, enough);
            let pending: Local<I32> = f.let_(probing.pending());
            f.if_(pending, |f| {
                self.drive(f, context, input, pending, &params, probing, &walk, &target);
            });
            probing.keep_rows(f, &walk, &params, context, &target);
            f.set(left, 0);
        });
        emission.end(f, &out);
        emission.publish(f, Some(left.get()));
    }

    /// A batch through joins.
    #[allow(
        clippy::too_many_arguments,
        reason = "what a batch is, where it goes, and what both share"
    )]
    fn drive(
        &self,
        f: &mut Function,
        context: &Context<'a>,
        input: usize,
        rows: Local<I32>,
        params: &[Datum],
        probing: &Probing<'a>,
        walk: &Walk,
        target: &Target<'_, 'a>,
    ) {
        let survivors = self.select(f, context, input, rows, params);
        let batch = Batch {
            selected: self.selected_rows(f, rows, survivors),
            position: f.let_(field(self.position)),
            position_field: self.position,
            selected_field: self.selected,
            selection: survivors.map(|survivors| survivors.vector),
        };
        let row = Row {
            columns: bind(f, &context.fragment.inputs[input], input),
            params,
            param_types: &context.fragment.params,
            index: f.local(),
        };
        probing.drive(f, walk, batch, row, target);
    }
}
