//! What stands in the log, and its bytes.
//!
//! ```text
//! entry     version 1, number of commands 4, commands
//! command   kind 1, fields in order of declaration
//! field     integers little-endian; bytes as length 4 and themselves; versions as their twelve bytes
//! ```
//!
//! Downgrade rule: an entry of a later version stops the node with a typed error, because skipping it would fork the state.

use super::{AtomicOp, KeyRange, Mutation, TxnId, limits::COMMANDS_MAX};
use crate::{Version, version::VERSION_LEN};

const ENTRY_VERSION: u8 = 1;
/// Around its commands, in bytes.
const ENTRY_BYTES: usize = 5;
/// About, beside mutations, in bytes.
const COMMAND_BYTES: usize = 29;
/// About, beside keys and values, in bytes.
const MUTATION_BYTES: usize = 9;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A transaction that was checked against everything before it in the log.
    Commit {
        /// In which it was admitted; the check is worth nothing in an entry of another term.
        term: u64,
        id: TxnId,
        mutations: Vec<Mutation>,
    },
    /// Gives the transaction the outcome ABORTED if it has none.
    AskOutcome { id: TxnId },
    /// Reads below `watermark`, or the oldest lease, are refused from now on, and outcomes decided below `outcomes_below` forgotten.
    Gc {
        watermark: Version,
        outcomes_below: Version,
    },
}

impl Command {
    /// In an entry, at least: about what it takes.
    fn num_bytes(&self) -> usize {
        match self {
            Self::Commit { mutations, .. } => {
                let bytes = mutations.iter().map(|one| one.num_bytes() + MUTATION_BYTES);
                COMMAND_BYTES + bytes.sum::<usize>()
            }
            Self::AskOutcome { .. } | Self::Gc { .. } => COMMAND_BYTES,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("log entry has version {found}, and {ENTRY_VERSION} is the newest known")]
    Version { found: u8 },
    #[error("log entry is malformed at byte {offset}")]
    Malformed { offset: usize },
}

/// At most [`COMMANDS_MAX`] commands.
pub fn encode_entry(commands: &[Command]) -> Vec<u8> {
    assert!(
        commands.len() <= COMMANDS_MAX,
        "the committer closes an entry in time"
    );
    let num_bytes: usize = commands.iter().map(Command::num_bytes).sum();
    let mut out = Encoder(Vec::with_capacity(num_bytes + ENTRY_BYTES));
    out.u8(ENTRY_VERSION);
    out.u32(commands.len());
    for command in commands {
        out.command(command);
    }
    out.0
}

pub fn decode_entry(bytes: &[u8]) -> Result<Vec<Command>, CommandError> {
    let mut decoder = Decoder { bytes, at: 0 };
    match decoder.u8() {
        Some(ENTRY_VERSION) => {}
        Some(found) => return Err(CommandError::Version { found }),
        None => return Err(CommandError::Malformed { offset: 0 }),
    }
    let commands = decoder.entry().filter(|_| decoder.at == bytes.len());
    commands.ok_or(CommandError::Malformed { offset: decoder.at })
}

struct Encoder(Vec<u8>);

impl Encoder {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u32(&mut self, value: usize) {
        let value = u32::try_from(value).expect("limits are far below 4 GiB");
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Commit {
                term,
                id,
                mutations,
            } => {
                self.u8(1);
                self.0.extend_from_slice(&term.to_le_bytes());
                self.0.extend_from_slice(&id.0);
                self.u32(mutations.len());
                for mutation in mutations {
                    self.mutation(mutation);
                }
            }
            Command::AskOutcome { id } => {
                self.u8(2);
                self.0.extend_from_slice(&id.0);
            }
            Command::Gc {
                watermark,
                outcomes_below,
            } => {
                self.u8(3);
                self.0.extend_from_slice(&watermark.to_bytes());
                self.0.extend_from_slice(&outcomes_below.to_bytes());
            }
        }
    }

    fn mutation(&mut self, mutation: &Mutation) {
        match mutation {
            Mutation::Set { key, value } => {
                self.u8(1);
                self.bytes(key);
                self.bytes(value);
            }
            Mutation::Clear { key } => {
                self.u8(2);
                self.bytes(key);
            }
            Mutation::ClearRange { range } => {
                self.u8(3);
                self.bytes(&range.begin);
                self.bytes(&range.end);
            }
            Mutation::Atomic { op, key, operand } => {
                self.u8(4);
                self.u8(op_byte(*op));
                self.bytes(key);
                self.bytes(operand);
            }
            Mutation::SetVersionstampedKey { key, offset, value } => {
                self.u8(5);
                self.bytes(key);
                self.u32(*offset);
                self.bytes(value);
            }
            Mutation::SetVersionstampedValue { key, value, offset } => {
                self.u8(6);
                self.bytes(key);
                self.bytes(value);
                self.u32(*offset);
            }
        }
    }
}

