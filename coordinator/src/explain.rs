//! `EXPLAIN FRAGMENTS`: one row per operator of the plan, and how it runs. `EXPLAIN WAT`: the modules as text.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use worker_wasm::{exec::Modules, lower::Runs};

use crate::{
    Outcome, QueryContext, QueryError,
    cut::{Reach, Stays},
    error_chain,
    place::Placed,
};

pub(crate) fn fragments_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("stage", DataType::Int32, false),
        // SHA-256 of the module the operator is part of.
        Field::new("fragment", DataType::Utf8, true),
        Field::new("operator", DataType::Utf8, false),
        Field::new("runs", DataType::Utf8, false),
        // Why a native operator is not compiled, or what keeps the plan from the workers that were asked for.
        Field::new("reason", DataType::Utf8, true),
        Field::new("wasm_bytes", DataType::Int64, true),
        Field::new("compile_ms", DataType::Float64, true),
        // Whether its code was there before this process first needed it.
        Field::new("cached", DataType::Boolean, true),
    ]))
}

/// An operator's row.
struct Row<'a> {
    stage: i32,
    operator: &'a str,
    runs: &'a Runs,
    /// What keeps the plan from workers, if this operator does.
    blocks: Option<&'a Stays>,
    modules: Option<&'a Arc<Modules>>,
}

impl Row<'_> {
    fn reason(&self) -> Option<String> {
        let native = match self.runs {
            Runs::Native(reason) => Some(reason.to_string()),
            Runs::Wasm(_) | Runs::Scan | Runs::Exchange => None,
        };
        match (native, self.blocks) {
            (Some(native), Some(blocks)) => Some(format!("{native}; {blocks}")),
            (native, blocks) => native.or_else(|| blocks.map(ToString::to_string)),
        }
    }
}

fn name(runs: &Runs) -> &'static str {
    match runs {
        Runs::Wasm(_) => "wasm",
        Runs::Native(_) => "native",
        Runs::Scan => "scan",
        Runs::Exchange => "exchange",
    }
}

pub(crate) fn fragments(placed: &Placed) -> Outcome {
    let compiled = &placed.compiled;
    let blocker = match &compiled.reach {
        Reach::Here(blocker) => blocker.as_ref(),
        Reach::Workers { .. } => None,
    };
    let rows = compiled.operators.iter().enumerate();
    let rows: Vec<_> = rows
        .map(|(index, of)| Row {
            stage: of.stage.0 as i32,
            operator: &of.operator.name,
            runs: &of.operator.runs,
            blocks: blocker
                .filter(|blocker| blocker.operator == index)
                .map(|blocker| &blocker.reason),
            modules: match &of.operator.runs {
                Runs::Wasm(fragment) => compiled.fragments.get(*fragment),
                Runs::Native(_) | Runs::Scan | Runs::Exchange => None,
            },
        })
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(
            rows.iter().map(|row| row.stage),
        )),
        Arc::new(StringArray::from_iter(of_modules(&rows, |modules| {
            modules.module().name()
        }))),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|row| row.operator),
        )),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|row| name(row.runs)),
        )),
        Arc::new(StringArray::from_iter(rows.iter().map(Row::reason))),
        Arc::new(Int64Array::from_iter(of_modules(&rows, |modules| {
            modules.module().bytes().len() as i64
        }))),
        Arc::new(Float64Array::from_iter(of_modules(&rows, |modules| {
            modules.compile_time().as_secs_f64() * 1e3
        }))),
        Arc::new(BooleanArray::from_iter(of_modules(&rows, |modules| {
            modules.cached()
        }))),
    ];
    Outcome::rows(fragments_schema(), columns)
}

/// Something about each row's module, and nothing for rows without one.
fn of_modules<T>(rows: &[Row<'_>], get: impl Fn(&Modules) -> T) -> Vec<Option<T>> {
    let modules = rows.iter().map(|row| row.modules);
    modules.map(|of| of.map(|of| get(of))).collect()
}

pub(crate) fn wat_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("stage", DataType::Int32, false),
        Field::new("fragment", DataType::Utf8, false),
        // The fragment's own text: its shape, without names and literals.
        Field::new("shape", DataType::Utf8, false),
        Field::new("wat", DataType::Utf8, false),
        // Its bytes, for `murre fragment`.
        Field::new("wasm", DataType::Binary, false),
    ]))
}

/// One row per fragment, in the order in which they were found, sources first.
pub(crate) fn wat(ctx: &QueryContext, placed: &Placed) -> Result<Outcome, QueryError> {
    let (mut stages, mut names) = (Vec::new(), Vec::new());
    let (mut shapes, mut texts) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    for (fragment, modules) in placed.compiled.fragments.iter().enumerate() {
        let module = modules.module();
        let text = module.wat().map_err(|error| QueryError::Internal {
            id: ctx.id(),
            detail: error_chain(&error),
        })?;
        stages.push(placed.compiled.stage_of(fragment).0 as i32);
        names.push(module.name());
        shapes.push(module.fragment().to_string());
        texts.push(text);
        bytes.push(module.bytes());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(stages)),
        Arc::new(StringArray::from(names)),
        Arc::new(StringArray::from(shapes)),
        Arc::new(StringArray::from(texts)),
        Arc::new(BinaryArray::from_vec(bytes)),
    ];
    Ok(Outcome::rows(wat_schema(), columns))
}
