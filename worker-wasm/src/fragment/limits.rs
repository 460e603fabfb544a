//! What a fragment may say, but generated code cannot do yet: each is refused with the reason.
//!
//! All of them are about text that would have to be kept beyond its batch.

use super::{
    ir::{AggregateFunction, Operator, Pipeline, Sink, Source},
    rules::ValueType,
    types::Type,
    verifier::{Scope, joins},
};

/// Why a pipeline cannot be compiled, if so. `scope` is what its sink gets.
pub(super) fn check(pipeline: &Pipeline, scope: &Scope<'_>) -> Result<(), &'static str> {
    let is_text = |of: &ValueType| of.ty == Type::Utf8;
    if joins(pipeline).any(|join| join.table.columns.iter().any(is_text)) {
        return Err("a join table does not hold text");
    }
    match &pipeline.sink {
        Sink::Emit => Ok(()),
        Sink::Build(_) if scope.columns.iter().any(is_text) => {
            Err("a join table does not hold text")
        }
        Sink::Sort(_) if scope.columns.iter().any(is_text) => Err("sorted rows do not hold text"),
        Sink::Sort(sort) => {
            let mut types = sort.keys.iter().map(|key| scope.value_type(&key.expr));
            match types.any(|of| of.is_ok_and(|of| is_text(&of))) {
                true => Err("text is no sort key"),
                false => Ok(()),
            }
        }
        Sink::Aggregate(aggregate) => {
            let from_batch = matches!(pipeline.source, Source::Input(_))
                && !pipeline
                    .operators
                    .iter()
                    .any(|op| matches!(op, Operator::Join(_)));
            let keys = aggregate.keys.iter();
            let best = aggregate.calls.iter().filter(|call| {
                matches!(
                    call.function,
                    AggregateFunction::Min | AggregateFunction::Max
                )
            });
            let mut kept = keys.chain(best.flat_map(|call| &call.arguments));
            let keeps_text = kept.any(|expr| scope.value_type(expr).is_ok_and(|of| is_text(&of)));
            match keeps_text && !from_batch {
                true => Err("text of joined or stored rows is not kept by an aggregation"),
                false => Ok(()),
            }
        }
        Sink::Build(_) => Ok(()),
    }
}
