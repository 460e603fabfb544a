//! `HashJoinExec` -> the table that one fragment builds of its left side, and a step that the rows of its right side take.
//!
//! ```text
//!  Projection                       fragment 1: input (right) -> join with the table -> project -> emit
//!    HashJoin        ->
//!      Filter (left)                fragment 0: input (left) -> filter -> build
//!      right
//! ```
//! Behind the join the columns of the table come first and those of the input last, so that columns of the source can still
//! be taken up where they are first used.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::{JoinSide, JoinType, NullEquality},
    physical_plan::{
        ExecutionPlan,
        joins::{HashJoinExec, PartitionMode},
    },
};

use super::{
    Reason,
    emit::Built,
    piece::Narrowing,
    pipeline::{Rows, Slot},
};
use crate::fragment::{
    Join, JoinKind, Operator, Type,
    verifier::{self, Scope},
};

/// Rows of a build side that are estimated to take more than this stay with DataFusion: a table has to fit the build
/// window, and its rows the private one before that. Bytes.
const TABLE_BYTES_MAX: usize = 512 << 20;
/// What a row of a table costs beside its columns: its hash, its slot, and a view or two. Bytes.
const ROW_BYTES: usize = 24;

/// Errors: [`Reason::Form`] for joins that have no fragment.
pub(crate) fn check_form(join: &HashJoinExec) -> Result<JoinKind, Reason> {
    if join.null_aware {
        return Err(Reason::Form("NOT IN with nulls is not compiled yet"));
    }
    if join.fetch().is_some() {
        return Err(Reason::Form("a join with a limit is not compiled yet"));
    }
    if *join.partition_mode() == PartitionMode::Auto {
        return Err(Reason::Form("its partitioning is not decided"));
    }
    if estimated_bytes(join.left()) > TABLE_BYTES_MAX {
        return Err(Reason::Form("its table may not fit a fragment's memory"));
    }
    match join.join_type() {
        JoinType::Inner => Ok(JoinKind::Inner),
        JoinType::Left => Ok(JoinKind::Left),
        JoinType::Right => Ok(JoinKind::Right),
        JoinType::Full => Ok(JoinKind::Full),
        JoinType::LeftSemi => Ok(JoinKind::LeftSemi),
        JoinType::LeftAnti => Ok(JoinKind::LeftAnti),
        JoinType::RightSemi => Ok(JoinKind::RightSemi),
        JoinType::RightAnti => Ok(JoinKind::RightAnti),
        JoinType::LeftMark | JoinType::RightMark => {
            Err(Reason::Form("mark joins are not compiled yet"))
        }
    }
}

/// Memory that the rows of a plan are estimated to take; 0 where nothing is known.
pub(super) fn estimated_bytes(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let statistics = plan.partition_statistics(None).ok();
    let rows = statistics.and_then(|of| of.num_rows.get_value().copied());
    let schema = plan.schema();
    let fields = schema.fields().iter();
    let widths = fields.map(|field| {
        let ty = Type::from_arrow(field.data_type());
        ty.map_or(16, |ty| ty.storage().bytes() as usize)
    });
    rows.unwrap_or(0)
        .saturating_mul(ROW_BYTES + widths.sum::<usize>())
}

/// Columns of the left side that go out, or that the filter needs.
pub(super) fn left_columns(join: &HashJoinExec) -> BTreeSet<usize> {
    let mut columns: BTreeSet<usize> = output(join)
        .into_iter()
        .filter_map(|(side, index)| (side == JoinSide::Left).then_some(index))
        .collect();
    if let Some(filter) = join.filter() {
        let of_filter = filter.column_indices().iter();
        let left = of_filter.filter(|column| column.side == JoinSide::Left);
        columns.extend(left.map(|column| column.index));
    }
    columns
}

/// Where the columns that a join puts out come from.
fn output(join: &HashJoinExec) -> Vec<(JoinSide, usize)> {
    let left = (0..join.left().schema().fields().len()).map(|index| (JoinSide::Left, index));
    let right = (0..join.right().schema().fields().len()).map(|index| (JoinSide::Right, index));
    let all: Vec<_> = match join.join_type() {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left.collect(),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right.collect(),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            left.chain(right).collect()
        }
    };
    match &join.projection {
        Some(columns) => columns.iter().map(|index| all[*index]).collect(),
        None => all,
    }
}

