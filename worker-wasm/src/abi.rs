//! ABI v4: what a fragment module and its host agree on, defined once and used by both sides.
//!
//! One linear memory of 32-bit addresses, imported as `murre.memory`, holds everything. It has three windows, whose
//! places the host chooses and which a module never assumes:
//!
//! ```text
//! private  control block | state | heap, grown by the host on NEED_MEMORY    guest reads and writes
//! inputs   column descriptors and buffers of the batch being pushed          host writes, guest reads
//! build    join tables, each built once and mapped into the memories of threads   guest reads; builders write
//! ```
//!
//! Calls: `open(params)`, then per input any number of `push_<input>(rows)` and one `finish_<input>()`; after each of them
//! `pull(rows_max)` until it says DONE. Every call returns a [`Status`]. MORE and NEED_MEMORY from `push` and `finish`
//! mean: call again with the same arguments and the same input window; how far it got is in the state area.
//! A table can be built of what several instances have read: the host has each take the steps ([`step`]) that are its own.
//! MORE from `pull` means that rows are out, valid until the next call; without rows: time to breathe, call again.
//!
//! Columns that a module says it reads late ([`control::LATE_COLUMNS`]) are not copied with their batch. NEED_VALUES from
//! `push` and `pull` asks for their values of some rows, those that filters and joins have left: a value that no row needs
//! is never copied. A value lies at its row's place, so whoever reads it need not know when it came.
//!
//! Units: addresses and sizes in bytes, rows as counts, everything little-endian.
//! Invariant: all state lives in memory. Its layout depends on the plan's shape alone, never on facts, so that the
//! general module takes over the memory of a specialised one between two calls.

/// Raised when a module made for the older number could misread what this host writes, or the other way round.
pub const ABI_VERSION: u32 = 4;

/// Raised when equal fragments no longer give equal bytes; part of a module's identity.
pub const CODEGEN_VERSION: u32 = 10;

/// Module name of all imports.
pub const IMPORT_MODULE: &str = "murre";
/// The linear memory, in the holder's exports and the fragment's imports.
pub const MEMORY: &str = "memory";
/// This and the next two are for modules to come: no fragment calls them yet.
///
/// `eval(expression, in, out) -> status`: runs scalar function `expression` of the module's table over the columns whose
/// descriptors start at `in` and writes one column to the descriptor at `out`, whose buffers the guest has sized.
pub const EVAL: &str = "eval";
/// `spill_write(address, length) -> handle`: writes private memory to a new spill; negative if the host refuses.
pub const SPILL_WRITE: &str = "spill_write";
/// `spill_read(handle, offset, address, length) -> status`: reads part of a spill into private memory.
pub const SPILL_READ: &str = "spill_read";
/// `raise(reason, row) -> status`: fills the error cell and returns ERROR, which the guest returns in turn.
pub const RAISE: &str = "raise";

pub const OPEN: &str = "open";
pub const PULL: &str = "pull";

/// Export that takes batches of one input.
pub fn push_name(input: usize) -> String {
    format!("push_{input}")
}

/// Export that says an input has no more batches.
pub fn finish_name(input: usize) -> String {
    format!("finish_{input}")
}

/// Custom section that describes the module, see `crate::module`.
pub const SECTION: &str = "murre.fragment";

pub const PAGE_BYTES: u64 = 65_536;

/// Inputs of one fragment; a control block has room for as many descriptor addresses.
pub const INPUTS_MAX: usize = 8;

/// Join tables that one fragment probes; a control block has room for as many.
pub const TABLES_MAX: usize = 32;

/// Rows of one pushed batch; selection vectors and output buffers are sized for it, and it keeps a call short.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// Buffers in the input window start at multiples of this, text in the heap too, and may be read this far behind their end.
pub const BUFFER_ALIGN: usize = 128;

/// Rows that a fragment keeps lie in chunks of so many.
pub const CHUNK_ROWS: usize = 1024;

/// Columns that can come late: as many as a word has bits, the first ones of an input.
pub const LATE_COLUMNS_MAX: usize = 64;

