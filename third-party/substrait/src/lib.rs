//! The messages of the [Substrait](https://substrait.io) format, and its version.
//!
//! Generated from the files of the crate `substrait` by `generate.sh`; never edited.

#![allow(warnings, clippy::all, reason = "generated")]

/// `substrait`, and below it `substrait.extensions`.
pub mod proto {
    pub mod extensions {
        include!("substrait.extensions.rs");
    }
    include!("substrait.rs");
}

pub mod version {
    use crate::proto::Version;

    include!("version.in");

    pub fn version() -> Version {
        Version {
            major_number: SUBSTRAIT_MAJOR_VERSION,
            minor_number: SUBSTRAIT_MINOR_VERSION,
            patch_number: SUBSTRAIT_PATCH_VERSION,
            ..Version::default()
        }
    }

    pub fn version_with_producer(producer: impl Into<String>) -> Version {
        Version {
            producer: producer.into(),
            ..version()
        }
    }
}
