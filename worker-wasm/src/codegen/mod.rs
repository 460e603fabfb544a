//! Fragment -> WebAssembly module. Knows operators and types, no query.
//!
//! [`compile`] is the table of contents: one exported function per call of the ABI, its parts in [`pipeline`] (the loop
//! over rows), [`expr`] (what a row computes), [`emit`] and [`aggregate`] (where rows go), written with [`builder`].

mod aggregate;
mod builder;
mod calendar;
mod distinct;
mod emit;
mod expr;
mod hash_table;
mod memory;
mod module;
mod pipeline;
mod selection;
mod small_keys;
mod text;
mod text_heap;
mod vector;
mod wide;

use builder::{Finished, Function, I32, I64, Local, Value};
use memory::StateArea;
use pipeline::{Compiled, Context};

use crate::{
    RuntimeError,
    abi::{self, Status},
    fragment::{Fragment, Source, VerifyError, verifier},
    module::{Description, FragmentModule},
};

/// Why a fragment has no module.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A bug of whoever made the fragment: it breaks its own rules.
    #[error("the fragment fails verification")]
    Verify(#[from] VerifyError),
    /// A bug of ours: the module is not what it should be.
    #[error("the module cannot be read back")]
    Module(#[from] RuntimeError),
}

/// The module of a fragment. Equal fragments give equal bytes.
pub fn compile(fragment: &Fragment) -> Result<FragmentModule, CompileError> {
    verifier::verify(fragment)?;
    let mut state = StateArea::new();
    let params = state.place(fragment.params.len() as u32 * abi::PARAM_BYTES);
    let context = Context { fragment, params };
    let mut compiled: Vec<Compiled<'_>> = Vec::new();
    for pipeline in &fragment.pipelines {
        let next = Compiled::new(&context, pipeline, &compiled, &mut state);
        compiled.push(next);
    }

    let mut exports = vec![(abi::OPEN.to_owned(), open(fragment, params))];
    for (index, pipeline) in fragment.pipelines.iter().enumerate() {
        if let Source::Input(input) = pipeline.source {
            exports.push((abi::push_name(input), compiled[index].push(&context, input)));
            exports.push((abi::finish_name(input), compiled[index].finish()));
        }
    }
    let last = compiled.last().expect("verified: a pipeline emits");
    exports.push((abi::PULL.to_owned(), last.pull(&context)));

    let description = Description {
        abi_version: abi::ABI_VERSION,
        codegen_version: abi::CODEGEN_VERSION,
        fragment: fragment.to_string(),
        state_bytes: state.bytes(),
        host_expressions: Vec::new(),
    };
    Ok(FragmentModule::from_bytes(module::assemble(
        exports,
        &description,
    ))?)
}

/// `open(params)`: copies the parameters, which the host overwrites with the first batch.
fn open(fragment: &Fragment, params: u32) -> Finished {
    let mut f = Function::new(module::STATUS);
    let from: Local<I32> = f.param();
    for offset in (0..fragment.params.len() as u32 * abi::PARAM_BYTES).step_by(8) {
        let half: Value<I64> = from.get().load(offset);
        f.store::<I64>(0, params + offset, half);
    }
    f.return_(Status::Done as i32);
    f.finish()
}
