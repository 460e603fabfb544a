//! Fragments compiled, loaded and run, beside arrow's kernels and plain loops.
//!
//! Random tests print their seed and mix; `MURRE_SEED=n cargo test -p worker-wasm --test it name` replays one.

mod aggregates;
mod calendar;
mod codec;
mod expressions;
mod fallbacks;
mod golden;
mod host;
mod hostile;
mod join_plans;
mod joins;
mod late;
mod plans;
mod random;
mod random_plans;
mod rendezvous;
mod sort_plans;
mod sorts;
mod support;
mod tables;
mod text;
mod tpch;
mod workers;
