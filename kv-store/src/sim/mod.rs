//! What tests need to take the store's surroundings into their hands: nothing here is in a release.
//!
//! [`SimDisk`] and [`ModelEngine`] lose power, [`cluster`] runs a whole group from one seed, [`checker`] judges what its
//! clients saw, and [`Mutant`]s are the faults it must find.

pub mod checker;
pub mod cluster;
mod disk;
mod engine;
mod model_map;
mod random;

pub use disk::{Fate, Fault, SimDisk};
pub use engine::ModelEngine;
pub use model_map::ModelMap;
pub use random::Random;

pub use crate::mutant::Mutant;
