//! Fragments that are not closed yet: the next operator of the plan may be put on top of them.

mod early;

use std::sync::Arc;

use datafusion::physical_plan::{
    ExecutionPlan,
    joins::{HashJoinExec, PartitionMode},
    with_new_children_if_necessary,
};

use super::{
    Reason,
    emit::{Bound, Built},
    join,
    piece::{Narrowing, Native, Part, TableSide},
    pipeline::Rows,
};
use crate::fragment::JoinKind;

/// A fragment that the next operator may join.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) rows: Rows,
    pub(super) native: Arc<dyn ExecutionPlan>,
    pub(super) source: Arc<dyn ExecutionPlan>,
    /// Positions of its operators.
    pub(super) operators: Vec<usize>,
    pub(super) tables: Vec<OpenTable>,
}

/// A table that an open fragment probes.
#[derive(Debug, Clone)]
pub(super) struct OpenTable {
    part: Closed,
    kind: JoinKind,
    shared: bool,
    narrowing: Option<Narrowing>,
}

/// A fragment on which nothing more is put.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    bound: Bound,
    native: Arc<dyn ExecutionPlan>,
    source: Arc<dyn ExecutionPlan>,
    operators: Vec<usize>,
    tables: Vec<OpenTable>,
}

/// A fragment that builds the table of a join.
pub(super) struct Left {
    part: Closed,
    built: Built,
    /// What makes one partition of its rows where DataFusion runs the join.
    gather: Option<Arc<dyn ExecutionPlan>>,
}

impl Open {
    /// The rows of a plan, before any operator.
    pub(super) fn of(source: &Arc<dyn ExecutionPlan>, host_eval: bool) -> Self {
        Self {
            rows: Rows::of(source, host_eval),
            native: Arc::clone(source),
            source: Arc::clone(source),
            operators: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// With one operator more, which has made these rows.
    pub(super) fn under(&self, index: usize, rows: Rows, native: Arc<dyn ExecutionPlan>) -> Self {
        let mut operators = self.operators.clone();
        operators.push(index);
        Self {
            rows,
            native,
            source: Arc::clone(&self.source),
            operators,
            tables: self.tables.clone(),
        }
    }

    /// As the left side of a join.
    pub(super) fn build(self, of: &HashJoinExec) -> Result<Left, Reason> {
        let built = self.rows.clone().build(of)?;
        let part = self.close_with(built.bound.clone());
        Ok(Left {
            part,
            built,
            gather: None,
        })
    }

    /// As the end of a piece.
    pub(super) fn emit(self) -> Result<Closed, Reason> {
        let bound = self.rows.clone().emit(&self.native.schema())?;
        let mut closed = self.close_with(bound);
        early::decide(&mut closed);
        Ok(closed)
    }

    fn close_with(self, bound: Bound) -> Closed {
        Closed {
            bound,
            native: self.native,
            source: self.source,
            operators: self.operators,
            tables: self.tables,
        }
    }

    /// Looks its rows up in the table that `left` builds.
    pub(super) fn join(
        mut self,
        of: &HashJoinExec,
        kind: JoinKind,
        left: &Left,
    ) -> Result<Self, Reason> {
        self.rows.join(of, kind, &left.built)?;
        self.tables.push(OpenTable {
            part: left.part.clone(),
            kind,
            shared: *of.partition_mode() == PartitionMode::CollectLeft,
            narrowing: join::narrowing(of),
        });
        Ok(self)
    }

    /// Positions of all its operators, those that build its tables too, the topmost first.
    pub(super) fn all_operators(&self) -> Vec<usize> {
        let mut all = self.operators.clone();
        self.tables
            .iter()
            .for_each(|table| table.part.add_operators(&mut all));
        all.sort_unstable();
        all
    }
}

impl Left {
    pub(super) fn gathered(self, gather: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            gather: Some(gather),
            ..self
        }
    }

    /// What DataFusion's join has on its left.
    pub(super) fn native(&self) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let native = Arc::clone(&self.part.native);
        match &self.gather {
            Some(gather) => with_new_children_if_necessary(Arc::clone(gather), vec![native]),
            None => Ok(native),
        }
    }
}

impl Closed {
    fn add_operators(&self, all: &mut Vec<usize>) {
        all.extend(&self.operators);
        self.tables
            .iter()
            .for_each(|table| table.part.add_operators(all));
    }

    /// Counts the parts, and puts down the positions of their operators by number.
    pub(super) fn number(self, operators: &mut Vec<Vec<usize>>) -> Part {
        let tables = self.tables.into_iter().map(|table| TableSide {
            part: Arc::new(table.part.number(operators)),
            shared: table.shared,
            kept: table.kind.keeps_table_rows(),
            empties: !matches!(
                table.kind,
                JoinKind::Right | JoinKind::Full | JoinKind::RightAnti
            ),
            narrowing: table.narrowing,
        });
        let tables = tables.collect();
        operators.push(self.operators);
        Part {
            number: operators.len() - 1,
            bound: self.bound,
            native: Native::new(self.native),
            source: self.source,
            tables,
        }
    }
}
