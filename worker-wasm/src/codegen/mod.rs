//! Fragment -> WebAssembly module. Knows operators and types, no query.
//!
//! [`compile`] is the table of contents: one exported function per call of the ABI, its parts in [`pipeline`] (the loop
//! over rows), [`expr`] (what a row computes), [`emit`] and [`aggregate`] (where rows go), written with [`builder`].

mod aggregate;
mod build;
mod builder;
mod calendar;
mod distinct;
mod emit;
mod expr;
mod hash;
mod hash_table;
mod join;
mod late;
mod memory;
mod merge;
mod module;
mod pipeline;
mod probe;
mod ranks;
mod rows;
mod selection;
mod sink;
mod small_keys;
mod sort;
mod sort_key;
mod table;
mod text;
mod text_heap;
mod vector;
mod wide;

pub(crate) use rows::Place;

use builder::{Finished, Function, I32, I64, Local, Value};
use memory::StateArea;
use pipeline::{Compiled, Context};

use crate::{
    RuntimeError,
    abi::{self, Status},
    fragment::{Fragment, Sink, Source, ValueType, VerifyError, verifier},
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

    let mut exports = vec![(abi::OPEN.to_owned(), open(fragment, params, &compiled))];
    for (index, pipeline) in fragment.pipelines.iter().enumerate() {
        if let Source::Input(input) = pipeline.source {
            exports.push((abi::push_name(input), compiled[index].push(&context, input)));
            let name = abi::finish_name(input);
            exports.push((name, finish(&context, &compiled, index, &mut state)));
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

/// Where the columns of a join table are in its rows, and how long a row is. Bytes.
pub(crate) fn table_places(columns: &[ValueType]) -> (Vec<Place>, usize) {
    let layout = table::layout(columns);
    (layout.places(), layout.row_bytes as usize)
}

/// Writes what has to be done before something else, in one call or many.
type Work<'a> = Box<dyn Fn(&mut Function) + 'a>;

/// `finish_<input>()`: completes the sink of the pipeline that reads the input, then of those that read what is stored
/// there, one after the other.
fn finish(
    context: &Context<'_>,
    compiled: &[Compiled<'_>],
    first: usize,
    state: &mut StateArea,
) -> Finished {
    let mut f = Function::new(module::STATUS);
    let storing = storing_from(context.fragment, first);
    let mut works: Vec<Work<'_>> = Vec::new();
    if compiled[first].joins() {
        works.push(Box::new(|f| compiled[first].finish_joins(f, context)));
    }
    for index in storing {
        works.push(Box::new(move |f| {
            compiled[index].read_stored(f, context);
            compiled[index].finish(f);
        }));
    }
    match works.as_slice() {
        [] => {}
        [only] => only(&mut f),
        several => {
            // How much of the work is done.
            let stage = state.place(4);
            for (work, done) in several.iter().zip(0..) {
                f.if_(memory::field(stage).eq(done), |f| {
                    work(f);
                    memory::set_field(f, stage, done + 1);
                });
            }
        }
    }
    f.return_(Status::Done as i32);
    f.finish()
}

/// A pipeline and those that read what it has stored, one after the other, without the one that emits.
fn storing_from(fragment: &Fragment, first: usize) -> Vec<usize> {
    let reader = |of: &usize| {
        let mut pipelines = fragment.pipelines.iter();
        pipelines.position(|later| verifier::stored_by(later.source) == Some(*of))
    };
    let chain = std::iter::successors(Some(first), reader);
    chain
        .filter(|index| fragment.pipelines[*index].sink != Sink::Emit)
        .collect()
}

/// `open(params)`: copies the parameters, which the host overwrites with the first batch.
fn open(fragment: &Fragment, params: u32, compiled: &[Compiled<'_>]) -> Finished {
    let mut f = Function::new(module::STATUS);
    let from: Local<I32> = f.param();
    for offset in (0..fragment.params.len() as u32 * abi::PARAM_BYTES).step_by(8) {
        let half: Value<I64> = from.get().load(offset);
        f.store::<I64>(0, params + offset, half);
    }
    for pipeline in compiled {
        pipeline.open(&mut f);
    }
    f.return_(Status::Done as i32);
    f.finish()
}
