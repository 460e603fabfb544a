//! Reading keys back out of a join table: integers, dates, times and decimals, whatever their width.

use std::{io, os::unix::fs::FileExt};

use super::table::JoinTable;
use crate::{
    abi::table as header,
    codegen::{Place, table_places},
    fragment::{Storage, Type},
};

/// Rows are read in pieces of about this. Bytes.
const PIECE_BYTES: usize = 1 << 20;

impl JoinTable {
    /// Types of its keys.
    pub(crate) fn key_types(&self) -> Vec<Type> {
        let table = self.table();
        let keys = table.keys.iter();
        keys.map(|key| table.columns[*key].ty.clone()).collect()
    }

    /// Runs the body for every value that is not null of the first `count` keys, with the number of the key. Values of text
    /// and floats are left out.
    pub(crate) fn each_key(
        &self,
        count: usize,
        body: &mut dyn FnMut(usize, i128),
    ) -> io::Result<()> {
        let table = self.table();
        let (places, row_bytes) = table_places(&table.columns);
        let keys = table.keys.iter().take(count);
        let keys: Vec<_> = keys.map(|key| places[*key]).collect();
        let rows = self.rows() as usize;
        if rows == 0 || keys.is_empty() {
            return Ok(());
        }
        let mut field = [0; 4];
        self.file()
            .read_exact_at(&mut field, header::FIRST_ROW.into())?;
        let mut at = u64::from(u32::from_le_bytes(field));
        let rows_at_once = (PIECE_BYTES / row_bytes).max(1);
        let mut piece = vec![0; rows_at_once * row_bytes];
        let mut left = rows;
        while left > 0 {
            let bytes = rows_at_once.min(left) * row_bytes;
            self.file().read_exact_at(&mut piece[..bytes], at)?;
            for row in piece[..bytes].chunks_exact(row_bytes) {
                for (number, key) in keys.iter().enumerate() {
                    if let Some(value) = integer(row, *key) {
                        body(number, value);
                    }
                }
            }
            at += bytes as u64;
            left -= bytes / row_bytes;
        }
        Ok(())
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
