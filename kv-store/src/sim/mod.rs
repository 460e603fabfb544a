//! What tests need to take the store's surroundings into their hands: nothing here is in a release.

mod disk;
mod random;

pub use disk::{Fate, SimDisk};
pub use random::Random;
