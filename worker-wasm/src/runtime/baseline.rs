//! Processors that code is made for.

/// A named set of processor features that artefacts are compiled for, so that they move between hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Baseline {
    /// AVX2, BMI, FMA, LZCNT: x86-64-v3.
    X86_64V3,
    /// Armv8.1 with large system extensions: Graviton 2 and later.
    Aarch64Lse,
}

impl Baseline {
    pub(crate) const ALL: [Self; 2] = [Self::X86_64V3, Self::Aarch64Lse];

    /// The baseline of this processor family. Whether this processor has the features shows when an engine is made.
    pub(crate) fn native() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Aarch64Lse
        } else {
            Self::X86_64V3
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64V3 => "x86-64-v3",
            Self::Aarch64Lse => "aarch64-lse",
        }
    }

    pub(super) fn triple(self) -> &'static str {
        match self {
            Self::X86_64V3 => "x86_64-unknown-linux-gnu",
            Self::Aarch64Lse => "aarch64-unknown-linux-gnu",
        }
    }

    /// Cranelift's names of the features.
    pub(super) fn features(self) -> &'static [&'static str] {
        match self {
            Self::X86_64V3 => &[
                "has_sse3",
                "has_ssse3",
                "has_sse41",
                "has_sse42",
                "has_popcnt",
                "has_avx",
                "has_avx2",
                "has_fma",
                "has_bmi1",
                "has_bmi2",
                "has_lzcnt",
            ],
            Self::Aarch64Lse => &["has_lse"],
        }
    }
}
