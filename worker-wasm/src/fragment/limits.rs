//! What a fragment may say, but generated code cannot do yet: each is refused with the reason.

use super::{
    ir::{Expr, Pipeline, Sink},
    types::Type,
    verifier::Scope,
};

/// Why a pipeline cannot be compiled, if so. `scope` is what its sink gets.
pub(super) fn check(pipeline: &Pipeline, scope: &Scope<'_>) -> Result<(), &'static str> {
    let Sink::Sort(sort) = &pipeline.sink else {
        return Ok(());
    };
    let mut computed = sort.keys.iter().map(|key| &key.expr);
    let is_text = |key: &Expr| scope.value_type(key).is_ok_and(|of| of.ty == Type::Utf8);
    match computed.any(|key| !matches!(key, Expr::Column(_)) && is_text(key)) {
        true => Err("computed text is no sort key: a row keeps only its columns"),
        false => Ok(()),
    }
}
