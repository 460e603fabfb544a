//! Join tables of an instance: the one it builds, those it probes, and what their rows have met.

use std::sync::Arc;

use super::{Check, Instance, builds, in_arena, lock, write};
use crate::{
    RunError,
    abi::{control, step, table_link},
    fragment::{Fragment, Sink, Table, ValueType, verifier},
    runtime::table::{GrowingTable, JoinTable},
};

impl Instance {
    /// The table that the fragment has built, when its inputs have ended. It stays charged to the same account. The guest
    /// has no tables any more then.
    ///
    /// Errors: [`RunError::Shape`] where there is none, or other instances that build it are still there.
    pub fn take_table(&mut self) -> Result<JoinTable, RunError> {
        let table = built_table(self.module.fragment(), self.module.output());
        let is_complete = self.unfinished == 0 && self.read(control::STEPS_DONE) & step::COPY != 0;
        // Whatever is not handed on stays, to be given back when the instance goes.
        let growing = match &table {
            Some(_) if is_complete => self.growing.take_if(|growing| !growing.is_lent()),
            _ => None,
        };
        let (Some(table), Some(growing)) = (table, growing) else {
            return Err(self.shape("it has not built a table".to_owned()));
        };
        let bytes = growing.bytes();
        let unmapped = self.with_arena(|arena| {
            let unmapped = arena.unmap_build();
            unmapped.map_err(|error| RunError::Memory {
                bytes,
                detail: error.to_string(),
            })
        });
        if let Err(error) = unmapped {
            // Its memory is given back with the instance.
            self.growing = Some(growing);
            return Err(error);
        }
        Ok(growing.finish(table, self.ledger.hand_over()))
    }

    /// One byte for each row of a table, 1 = it had a match here. Empty for joins that keep no rows of it.
    pub fn matched_rows(&mut self, table: usize) -> Result<Vec<u8>, RunError> {
        let (address, rows) = self.marks(table)?;
        let marks = self.with_arena(|arena| Ok(arena.bytes(address, rows).map(<[u8]>::to_vec)));
        marks?.ok_or_else(|| self.broken("its marks are outside the windows".to_owned()))
    }

    /// Makes this the instance that puts out the rows its join keeps of a table. To be called when all other instances have
    /// finished, with the rows that had a match there, and before this one is finished.
    pub fn keep_rows<'a>(
        &mut self,
        table: usize,
        matched: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), RunError> {
        let (address, rows) = self.marks(table)?;
        let link = link_of(table);
        let merged = self.with_arena(|arena| {
            let Some(marks) = arena.bytes_mut(address, rows) else {
                return Ok(false);
            };
            for other in matched {
                let pairs = marks.iter_mut().zip(other);
                pairs.for_each(|(mark, other)| *mark |= *other);
            }
            write(arena, link + table_link::KEEPS, 1);
            Ok(true)
        })?;
        match merged {
            true => Ok(()),
            false => Err(self.broken("its marks are outside the windows".to_owned())),
        }
    }

    /// Address and number of the marks of a table's rows.
    fn marks(&mut self, table: usize) -> Result<(u64, u64), RunError> {
        let Some(rows) = self.tables.get(table).map(|table| table.rows()) else {
            return Err(self.shape(format!("it has no table {table}")));
        };
        let address = self.read(link_of(table) + table_link::MATCHED);
        let rows = if address == 0 { 0 } else { rows };
        Ok((u64::from(address), rows))
    }

    /// Maps the tables that the fragment probes and says where they are.
    pub(super) fn map_tables(&mut self) -> Result<(), RunError> {
        let module = self.module.clone();
        let joins = module.fragment().pipelines.iter().flat_map(verifier::joins);
        let probed = joins.map(|join| &join.table);
        if !probed.eq(self.tables.iter().map(|table| table.table())) {
            return Err(self.shape(format!("{} tables", self.tables.len())));
        }
        let (tables, build) = (self.tables.clone(), self.build_start());
        self.with_arena(|arena| {
            let addresses = JoinTable::map(tables.iter().map(Arc::as_ref), arena)?;
            for (table, address) in addresses.into_iter().enumerate() {
                write(arena, link_of(table) + table_link::ADDRESS, address);
            }
            // Behind tables that fill the window nothing is built, whatever the field says.
            write(arena, control::BUILD, build as u32);
            Ok(())
        })
    }

    /// Where a table is built: behind those that are probed, whose text its rows may have.
    pub(super) fn build_start(&self) -> u64 {
        let arena = lock(&self.arena);
        let windows = arena.as_ref().map(|arena| arena.windows());
        let windows = windows.expect("the store keeps its memory");
        let probed = self.tables.iter().map(Arc::as_ref);
        JoinTable::behind(probed, windows.inputs_end)
    }

    /// Bytes of the table that is built here.
    pub(super) fn build_bytes(&self) -> u32 {
        self.growing
            .as_ref()
            .map_or(0, |growing| growing.bytes() as u32)
    }

    /// Makes the table that is built here as large as the guest asks for.
    pub(super) fn grow_table(&mut self, check: Check<'_>) -> Result<(), RunError> {
        let wanted = u64::from(self.read(control::BUILD_NEEDED));
        if !builds(self.module.fragment()) {
            return Err(self.broken("it builds no table and asks for the memory of one".to_owned()));
        }
        let mut growing = match self.growing.take() {
            Some(growing) => growing,
            None => GrowingTable::new(self.build_start(), &self.files)?,
        };
        let grown = growing.grow(wanted, in_arena(&self.arena), self.ledger.account(), check);
        let bytes = growing.bytes() as u32;
        self.growing = Some(growing);
        grown?;
        self.with_arena(|arena| {
            write(arena, control::BUILD_BYTES, bytes);
            Ok(())
        })
    }
}

/// The table that a fragment builds, if it does.
fn built_table(fragment: &Fragment, columns: &[ValueType]) -> Option<Table> {
    match &fragment.pipelines.last()?.sink {
        Sink::Build(build) => Some(Table {
            columns: columns.to_vec(),
            keys: build.keys.clone(),
        }),
        Sink::Emit | Sink::Aggregate(_) | Sink::Sort(_) => None,
    }
}

/// Where the control block speaks of a table.
fn link_of(table: usize) -> u32 {
    control::TABLES + table as u32 * table_link::BYTES
}
