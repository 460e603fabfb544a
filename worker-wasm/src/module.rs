//! A fragment module: its bytes, their hash, and the custom section that describes it.
//!
//! The section is a protobuf message, so that tools of other versions can read it; the verifier is the host that loads it.

use std::{fmt::Write, sync::Arc};

use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    RuntimeError, abi,
    fragment::{Fragment, ValueType, verifier},
};

/// SHA-256 of a module's bytes: its name everywhere.
pub type ModuleHash = [u8; 32];

/// The custom section `murre.fragment`.
#[derive(Clone, PartialEq, Message)]
pub struct Description {
    #[prost(uint32, tag = "1")]
    pub abi_version: u32,
    #[prost(uint32, tag = "2")]
    pub codegen_version: u32,
    /// The fragment itself, facts included, as text. Column and parameter types are in it.
    #[prost(string, tag = "3")]
    pub fragment: String,
    /// Size of the state area behind the control block. Bytes.
    #[prost(uint32, tag = "4")]
    pub state_bytes: u32,
    /// Names of the scalar functions that `eval` may be asked for, by their number; none yet.
    #[prost(string, repeated, tag = "5")]
    pub host_expressions: Vec<String>,
}

/// A module as it is stored, named and sent. Clones share it.
#[derive(Debug, Clone)]
pub struct FragmentModule(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    bytes: Vec<u8>,
    hash: ModuleHash,
    description: Description,
    fragment: Fragment,
    output: Vec<ValueType>,
}

impl FragmentModule {
    /// Reads the description out of a module's bytes. The code is not validated here; loading does.
    ///
    /// Errors: [`RuntimeError::NotAFragment`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, RuntimeError> {
        let hash: ModuleHash = Sha256::digest(&bytes).into();
        let refuse = |detail: String| RuntimeError::NotAFragment {
            module: hex(&hash),
            detail,
        };
        let section = custom_section(&bytes, abi::SECTION)
            .ok_or_else(|| refuse(format!("it has no section \"{}\"", abi::SECTION)))?;
        let description =
            Description::decode(section).map_err(|e| refuse(format!("its description: {e}")))?;
        if description.abi_version != abi::ABI_VERSION {
            return Err(refuse(format!(
                "it speaks ABI {}, this host {}",
                description.abi_version,
                abi::ABI_VERSION
            )));
        }
        if u64::from(description.state_bytes) > abi::PAGE_BYTES {
            return Err(refuse("its state is larger than a page".to_owned()));
        }
        let fragment: Fragment = description
            .fragment
            .parse()
            .map_err(|e| refuse(format!("its fragment: {e}")))?;
        let output =
            verifier::verify(&fragment).map_err(|e| refuse(format!("its fragment: {e}")))?;
        Ok(Self(Arc::new(Contents {
            bytes,
            hash,
            description,
            fragment,
            output,
        })))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    pub fn hash(&self) -> ModuleHash {
        self.0.hash
    }

    /// The hash in hexadecimal.
    pub fn name(&self) -> String {
        hex(&self.0.hash)
    }

    /// The module as WebAssembly text.
    ///
    /// Errors: [`RuntimeError::NotAFragment`] where its code cannot be read.
    pub fn wat(&self) -> Result<String, RuntimeError> {
        wasmprinter::print_bytes(&self.0.bytes).map_err(|error| RuntimeError::NotAFragment {
            module: self.name(),
            detail: error.to_string(),
        })
    }

    /// What the module was made from.
    pub fn fragment(&self) -> &Fragment {
        &self.0.fragment
    }

    /// Columns that `pull` gives.
    pub fn output(&self) -> &[ValueType] {
        &self.0.output
    }

    pub fn description(&self) -> &Description {
        &self.0.description
    }
}

pub(crate) fn hex(hash: &ModuleHash) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// The payload of the first custom section called `name`.
fn custom_section<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = bytes.strip_prefix(b"\0asm\x01\0\0\0")?;
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let section = take_sized(&mut rest)?;
        if *id == 0 {
            let mut payload = section;
            if take_sized(&mut payload)? == name.as_bytes() {
                return Some(payload);
            }
        }
    }
    None
}

/// Splits off what a LEB128 length in front says.
fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (taken, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            *rest = after;
            return Some(taken);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAGMENT: &str = "(fragment (input (column int64)) (params) (pipeline (input 0) (emit)))";

    fn with_section(description: &Description) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        let data = description.encode_to_vec();
        module.section(&wasm_encoder::CustomSection {
            name: "other".into(),
            data: (&[1u8, 2, 3][..]).into(),
        });
        module.section(&wasm_encoder::CustomSection {
            name: abi::SECTION.into(),
            data: (&data).into(),
        });
        module.finish()
    }

    #[test]
    fn a_description_is_found_behind_other_sections() {
        let description = Description {
            abi_version: abi::ABI_VERSION,
            fragment: FRAGMENT.to_owned(),
            ..Description::default()
        };
        let module = FragmentModule::from_bytes(with_section(&description)).unwrap();
        assert_eq!(module.description(), &description);
    }

    #[test]
    fn another_abi_and_every_torn_module_are_refused() {
        let description = Description {
            abi_version: abi::ABI_VERSION,
            codegen_version: 1,
            fragment: FRAGMENT.to_owned(),
            ..Description::default()
        };
        let bytes = with_section(&description);
        for length in 0..bytes.len() {
            assert!(
                FragmentModule::from_bytes(bytes[..length].to_vec()).is_err(),
                "{length}"
            );
        }
        let other = Description {
            abi_version: abi::ABI_VERSION + 1,
            ..description
        };
        assert!(FragmentModule::from_bytes(with_section(&other)).is_err());
    }
}
