//! Why an operator stays native.

use arrow::datatypes::DataType;

use crate::fragment::VerifyError;

/// What keeps an operator out of a fragment. The text is what `EXPLAIN FRAGMENTS` shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No generated code for the operator.
    #[error("operator is not compiled yet")]
    Operator,
    /// The operator is one that is compiled, but not in this form.
    #[error("{0}")]
    Form(&'static str),
    #[error("column \"{name}\" is of type {data_type}, which is not compiled yet")]
    Column { name: String, data_type: DataType },
    #[error("type {0} is not compiled yet")]
    Type(DataType),
    #[error("expression `{0}` is not compiled yet")]
    Expression(String),
    #[error("`{expression}` is not compiled yet: {detail}")]
    Rule { expression: String, detail: String },
    #[error("aggregate `{0}` is not compiled yet")]
    Aggregate(String),
    /// The plan and the type rules of fragments disagree, so running the fragment would not give the plan's columns.
    #[error("column \"{column}\" would be {fragment}, and the plan says {plan}")]
    Output {
        column: String,
        fragment: String,
        plan: DataType,
    },
    /// It could be compiled, and whoever asked chose not to.
    #[error("{0}")]
    Choice(String),
}

impl Reason {
    /// The rule of fragments that `expression` breaks.
    pub(crate) fn rule(expression: impl ToString, error: &VerifyError) -> Self {
        Self::Rule {
            expression: expression.to_string(),
            detail: error.to_string(),
        }
    }
}
