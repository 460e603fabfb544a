//! Pieces of query plans as portable WebAssembly modules: their form, their compiler, and the host they run in.
//!
//! Read in this order: [`abi`] is what a module and its host agree on; [`fragment`] the form of a plan piece; [`codegen`]
//! turns it into a [`module`]; [`runtime`] compiles that for the processor and runs it over Arrow batches.

pub mod abi;
pub mod codegen;
mod error;
pub mod fragment;
pub mod module;
pub mod runtime;

pub use codegen::{CompileError, compile};
pub use error::{EngineError, RunError, RuntimeError};
pub use fragment::Fragment;
pub use module::FragmentModule;
