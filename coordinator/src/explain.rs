//! `EXPLAIN FRAGMENTS`: one row per operator of the plan, and how it runs.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::{Outcome, place::Placed};

pub(crate) fn fragments_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("stage", DataType::Int32, false),
        // SHA-256 of the module the operator is part of.
        Field::new("fragment", DataType::Utf8, true),
        Field::new("operator", DataType::Utf8, false),
        Field::new("runs", DataType::Utf8, false),
        // Why a native operator is not compiled.
        Field::new("reason", DataType::Utf8, true),
        Field::new("wasm_bytes", DataType::Int64, true),
        Field::new("compile_ms", DataType::Float64, true),
        Field::new("cached", DataType::Boolean, true),
    ]))
}

pub(crate) fn fragments(placed: &Placed) -> Outcome {
    let rows: Vec<_> = placed
        .compiled
        .stages
        .iter()
        .flat_map(|stage| {
            stage
                .operators
                .iter()
                .map(move |operator| (stage.stage.id, operator))
        })
        .collect();
    let none = rows.len();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(
            rows.iter().map(|(stage, _)| stage.0 as i32),
        )),
        Arc::new(StringArray::new_null(none)),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, operator)| &operator.name),
        )),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, operator)| operator.runs.name()),
        )),
        Arc::new(StringArray::from_iter(
            rows.iter().map(|(_, operator)| operator.reason),
        )),
        Arc::new(Int64Array::new_null(none)),
        Arc::new(Float64Array::new_null(none)),
        Arc::new(BooleanArray::new_null(none)),
    ];
    Outcome::rows(fragments_schema(), columns)
}