/// [`control::ANSWERED`] of a batch all of whose values are there: nothing need be asked for.
pub const WHOLE: u32 = u32::MAX;

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// `push`: the batch is consumed. `finish`: finished. `pull`: no rows are left of what was pushed.
    Done = 0,
    /// `push`, `finish`, `pull` without rows: time to breathe, call again. `pull` otherwise: rows are out.
    More = 1,
    /// `control::NEEDED` says up to where the private window must reach, `control::BUILD_NEEDED` how long the build window
    /// must be; grant it and call again.
    NeedMemory = 2,
    /// The error cell says why. No further call is allowed.
    Error = 3,
    /// `control::WANTED` says which values of the pushed batch are to be copied; call again when they are there.
    NeedValues = 4,
}

impl Status {
    /// `None` for what no module of ours returns.
    pub fn from_code(code: i32) -> Option<Self> {
        [
            Self::Done,
            Self::More,
            Self::NeedMemory,
            Self::Error,
            Self::NeedValues,
        ]
        .into_iter()
        .find(|status| *status as i32 == code)
    }
}

/// Why generated code refused the user's data. Numbers are part of the ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Reason {
    DivideByZero = 1,
    /// An arithmetic result does not fit its type.
    Overflow = 2,
    /// A value does not fit the type it is cast to.
    CastOutOfRange = 3,
    /// `eval` failed in the host, which holds the details.
    HostFunction = 4,
    /// A substring was to have fewer than no characters.
    NegativeCount = 5,
}

impl Reason {
    pub fn from_code(code: i32) -> Option<Self> {
        [
            Self::DivideByZero,
            Self::Overflow,
            Self::CastOutOfRange,
            Self::HostFunction,
            Self::NegativeCount,
        ]
        .into_iter()
        .find(|reason| *reason as i32 == code)
    }
}

/// Offsets in the control block at address 0. All fields are `u32` unless said otherwise.
pub mod control {
    /// End of usable private memory; [`super::BUFFER_ALIGN`] bytes behind it can be read. The host writes it before `open`
    /// and after NEED_MEMORY.
    pub const HEAP_LIMIT: u32 = 0;
    /// First free byte of the heap. The host sets it behind the state area, the guest moves it.
    pub const HEAP_NEXT: u32 = 4;
    /// With NEED_MEMORY: the wanted HEAP_LIMIT. The guest writes it.
    pub const NEEDED: u32 = 8;
    /// Error cell: a [`super::Reason`], 0 while there is none. The host writes it in `raise`.
    pub const ERROR_REASON: u32 = 12;
    /// Error cell: row of the batch being pushed or pulled.
    pub const ERROR_ROW: u32 = 16;
    /// Where a table is built: in the build window, behind those that are probed. The host writes it before `open`.
    pub const BUILD: u32 = 20;
    /// Rows that `pull` put out. The guest writes it.
    pub const OUT_ROWS: u32 = 24;
    /// Address of the output's descriptors, one per column. The guest writes it in `pull`.
    pub const OUT_COLUMNS: u32 = 28;
    /// `u64`: rows that went through generated loops so far. The guest writes it.
    pub const GUEST_ROWS: u32 = 32;
    /// With NEED_MEMORY: the wanted length of the build window. The guest writes it.
    pub const BUILD_NEEDED: u32 = 40;
    /// Writable length of the build window. The host writes it after NEED_MEMORY.
    pub const BUILD_BYTES: u32 = 44;
    /// Where the build window starts, tables that are probed included. The host writes it before `open`.
    pub const TABLES_START: u32 = 48;
    /// Per input the address of its descriptors. The host writes them before `push`.
    pub const INPUT_COLUMNS: u32 = 64;
    /// Per table [`super::table_link::BYTES`] bytes, see there.
    pub const TABLES: u32 = 96;
    /// With NEED_VALUES: `u64`, one bit for each column that is wanted. The guest writes this field and the next three.
    pub const WANTED: u32 = 608;
    /// Address of the number of the first row wanted, a `u32`; numbers ascend.
    pub const WANTED_ROWS: u32 = 616;
    /// Bytes from one row number to the next.
    pub const WANTED_STEP: u32 = 620;
    /// How many rows are wanted.
    pub const WANTED_COUNT: u32 = 624;
    /// How many times NEED_VALUES was answered for the pushed batch, or [`super::WHOLE`]. The host writes it with a batch and
    /// with each answer.
    pub const ANSWERED: u32 = 628;
    /// Per input a `u64`, one bit for each column that is not copied with a batch. The guest writes them in `open`.
    pub const LATE_COLUMNS: u32 = 632;
    /// Of a fragment that builds a table, the rows it keeps, see [`super::kept`].
    pub const KEPT: u32 = 696;
    /// Of a fragment that builds a table, the steps of [`super::step`] that are done or another instance's: `finish` takes
    /// the others, in order. The guest sets a step's bit at its end; the host sets and clears bits where several instances
    /// build one table.
    pub const STEPS_DONE: u32 = 752;
    /// Where the state area starts.
    pub const BYTES: u32 = 1024;
}

