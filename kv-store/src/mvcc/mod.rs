//! Many versions of every key, in one sorted space.
//!
//! ```text
//! Space::Data   escaped user key, terminator, inverted version  ->  delete marker | put + value
//! ```
//!
//! The versions of a key stand together, newest first, so the version visible at `v` is the first one at or after `v`'s place.
//! [`key`] is the encoding, [`read`] points and ranges, [`selector`] keys named by their neighbours,
//! [`changes`] what happened between two versions, [`gc`] what may go.

pub mod changes;
pub mod gc;
pub mod key;
pub mod read;
pub mod selector;
