//! Reading keys back out of a join table: integers, dates, times and decimals, whatever their width.

use std::{io, os::unix::fs::FileExt};

use super::table::JoinTable;
use crate::{
    abi::table as header,
    codegen::{Place, table_places},
    fragment::{Storage, Type},
};

/// Rows are read in pieces of about this. Bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What is wanted of the keys that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Each,
    /// The smallest and the largest.
    Ends,
}

impl JoinTable {
    /// Types of its keys.
    pub(crate) fn key_types(&self) -> Vec<Type> {
        let table = self.table();
        let keys = table.keys.iter();
        keys.map(|key| table.columns[*key].ty.clone()).collect()
    }

    /// Runs the body for every value that is not null of the first `count` keys, with the number of the key. Values of text
    /// and floats are left out, and in a table in the order of its key those between the ends, once they are not wanted.
    pub(crate) fn each_key(
        &self,
        count: usize,
        body: &mut dyn FnMut(usize, i128) -> Wanted,
    ) -> io::Result<()> {
        let table = self.table();
        let (places, row_bytes) = table_places(&table.columns);
        let keys = table.keys.iter().take(count);
        let keys: Vec<_> = keys.map(|key| places[*key]).collect();
        let rows = self.rows() as usize;
        if rows == 0 || keys.is_empty() {
            return Ok(());
        }
        let first_row = u64::from(u32::from_le_bytes(self.field(header::FIRST_ROW)?));
        let is_in_order = table.keys.len() == 1
            && is_in_order(keys[0])
            && u64::from_le_bytes(self.field(header::SPAN)?) != 0;
        let rows_at_once = (PIECE_BYTES / row_bytes).max(1);
        let mut piece = vec![0; rows_at_once.min(rows) * row_bytes];
        let mut row = 0;
        while row < rows {
            let bytes = rows_at_once.min(rows - row) * row_bytes;
            let at = first_row + (row * row_bytes) as u64;
            self.file().read_exact_at(&mut piece[..bytes], at)?;
            for values in piece[..bytes].chunks_exact(row_bytes) {
                let mut wanted = Wanted::Each;
                for (number, key) in keys.iter().enumerate() {
                    if let Some(value) = integer(values, *key) {
                        wanted = body(number, value);
                    }
                }
                row += 1;
                if is_in_order && wanted == Wanted::Ends && row < rows - 1 {
                    row = rows - 1;
                    break;
                }
            }
        }
        Ok(())
    }

    fn field<const BYTES: usize>(&self, offset: u32) -> io::Result<[u8; BYTES]> {
        let mut field = [0; BYTES];
        self.file().read_exact_at(&mut field, offset.into())?;
        Ok(field)
    }
}

/// Whether the rows of a ranked table with this key are in its order. Of large unsigned ones it is that of numbers with
/// a sign, see [`crate::codegen::ranks`].
fn is_in_order(key: Place) -> bool {
    match key.storage {
        Storage::I8 | Storage::I16 | Storage::I32 | Storage::I64 => true,
        Storage::U8 | Storage::U16 => true,
        Storage::U32 | Storage::U64 | Storage::I128 => false,
        Storage::Bit | Storage::F32 | Storage::F64 | Storage::View => false,
    }
}

/// The value in a row; `None` for nulls, and where it is no integer.
fn integer(row: &[u8], place: Place) -> Option<i128> {
    if place.null_offset.is_some_and(|offset| row[offset] != 0) {
        return None;
    }
    let bytes = &row[place.offset..];
    macro_rules! read {
        ($ty:ty) => {
            <$ty>::from_le_bytes(bytes[..size_of::<$ty>()].try_into().ok()?).into()
        };
    }
    Some(match place.storage {
        Storage::I8 => read!(i8),
        Storage::I16 => read!(i16),
        Storage::I32 => read!(i32),
        Storage::I64 => read!(i64),
        Storage::U8 => read!(u8),
        Storage::U16 => read!(u16),
        Storage::U32 => read!(u32),
        Storage::U64 => read!(u64),
        Storage::I128 => read!(i128),
        Storage::Bit | Storage::F32 | Storage::F64 | Storage::View => return None,
    })
}