/// Offsets in a column descriptor.
///
/// Fixed-width values and boolean bits start at bit 0 of their buffer: a sliced array is copied from its first row.
pub mod column {
    /// Address of the values: packed little-endian lanes, bits for booleans, views for strings.
    pub const VALUES: u32 = 0;
    /// Address of one bit per row, 1 = valid, lowest bit first; 0 if no row is null.
    pub const VALIDITY: u32 = 4;
    /// Address of the offsets of a list of variable-width values; 0 for all others, and there are no lists yet.
    pub const OFFSETS: u32 = 8;
    /// Reserved, 0: views name their text by address, not by buffer.
    pub const BUFFERS: u32 = 12;
    pub const ROWS: u32 = 16;
    pub const NULL_COUNT: u32 = 20;
    /// Of text: bytes of all rows that do not fit their view. A row counts as often as it occurs, also out of a dictionary.
    pub const TEXT_BYTES: u32 = 24;
    /// Of text: bytes of the longest row that does not fit its view; 0 if all do.
    pub const TEXT_LONGEST: u32 = 28;
    pub const BYTES: u32 = 32;
}

/// Offsets in a view, 16 bytes that stand for one text.
///
/// As Arrow's, except that long text is named by its address, so that one load leads to it. A null row's view is all zero.
pub mod view {
    pub const LENGTH: u32 = 0;
    /// Of short text: all of it, padded with zeros. Of long text: its first four bytes.
    pub const INLINE: u32 = 4;
    pub const INLINE_BYTES_MAX: u32 = 12;
    /// Of long text: where it is.
    pub const ADDRESS: u32 = 8;
    pub const BYTES: u32 = 16;
}

/// Text is copied so many bytes at once: whatever lies within as many behind a copy's end may be overwritten with it.
pub const TEXT_PIECE_BYTES: u32 = 16;

/// Offsets in what the control block says about a table that is probed.
pub mod table_link {
    /// Address of the table. The host writes it before `open`.
    pub const ADDRESS: u32 = 0;
    /// Address of one byte for each row of the table, 1 = it had a match; 0 until a join that keeps rows of the table needs
    /// them. The guest writes it.
    pub const MATCHED: u32 = 4;
    /// 1 for the instance that puts out the rows kept of the table, when all others have finished and `MATCHED` knows what
    /// they met. The host writes it before `finish`.
    pub const KEEPS: u32 = 8;
    pub const BYTES: u32 = 16;
}

/// Steps in which a table is built, as bits. Of several instances that build one, those said to be everybody's are taken by
/// each for its own rows, the others by one of them.
pub mod step {
    /// Decides whether there is a bitmap of the keys, and asks for its memory.
    pub const MEASURE: u32 = 1;
    pub const CLEAR_BITMAP: u32 = 2;
    /// Marks keys in it: everybody's, one after the other.
    pub const MARK: u32 = 4;
    /// Counts the keys before each word of it.
    pub const RANK: u32 = 8;
    /// Asks for the memory of the whole table, and writes its header.
    pub const LAY_OUT: u32 = 16;
    pub const CLEAR_DIRECTORY: u32 = 32;
    /// Counts the rows of each slot, where there are slots: everybody's, one after the other.
    pub const COUNT: u32 = 64;
    /// Turns counts into places.
    pub const ADD_UP: u32 = 128;
    /// Copies rows to their places: everybody's, at once where there are no slots.
    pub const COPY: u32 = 256;
    pub const ALL: u32 = 511;
}

