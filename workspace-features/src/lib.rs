//! Holds no code: its manifest settles the features of shared dependencies.
