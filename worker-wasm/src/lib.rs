//! Pieces of query plans as portable WebAssembly modules: their form, their compiler, and the host they run in.
//!
//! Read in this order: [`abi`] is what a module and its host agree on; [`fragment`] the form of a plan piece; [`codegen`]
//! turns it into a [`module`]; [`runtime`] compiles that for the processor and runs it over Arrow batches. [`lower`] finds
//! the fragments of a DataFusion plan, and [`exec`] is the node that runs one there; [`scan`] is how it reads
//! files and tables in memory, and [`functions`] mends what DataFusion computes wrongly.
//! [`rendezvous`] connects workers with each other, whatever lies between them, and a [`worker`] runs tasks of queries.

pub mod abi;
pub mod codegen;
mod error;
pub mod exec;
pub mod fragment;
pub mod functions;
pub mod lower;
pub mod module;
pub mod rendezvous;
pub mod runtime;
pub mod scan;
pub mod worker;

pub use codegen::{CompileError, compile};
pub use error::{EngineError, RunError, RuntimeError};
pub use fragment::Fragment;
pub use module::FragmentModule;
