//! The fragment: a typed, positional form of a plan piece between DataFusion's plan and WebAssembly.
//!
//! [`ir`] is what it is, [`like`] the classes of its patterns, [`rules`] its type rules, [`verifier`] what every fragment keeps; [`printer`] and [`parser`] turn
//! it into text and back, by way of [`sexpr`].

mod arrow_types;
mod columns;
pub mod ir;
pub mod like;
mod limits;
pub mod parser;
pub mod printer;
pub mod rules;
mod sexpr;
pub mod types;
pub mod verifier;

pub use ir::{
    Aggregate, AggregateFunction, ArithmeticOp, Build, Call, CompareOp, Expr, Fragment, Input,
    Join, JoinKind, LikeClass, Mode, Operator, Pipeline, Sink, Sort, SortKey, Source, Table,
    TimePart,
};
pub use parser::ParseError;
pub use rules::ValueType;
pub use types::{Column, Facts, Lane, Param, Range, Storage, Type};
pub use verifier::VerifyError;
