//! What joins and the tables they probe keep: where they are, their keys' types, the columns behind them.

use super::{Scope, Verified, VerifyError, check_type, fail};
use crate::fragment::{
    ir::{Expr, Join, JoinKind, Operator, Pipeline, Source, Table},
    rules::ValueType,
};

/// The joins of a pipeline.
pub(crate) fn joins(pipeline: &Pipeline) -> impl Iterator<Item = &Join> {
    pipeline
        .operators
        .iter()
        .filter_map(|operator| match operator {
            Operator::Join(join) => Some(join),
            Operator::Filter(_) | Operator::Project(_) => None,
        })
}

/// What is wrong with where a pipeline's joins are.
pub(super) fn check_joins(pipeline: &Pipeline) -> Result<(), &'static str> {
    let keeping = joins(pipeline).filter(|join| join.kind.keeps_table_rows());
    if keeping.count() > 1 {
        return Err("two joins keep rows of their tables");
    }
    let input = matches!(pipeline.source, Source::Input(_));
    match input || joins(pipeline).next().is_none() {
        true => Ok(()),
        false => Err("stored rows do not probe"),
    }
}

pub(super) fn check_table(columns: &[ValueType], keys: &[usize]) -> Verified<()> {
    for of in columns {
        check_type(&of.ty)?;
    }
    for key in keys {
        if *key >= columns.len() {
            return Err(VerifyError::Position {
                what: "key",
                index: *key,
            });
        }
    }
    Ok(())
}

/// Columns behind a join.
pub(super) fn join_columns(scope: &Scope<'_>, join: &Join) -> Verified<Vec<ValueType>> {
    let Table { columns, keys } = &join.table;
    check_table(columns, keys)?;
    let types = keys.iter().map(|key| &columns[*key].ty);
    let probed: Vec<_> = join
        .keys
        .iter()
        .map(|key| Ok(scope.value_type(key)?.ty))
        .collect::<Verified<_>>()?;
    if probed.is_empty() || !types.eq(&probed) {
        let whole = Expr::And(join.keys.clone());
        return Err(fail(&whole, "are not the types of the table's keys"));
    }
    let all = |columns: &[ValueType], nullable: bool| -> Vec<_> {
        let columns = columns.iter();
        columns
            .map(|of| ValueType::new(of.ty.clone(), of.nullable || nullable))
            .collect()
    };
    let pairs = |table_absent, row_absent| {
        [all(columns, table_absent), all(scope.columns, row_absent)].concat()
    };
    if let Some(filter) = &join.filter {
        let columns = pairs(false, false);
        Scope {
            columns: &columns,
            params: scope.params,
        }
        .boolean(filter)?;
    }
    Ok(match join.kind {
        JoinKind::Inner => pairs(false, false),
        JoinKind::Left => pairs(false, true),
        JoinKind::Right => pairs(true, false),
        JoinKind::Full => pairs(true, true),
        JoinKind::LeftSemi | JoinKind::LeftAnti => columns.clone(),
        JoinKind::RightSemi | JoinKind::RightAnti => scope.columns.to_vec(),
    })
}
