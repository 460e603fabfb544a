//! An Arrow batch -> the input window, checking the facts that the module relies on while it is copied.
//!
//! Layout: descriptors of all columns, then per column its values and its validity, and text as it comes, each at a multiple
//! of [`BUFFER_ALIGN`] bytes. Every form of text becomes views first, and a dictionary its values.
//! Columns that a module reads late get their values when it asks for them, for the rows it names.
//! Memory is charged before it is written.
//! Errors: [`RunError::Fact`] for values of which the guest has seen nothing yet; [`RunError::Shape`] for other types.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    buffer::NullBuffer,
    compute::cast,
    datatypes::DataType,
};

use super::{
    ledger::Ledger,
    memory::Arena,
    text::LongText,
    values::{self, Rows},
};
use crate::{
    RunError,
    abi::{BUFFER_ALIGN, column, view},
    fragment::{Column, Storage},
};

/// Where the next buffer goes, in a memory.
struct Writer<'a> {
    arena: &'a mut Arena,
    ledger: &'a mut Ledger,
    next: u64,
}

impl Writer<'_> {
    /// Address of a buffer of `bytes` bytes. Its padding holds whatever was there, and so does the buffer.
    fn buffer(&mut self, bytes: usize) -> Result<u32, RunError> {
        let windows = self.arena.windows();
        let address = self.next;
        let padded = (bytes + BUFFER_ALIGN).next_multiple_of(BUFFER_ALIGN) as u64;
        if padded > windows.inputs_end.saturating_sub(address) {
            return Err(RunError::WindowFull {
                window: "input",
                limit_bytes: windows.inputs_end,
            });
        }
        self.next += padded;
        let used = self.next - windows.private_end;
        self.ledger.cover(self.arena.resident_bytes_with(0, used))?;
        self.arena.touch_inputs(used);
        Ok(address as u32)
    }

    fn bytes(&mut self, address: u32, bytes: usize) -> &mut [u8] {
        let buffer = self.arena.bytes_mut(u64::from(address), bytes as u64);
        buffer.expect("the input window is accessible up to its end")
    }

    fn set(&mut self, descriptor: u32, fields: &[(u32, u32)]) {
        for (field, value) in fields {
            let bytes = self.bytes(descriptor + field, 4);
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// A batch in the input window.
#[derive(Debug)]
pub(crate) struct Pushed {
    input: usize,
    columns: Vec<Arriving>,
    rows: usize,
    /// Address of the descriptors.
    pub(crate) descriptors: u32,
    /// The first free address behind it.
    next: u64,
}

/// A column of it.
#[derive(Debug)]
struct Arriving {
    /// As it came.
    pushed: ArrayRef,
    /// In a form that the window has.
    array: ArrayRef,
    storage: Storage,
    /// Address of the values, for which there is room.
    values: u32,
}

impl Pushed {
    /// Copies columns of so many rows, without the values of those that are `late`.
    pub(crate) fn copy_in(
        arena: &mut Arena,
        input: usize,
        columns: &[Column],
        (arrays, rows): (&[ArrayRef], usize),
        late: u64,
        ledger: &mut Ledger,
    ) -> Result<Self, RunError> {
        let next = arena.windows().private_end;
        let mut writer = Writer {
            arena,
            ledger,
            next,
        };
        let descriptors = writer.buffer(columns.len() * column::BYTES as usize)?;
        let mut pushed = Self {
            input,
            columns: Vec::with_capacity(columns.len()),
            rows,
            descriptors,
            next,
        };
        for (index, (expected, pushed_array)) in columns.iter().zip(arrays).enumerate() {
            let array = unified(pushed_array, expected);
            if !expected.has_nulls() && array.null_count() > 0 {
                return Err(pushed.broken(index, "no-nulls"));
            }
            let storage = expected.storage();
            let values = writer.buffer(storage.buffer_bytes(pushed.rows))?;
            let validity = match expected.has_nulls() {
                true => copy_validity(&mut writer, array.nulls(), pushed.rows)?,
                false => 0,
            };
            let fields = [
                (column::VALUES, values),
                (column::VALIDITY, validity),
                (column::OFFSETS, 0),
                (column::BUFFERS, 0),
                (column::ROWS, pushed.rows as u32),
                (column::NULL_COUNT, array.null_count() as u32),
                (column::TEXT_BYTES, 0),
                (column::TEXT_LONGEST, 0),
            ];
            writer.set(pushed.descriptor(index), &fields);
            pushed.columns.push(Arriving {
                pushed: ArrayRef::clone(pushed_array),
                array,
                storage,
                values,
            });
            if !is_in(late, index) {
                pushed.write(&mut writer, index, &Rows::Range(0..pushed.rows))?;
            }
        }
        pushed.next = writer.next;
        Ok(pushed)
    }

    pub(crate) fn input(&self) -> usize {
        self.input
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The columns themselves.
    pub(crate) fn into_arrays(self) -> Vec<ArrayRef> {
        let columns = self.columns.into_iter();
        columns.map(|column| column.pushed).collect()
    }

    /// Copies values of the `wanted` columns.
    pub(crate) fn copy_late(
        &mut self,
        arena: &mut Arena,
        wanted: u64,
        rows: &Rows<'_>,
        ledger: &mut Ledger,
    ) -> Result<(), RunError> {
        let mut writer = Writer {
            arena,
            ledger,
            next: self.next,
        };
        for index in (0..self.columns.len()).filter(|index| is_in(wanted, *index)) {
            self.write(&mut writer, index, rows)?;
        }
        self.next = writer.next;
        Ok(())
    }

    fn write(
        &self,
        writer: &mut Writer<'_>,
        index: usize,
        rows: &Rows<'_>,
    ) -> Result<(), RunError> {
        let Arriving {
            array,
            storage,
            values,
            ..
        } = &self.columns[index];
        match storage {
            Storage::View => self.write_text(writer, index, rows),
            _ => {
                let target = writer.bytes(*values, storage.buffer_bytes(self.rows));
                let written = values::write(target, *storage, array, rows);
                written.map_err(|fact| self.broken(index, fact))
            }
        }
    }

    /// Views, and behind everything the text that is too long for them.
    fn write_text(
        &self,
        writer: &mut Writer<'_>,
        index: usize,
        rows: &Rows<'_>,
    ) -> Result<(), RunError> {
        let column = &self.columns[index];
        let texts = column.array.as_string_view();
        let long = LongText::of(texts, rows);
        let text = writer.buffer(long.copied_bytes())?;
        let views_bytes = self.rows * view::BYTES as usize;
        let between = (text - column.values) as usize;
        let target = writer.bytes(column.values, between + long.copied_bytes());
        let (views, behind) = target.split_at_mut(between);
        long.write(texts, rows, &mut views[..views_bytes], behind, text);
        // Rows that share their text can have more in all than there are addresses.
        let bytes = u32::try_from(long.bytes()).unwrap_or(u32::MAX);
        let fields = [
            (column::TEXT_BYTES, bytes),
            (column::TEXT_LONGEST, long.longest()),
        ];
        writer.set(self.descriptor(index), &fields);
        Ok(())
    }

    fn descriptor(&self, index: usize) -> u32 {
        self.descriptors + index as u32 * column::BYTES
    }

    fn broken(&self, column: usize, fact: &'static str) -> RunError {
        RunError::Fact {
            input: self.input,
            column,
            fact,
        }
    }
}

fn is_in(columns: u64, index: usize) -> bool {
    let bit = u32::try_from(index).ok();
    bit.and_then(|bit| columns.checked_shr(bit))
        .is_some_and(|bits| bits & 1 == 1)
}

/// An array in a form that the window has for its type: numbers of any width that is copied into the expected one.
fn unified(array: &ArrayRef, expected: &Column) -> ArrayRef {
    let wanted = expected.ty.to_arrow();
    let narrow = matches!(
        array.data_type(),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Int32
    );
    match array.data_type() == &wanted || narrow && expected.storage() != Storage::I128 {
        true => ArrayRef::clone(array),
        // Only text, numbers and dictionaries come in several forms, and those convert always.
        false => cast(array, &wanted).expect("the column accepts this type"),
    }
}

fn copy_validity(
    writer: &mut Writer<'_>,
    nulls: Option<&NullBuffer>,
    rows: usize,
) -> Result<u32, RunError> {
    let address = writer.buffer(rows.div_ceil(8))?;
    let target = writer.bytes(address, rows.div_ceil(8));
    match nulls {
        Some(nulls) => values::copy_bits(target, nulls.inner()),
        None => target.fill(0xff),
    }
    Ok(address)
}
