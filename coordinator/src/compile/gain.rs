//! What `SET murre.compile = auto` compiles: pieces that fragments run faster than DataFusion, where they have enough to do.

use std::sync::Arc;

use datafusion::physical_plan::{
    ExecutionPlan, aggregates::AggregateExec, joins::HashJoinExec, sorts::sort::SortExec,
};
use worker_wasm::{
    fragment::{Mode, Sink},
    lower::{Piece, Reason},
};

/// Whether an operator should be in a piece, whatever else is.
pub(super) fn wants(plan: &Arc<dyn ExecutionPlan>) -> Result<(), Reason> {
    // DataFusion puts rows on disk that do not fit, and sorts what is left of a query about as fast.
    if plan.is::<SortExec>() || plan.is::<HashJoinExec>() {
        return Err(Reason::Choice(
            "DataFusion's own operator is as fast".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a piece is one that fragments run faster than DataFusion. Aggregations are; of rows that only pass through,
/// copying them in and out costs what compiled expressions save.
pub(super) fn gains(piece: &Piece) -> bool {
    let part = &piece.part;
    if stops_early(&piece.sources(), &part.native) {
        return false;
    }
    let mut sinks = part.bound.fragment.pipelines.iter().map(|of| &of.sink);
    sinks.any(|sink| matches!(sink, Sink::Aggregate(aggregate) if aggregate.mode != Mode::Final))
}

/// Whether DataFusion's operator spares rows that a fragment reads: it ends with a number of groups, or tells its scan
/// which values still matter.
fn stops_early(sources: &[&Arc<dyn ExecutionPlan>], native: &Arc<dyn ExecutionPlan>) -> bool {
    if sources.iter().any(|source| Arc::ptr_eq(source, native)) {
        return false;
    }
    let own = native.downcast_ref::<AggregateExec>();
    let own = own.is_some_and(|aggregate| {
        aggregate.limit_options().is_some() || aggregate.dynamic_filter_expr().is_some()
    });
    let mut children = native.children().into_iter();
    own || children.any(|child| stops_early(sources, child))
}

/// What a row gains at least in the pieces that gain. Nanoseconds.
const SAVED_PER_ROW: usize = 20;

/// What compiling costs a byte of a module. Nanoseconds.
const COST_PER_BYTE: usize = 1_000;

pub(super) fn pays(rows: usize, module_bytes: usize) -> bool {
    rows.saturating_mul(SAVED_PER_ROW) >= module_bytes.saturating_mul(COST_PER_BYTE)
}

/// Rows that a piece is estimated to read; unknown counts as none.
pub(super) fn rows(piece: &Piece) -> usize {
    let rows = piece.sources().into_iter().filter_map(|source| {
        let statistics = source.partition_statistics(None).ok()?;
        statistics.num_rows.get_value().copied()
    });
    rows.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiling_pays_for_many_rows_only() {
        assert!(!pays(0, 1));
        assert!(!pays(100, 5_000));
        assert!(pays(600_000, 10_000));
        assert!(pays(usize::MAX, usize::MAX));
    }
}