/// What a join tells the scan below its right side, if anything does listen.
pub(crate) fn narrowing(join: &HashJoinExec) -> Option<Narrowing> {
    let filter = join.dynamic_filter_expr()?;
    // Bounds never let a null through.
    let narrows = join.null_equality() == NullEquality::NullEqualsNothing;
    let keys = join.on().iter().map(|(_, right)| Arc::clone(right));
    filter.is_used().then(|| Narrowing {
        filter: Arc::clone(filter),
        keys: match narrows {
            true => keys.collect(),
            false => Vec::new(),
        },
        schema: join.right().schema(),
    })
}

impl Rows {
    /// Looks rows up in a table.
    pub(crate) fn join(
        &mut self,
        join: &HashJoinExec,
        kind: JoinKind,
        built: &Built,
    ) -> Result<(), Reason> {
        if self.is_stored() {
            return Err(Reason::Form(
                "rows that are stored are joined in a fragment of their own",
            ));
        }
        let keeping = |operator: &Operator| matches!(operator, Operator::Join(join) if join.kind.keeps_table_rows());
        if kind.keeps_table_rows() && self.operators.iter().any(keeping) {
            return Err(Reason::Form("two joins keep rows of their tables"));
        }
        let keys = join.on().iter().map(|(_, right)| self.expr(right));
        let keys = keys.collect::<Result<_, _>>()?;
        let row = self.columns.clone();
        self.pair_with(built);
        let width = built.table.columns.len();
        let right = |slot: &Slot| match slot {
            Slot::Source(source) => Slot::Source(*source),
            Slot::Column(column) => Slot::Column(column + width),
        };
        let left = |index: usize| {
            let place = built.places[index];
            Slot::Column(place.expect("the table has what the join needs"))
        };
        let mut lowered = Join {
            kind,
            table: built.table.clone(),
            keys,
            nulls_equal: join.null_equality() == NullEquality::NullEqualsNull,
            filter: None,
        };
        if let Some(filter) = join.filter() {
            let columns = filter.column_indices().iter();
            let columns = columns.map(|column| match column.side {
                JoinSide::Left => Ok(left(column.index)),
                JoinSide::Right => Ok(right(&row[column.index])),
                JoinSide::None => Err(Reason::Form("a join's filter has a column of no side")),
            });
            self.columns = columns.collect::<Result<_, _>>()?;
            // Only pairs are asked for it.
            let of = self.while_spared(|rows| rows.expr(filter.expression()))?;
            lowered.filter = Some(of);
        }
        let row_types = self.types.split_off(width);
        let scope = Scope {
            columns: &row_types,
            params: &self.params,
        };
        let operator = Operator::Join(lowered);
        let types = verifier::columns_behind(&scope, &operator);
        let types = types.map_err(|error| Reason::rule("join", &error))?;
        let output = output(join).into_iter();
        self.columns = match kind {
            JoinKind::RightSemi | JoinKind::RightAnti => {
                self.input_at = self.input_at.map(|at| at - width);
                output.map(|(_, index)| row[index].clone()).collect()
            }
            JoinKind::LeftSemi | JoinKind::LeftAnti => {
                self.input_at = None;
                output.map(|(_, index)| left(index)).collect()
            }
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => {
                self.absent |= matches!(kind, JoinKind::Left | JoinKind::Full);
                let of = output.map(|(side, index)| match side {
                    JoinSide::Left => left(index),
                    _ => right(&row[index]),
                });
                of.collect()
            }
        };
        self.types = types;
        self.operators.push(operator);
        Ok(())
    }

    /// Puts the columns of a table in front of the pipeline's own.
    fn pair_with(&mut self, built: &Built) {
        let mut types = built.table.columns.clone();
        let width = types.len();
        types.append(&mut self.types);
        self.types = types;
        self.input_at = self.input_at.map(|at| at + width);
    }
}
