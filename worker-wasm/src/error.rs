//! Why a fragment could not be compiled, loaded or run.

use std::path::PathBuf;

use crate::abi::Reason;

/// An error of wasmtime, whose own type is no `std::error::Error`; the text is its whole chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(String);

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

/// Setting up the process's engine.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("cannot configure the engine for {baseline}")]
    Engine {
        baseline: &'static str,
        #[source]
        source: EngineError,
    },
    #[error("cannot compile module {module}")]
    Compile {
        module: String,
        #[source]
        source: EngineError,
    },
    #[error("cannot load module {module}")]
    Load {
        module: String,
        #[source]
        source: EngineError,
    },
    #[error("module {module} is no fragment: {detail}")]
    NotAFragment { module: String, detail: String },
    #[error("cannot {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Running a fragment.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user's data does not suit the query.
    #[error("{} in row {row}", describe(*reason))]
    Data { reason: Reason, row: u32 },
    /// A scalar function failed in the host.
    #[error("a function failed")]
    Function {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A batch does not keep what the module relies on. Nothing of it was consumed: it belongs to the general module.
    #[error("column {column} of input {input} is not \"{fact}\" as the module expects")]
    Fact {
        input: usize,
        column: usize,
        fact: &'static str,
    },
    /// The account behind the fragment's memory refused.
    #[error("a fragment needs {bytes} more bytes of memory: {detail}")]
    Memory { bytes: u64, detail: String },
    /// The fragment's data does not fit its window, however much memory there is.
    #[error("a fragment's {window} window of {limit_bytes} bytes is full")]
    WindowFull {
        window: &'static str,
        limit_bytes: u64,
    },
    /// The caller asked to stop between two calls.
    #[error("stopped")]
    Stopped,
    #[error("cannot make an instance of module {module}")]
    Instantiate {
        module: String,
        #[source]
        source: EngineError,
    },
    /// What was handed in does not have the shape the module declares. A bug of the caller.
    #[error("module {module} does not take this: {detail}")]
    Shape { module: String, detail: String },
    /// A trap, an unknown status or an address outside the windows: a bug of ours.
    #[error("module {module} broke its contract: {detail}")]
    Broken { module: String, detail: String },
}

fn describe(reason: Reason) -> &'static str {
    match reason {
        Reason::DivideByZero => "division by zero",
        Reason::Overflow => "arithmetic overflow",
        Reason::CastOutOfRange => "value out of range of the type it is cast to",
        Reason::HostFunction => "function failed",
        Reason::NegativeCount => "negative substring length",
    }
}