/// Offsets in what the control block says about the rows that a fragment keeps for a table. The guest writes them, and the
/// host what one instance has to know of the others with which it builds.
pub mod kept {
    /// Address of the list of chunks of [`super::CHUNK_ROWS`] rows: their addresses, a `u32` each.
    pub const CHUNKS: u32 = 0;
    /// Rows there is memory for.
    pub const ALLOCATED: u32 = 4;
    pub const ROWS: u32 = 8;
    /// 1 when a key is null. This and the next two only of tables whose keys can have ranks.
    pub const NULL_KEY: u32 = 12;
    /// `i64`: the smallest and the largest key, once there is a row.
    pub const LOW: u32 = 16;
    pub const HIGH: u32 = 24;
    /// `u64`: bytes of all text that does not fit its view.
    pub const TEXT_BYTES: u32 = 32;
    /// Rows of the same table that other instances keep. The host writes it.
    pub const OTHER_ROWS: u32 = 40;
    /// Where in the table the next long text goes, once it is laid out.
    pub const NEXT_TEXT: u32 = 44;
    /// `u64`: how many numbers the bitmap of keys is about, once they are measured; 0 where there is none.
    pub const SPAN: u32 = 48;
}

/// Offsets in a join table, which starts at a page. All addresses in it count from its start, those in views too.
pub mod table {
    /// `u32`: rows.
    pub const ROWS: u32 = 0;
    /// `u32`: where the first row is.
    pub const FIRST_ROW: u32 = 4;
    /// `u32`: how far a hash is shifted right to become a slot of the directory.
    pub const SHIFT: u32 = 8;
    /// `u32`: where the directory is: one `u64` before the first slot, and one for each slot.
    pub const DIRECTORY: u32 = 12;
    /// `u32`: slots of the directory; 0 where there is none, as every key has one row.
    pub const SLOTS: u32 = 16;
    /// `u64`: how many numbers the bitmap of keys is about; 0 of a table that has none.
    pub const SPAN: u32 = 24;
    /// `i64`: the smallest key, of which the first bit of the bitmap speaks.
    pub const LOW: u32 = 32;
    /// What is behind the header: the bitmap, if there is one.
    pub const BITMAP: u32 = 64;
}

/// A parameter of `open`: 16 bytes, the value in its lane, lowest byte first; a boolean is 0 or 1. Never null.
/// Of text it is the address in private memory, where the host has put it for good, and the length, a `u32` each.
pub const PARAM_BYTES: u32 = 16;

/// Where the windows of one memory lie. Addresses, ends exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub private_end: u64,
    pub inputs_end: u64,
    pub build_end: u64,
}

impl Windows {
    /// Private 0-1 GiB, inputs 1-2 GiB, build 2-4 GiB.
    pub const FULL: Self = Self {
        private_end: 1 << 30,
        inputs_end: 2 << 30,
        build_end: 4 << 30,
    };

    /// For hosts with little address space: private 192 MiB, inputs 64 MiB, build 256 MiB.
    pub const SMALL: Self = Self {
        private_end: 192 << 20,
        inputs_end: 256 << 20,
        build_end: 512 << 20,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_pages_and_fill_a_32_bit_memory_at_most() {
        for windows in [Windows::FULL, Windows::SMALL] {
            let ends = [windows.private_end, windows.inputs_end, windows.build_end];
            assert!(ends.is_sorted());
            assert!(ends.iter().all(|end| end % PAGE_BYTES == 0));
            assert!(windows.build_end <= 1 << 32);
        }
    }

    #[test]
    fn codes_survive_the_round_trip_and_strangers_do_not() {
        for status in 0..5 {
            assert_eq!(Status::from_code(status).map(|s| s as i32), Some(status));
        }
        for reason in 1..6 {
            assert_eq!(Reason::from_code(reason).map(|r| r as i32), Some(reason));
        }
        assert_eq!(Status::from_code(5), None);
        assert_eq!(Status::from_code(-1), None);
        assert_eq!(Reason::from_code(0), None);
    }
}
