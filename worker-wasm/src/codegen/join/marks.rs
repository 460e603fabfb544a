//! What rows of a table have met, where a join keeps rows of it: one byte for each row, in private memory.

use super::{Lookup, Position};
use crate::{
    abi::{Status, table_link},
    codegen::{
        builder::{Function, I32, Local, Value, select},
        expr::{self, Binding, Row},
        memory::{self, field, set_field},
    },
    fragment::JoinKind,
};

/// Bytes of marks cleared in one call.
const CLEAR_BYTES: i32 = 1 << 20;

impl Lookup<'_> {
    /// In `open`: one cleared mark for each row of the table, where the join needs them.
    pub(crate) fn open(&self, f: &mut Function) {
        if !self.join.kind.keeps_table_rows() {
            return;
        }
        let view = self.view(f);
        let marks = self.link + table_link::MATCHED;
        f.if_(field(marks).eqz(), |f| {
            let address = memory::reserve_or_return(f, view.rows());
            set_field(f, marks, address);
        });
        let left: Local<I32> = f.let_(view.rows() - field(self.cleared));
        let length = select::<I32>(left.get().lt_u(CLEAR_BYTES), left, CLEAR_BYTES);
        let length: Local<I32> = f.let_(length);
        f.fill(field(marks) + field(self.cleared), 0, length);
        set_field(f, self.cleared, field(self.cleared) + length);
        f.if_(length.get().lt_u(left), |f| f.return_(Status::More as i32));
    }

    /// Notes that the candidate has had a match.
    pub(super) fn mark(&self, f: &mut Function, position: Position) {
        if let Some((marks, first_row)) = position.marks {
            let number = (position.cursor.get() - first_row).div_u(self.layout.row_bytes);
            f.store8(marks.get() + number, 0, 1);
        }
    }

    /// 1 for the instance that puts out the rows kept of the table.
    pub(crate) fn keeps(&self) -> Value<I32> {
        field(self.link + table_link::KEEPS)
    }

    pub(crate) fn table_rows(&self, position: Position) -> Value<I32> {
        position.view.rows()
    }

    /// A kept row of the table by its number, where it is one that goes out.
    pub(crate) fn kept_row<'r>(
        &self,
        f: &mut Function,
        position: Position,
        number: Local<I32>,
        row: Row<'r>,
        next: &mut dyn FnMut(&mut Function, &Row<'r>),
    ) {
        let (marks, first_row) = position.marks.expect("a join that keeps rows has marks");
        let marked = (marks.get() + number).load8_u(0);
        let wanted = match self.join.kind {
            JoinKind::LeftSemi => marked,
            _ => marked.eqz(),
        };
        f.if_(wanted, |f| {
            let address = first_row.get() + number.get() * self.layout.row_bytes;
            let address = f.let_(address);
            let table = position.view.address;
            let mut columns = self.layout.bind(address, None, Some(table));
            if self.join.kind.makes_pairs() {
                let absent = self.row_columns.iter();
                columns.extend(absent.map(|of| Binding::Computed(expr::null(f, &of.ty))));
            }
            next(f, &Row { columns, ..row });
        });
    }
}
