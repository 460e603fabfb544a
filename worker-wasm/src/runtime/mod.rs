//! The host side: an engine per process, an instance per fragment and thread, batches in and out.

mod artefact;
mod baseline;
mod elsewhere;
mod engine;
mod host;
mod input;
mod instance;
mod ledger;
mod memory;
mod output;
mod protection;
mod table;
mod table_files;
mod table_keys;
mod text;
mod values;

pub use artefact::{ArtefactCache, ArtefactFolder, ArtefactLimits};
pub(crate) use elsewhere::compile_for;
pub use engine::{LoadedModule, Runtime, RuntimeConfig};
pub use host::{GuestMemory, HostError, HostFunctions, NoHostFunctions};
pub use instance::{Check, Instance, Param};
pub use ledger::{MemoryAccount, Refused};
pub use protection::Protection;
pub use table::JoinTable;
pub(crate) use table_keys::Wanted;
