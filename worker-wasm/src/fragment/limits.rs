//! What a fragment may say, but generated code cannot do yet: each is refused with the reason.

use super::{
    ir::{Pipeline, Sink},
    types::Type,
    verifier::Scope,
};

/// Why a pipeline cannot be compiled, if so. `scope` is what its sink gets.
pub(super) fn check(pipeline: &Pipeline, scope: &Scope<'_>) -> Result<(), &'static str> {
    let Sink::Sort(sort) = &pipeline.sink else {
        return Ok(());
    };
    let mut types = sort.keys.iter().map(|key| scope.value_type(&key.expr));
    match types.any(|of| of.is_ok_and(|of| of.ty == Type::Utf8)) {
        true => Err("text is no sort key: keys are of fixed width"),
        false => Ok(()),
    }
}