const OPS: [AtomicOp; 8] = [
    AtomicOp::Add,
    AtomicOp::BitAnd,
    AtomicOp::BitOr,
    AtomicOp::BitXor,
    AtomicOp::Min,
    AtomicOp::Max,
    AtomicOp::AppendIfFits,
    AtomicOp::CompareAndClear,
];

/// Its place in `OPS`: new ones go to the end.
fn op_byte(op: AtomicOp) -> u8 {
    let place = OPS.iter().position(|known| *known == op);
    place
        .and_then(|place| u8::try_from(place).ok())
        .expect("every operation is in OPS")
}

/// `None` where the bytes end or mean nothing; `at` is then near the place.
struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.array()?)).ok()
    }

    fn vec(&mut self) -> Option<Vec<u8>> {
        let len = self.len()?;
        self.take(len).map(<[u8]>::to_vec)
    }

    fn version(&mut self) -> Option<Version> {
        self.array::<VERSION_LEN>().map(Version::from_bytes)
    }

    fn entry(&mut self) -> Option<Vec<Command>> {
        let num = self.len().filter(|num| *num <= COMMANDS_MAX)?;
        (0..num).map(|_| self.command()).collect()
    }

    fn command(&mut self) -> Option<Command> {
        Some(match self.u8()? {
            1 => {
                let term = u64::from_le_bytes(self.array()?);
                let id = TxnId(self.array()?);
                let num = self.len()?;
                let mutations = (0..num).map(|_| self.mutation()).collect::<Option<_>>()?;
                Command::Commit {
                    term,
                    id,
                    mutations,
                }
            }
            2 => Command::AskOutcome {
                id: TxnId(self.array()?),
            },
            3 => Command::Gc {
                watermark: self.version()?,
                outcomes_below: self.version()?,
            },
            _ => return None,
        })
    }

    fn mutation(&mut self) -> Option<Mutation> {
        Some(match self.u8()? {
            1 => Mutation::Set {
                key: self.vec()?,
                value: self.vec()?,
            },
            2 => Mutation::Clear { key: self.vec()? },
            3 => Mutation::ClearRange {
                range: KeyRange {
                    begin: self.vec()?,
                    end: self.vec()?,
                },
            },
            4 => Mutation::Atomic {
                op: *OPS.get(usize::from(self.u8()?))?,
                key: self.vec()?,
                operand: self.vec()?,
            },
            5 => Mutation::SetVersionstampedKey {
                key: self.vec()?,
                offset: self.len()?,
                value: self.vec()?,
            },
            6 => Mutation::SetVersionstampedValue {
                key: self.vec()?,
                value: self.vec()?,
                offset: self.len()?,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Command> {
        let key = || b"key".to_vec();
        let version = |index| Version {
            epoch: 1,
            index,
            position: 2,
        };
        let mut mutations = vec![
            Mutation::Set {
                key: key(),
                value: b"value".to_vec(),
            },
            Mutation::Clear { key: key() },
            Mutation::ClearRange {
                range: KeyRange::point("a"),
            },
            Mutation::SetVersionstampedKey {
                key: vec![b'k'; 14],
                offset: 1,
                value: b"v".to_vec(),
            },
            Mutation::SetVersionstampedValue {
                key: key(),
                value: vec![b'v'; 12],
                offset: 0,
            },
        ];
        mutations.extend(OPS.map(|op| Mutation::Atomic {
            op,
            key: key(),
            operand: vec![7],
        }));
        vec![
            Command::Commit {
                term: 3,
                id: TxnId([9; 16]),
                mutations,
            },
            Command::AskOutcome { id: TxnId([8; 16]) },
            Command::Gc {
                watermark: version(4),
                outcomes_below: version(5),
            },
        ]
    }

    #[test]
    fn every_command_reads_back_and_no_cut_is_accepted() {
        let bytes = encode_entry(&one_of_each());
        assert_eq!(decode_entry(&bytes), Ok(one_of_each()));
        for len in 0..bytes.len() {
            assert!(
                matches!(
                    decode_entry(&bytes[..len]),
                    Err(CommandError::Malformed { .. })
                ),
                "cut at {len}"
            );
        }
    }

    #[test]
    fn version_1_is_these_bytes() {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&encode_entry(&one_of_each()));
        assert_eq!(
            (encode_entry(&one_of_each()).len(), crc.finalize()),
            (281, 1_454_598_941)
        );
        assert_eq!(decode_entry(&[2]), Err(CommandError::Version { found: 2 }));
    }
}
