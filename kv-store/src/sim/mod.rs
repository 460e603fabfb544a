//! What tests need to take the store's surroundings into their hands: nothing here is in a release.

mod disk;
mod engine;
mod random;

pub use disk::{Fate, SimDisk};
pub use engine::ModelEngine;
pub use random::Random;

pub use crate::mutant::Mutant;
