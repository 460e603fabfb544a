//! Conditions on text of a table's rows -> computed once for each row when the table is built, in place of the text.
//!
//! ```text
//! build (p_partkey, p_type)             project (p_partkey, p_type LIKE p0) -> build
//! join -> sum(case when p_type LIKE p1 ..)   ->   join -> sum(case when c1 ..)
//! ```
//!
//! Text that a join keeps for nothing but such a condition is copied twice on its way into the table, and a flag is a byte.
//! Only conditions are taken that cost no more than the copying, and that cannot fail.

use std::collections::BTreeSet;

use super::Closed;
use crate::{
    fragment::{
        Expr, Fragment, JoinKind, LikeClass, Operator, Pipeline, Sink, Table, Type, verifier,
    },
    lower::Bound,
};

/// Does so in all parts that are probed here, and in those that they probe.
pub(super) fn decide(part: &mut Closed) {
    part.tables
        .iter_mut()
        .for_each(|table| decide(&mut table.part));
    for number in 0..part.tables.len() {
        let Table { columns, keys } = table_of(&mut part.bound.fragment, number).clone();
        let is_text = |column: &usize| columns[*column].ty == Type::Utf8;
        let texts = (0..columns.len()).filter(is_text);
        for column in texts.filter(|column| !keys.contains(column)) {
            let table = &mut part.tables[number].part.bound;
            if let Some((probing, building)) = decided(&part.bound, table, number, column) {
                part.bound = probing;
                *table = building;
            }
        }
    }
}

/// The join that probes a table, of those of a fragment.
fn table_of(fragment: &mut Fragment, number: usize) -> &mut Table {
    let operators = fragment.pipelines.iter_mut();
    let operators = operators.flat_map(|pipeline| &mut pipeline.operators);
    let mut tables = operators.filter_map(|operator| match operator {
        Operator::Join(join) => Some(&mut join.table),
        _ => None,
    });
    tables.nth(number).expect("each table has its join")
}

/// Both fragments with a flag in the place of a column of text; `None` where the text is needed.
fn decided(
    probing: &Bound,
    building: &Bound,
    number: usize,
    column: usize,
) -> Option<(Bound, Bound)> {
    let (mut probing, mut building) = (probing.clone(), building.clone());
    let mut before = number;
    let mut pipelines = probing.fragment.pipelines.iter_mut();
    let pipeline = pipelines.find(|pipeline| {
        let joins = verifier::joins(pipeline).count();
        let found = before < joins;
        before -= if found { 0 } else { joins };
        found
    });
    let condition = replace(pipeline?, before, column)?;
    add_flag(&mut building, column, condition, &probing)?;
    let columns = verifier::verify(&building.fragment).ok()?;
    table_of(&mut probing.fragment, number).columns = columns;
    verifier::verify(&probing.fragment).ok()?;
    Some((probing, building))
}

/// Makes the column a flag wherever a condition on it is computed behind the join; the condition, over the table's column.
/// `None` where there is no condition, or several, or where the text itself is read.
fn replace(pipeline: &mut Pipeline, join: usize, column: usize) -> Option<Expr> {
    let mut uses = Uses {
        column,
        condition: None,
        others: false,
    };
    let mut joins = 0;
    // Where the column is among those of the row.
    let mut places = BTreeSet::new();
    for operator in &mut pipeline.operators {
        match operator {
            Operator::Filter(predicate) => uses.replace(predicate, &places),
            Operator::Project(exprs) => {
                let kept = exprs.iter_mut().enumerate();
                places = kept
                    .filter_map(|(index, expr)| match expr {
                        Expr::Column(column) => places.contains(column).then_some(index),
                        computed => {
                            uses.replace(computed, &places);
                            None
                        }
                    })
                    .collect();
            }
            Operator::Join(other) => {
                let keys = other.keys.iter_mut();
                keys.for_each(|key| uses.replace(key, &places));
                let width = other.table.columns.len();
                let mut pair: BTreeSet<_> = places.iter().map(|place| place + width).collect();
                if joins == join {
                    pair.insert(column);
                }
                joins += 1;
                if let Some(filter) = &mut other.filter {
                    uses.replace(filter, &pair);
                }
                match other.kind {
                    JoinKind::RightSemi | JoinKind::RightAnti => {}
                    JoinKind::LeftSemi | JoinKind::LeftAnti => {
                        places = pair.into_iter().filter(|place| *place < width).collect();
                    }
                    JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => {
                        places = pair;
                    }
                }
            }
        }
    }
    match &mut pipeline.sink {
        Sink::Aggregate(aggregate) => {
            let calls = aggregate.calls.iter_mut();
            let of_calls = calls.flat_map(|call| call.arguments.iter_mut().chain(&mut call.filter));
            let exprs = aggregate.keys.iter_mut().chain(of_calls);
            exprs.for_each(|expr| uses.replace(expr, &places));
        }
        // Everything there is goes out, or is kept.
        Sink::Emit | Sink::Sort(_) | Sink::Build(_) => uses.others |= !places.is_empty(),
    }
    uses.condition.filter(|_| !uses.others)
}

/// How a column of a table is used.
struct Uses {
    column: usize,
    condition: Option<Expr>,
    /// Whether it is used otherwise.
    others: bool,
}

impl Uses {
    fn replace(&mut self, expr: &mut Expr, places: &BTreeSet<usize>) {
        if places.is_empty() {
            return;
        }
        expr.each_part(&mut |part| {
            if let Expr::Column(place) = part {
                self.others |= places.contains(place);
                return false;
            }
            let Some(place) = condition_on(part).filter(|place| places.contains(place)) else {
                return true;
            };
            let mut condition = std::mem::replace(part, Expr::Column(place));
            condition.each_part(&mut |part| {
                if let Expr::Column(place) = part {
                    *place = self.column;
                }
                true
            });
            self.others |= self.condition.as_ref().is_some_and(|of| *of != condition);
            self.condition = Some(condition);
            false
        });
    }
}

/// The column that a condition is about, where it compares text with literals, in no more time than copying it takes.
fn condition_on(expr: &Expr) -> Option<usize> {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Param(_));
    let (text, literals) = match expr {
        Expr::Like(LikeClass::Exact | LikeClass::Prefix | LikeClass::Suffix, text, pattern) => {
            (text, is_literal(pattern))
        }
        Expr::Compare(_, text, literal) => (text, is_literal(literal)),
        Expr::In(text, items) => (text, items.iter().all(is_literal)),
        _ => return None,
    };
    match text.as_ref() {
        Expr::Column(place) if literals => Some(*place),
        _ => None,
    }
}

/// Ends the pipeline that builds with the condition in the place of its column. Its literals come from `probing`.
fn add_flag(
    building: &mut Bound,
    column: usize,
    mut condition: Expr,
    probing: &Bound,
) -> Option<()> {
    let width = verifier::verify(&building.fragment).ok()?.len();
    condition.each_part(&mut |part| {
        if let Expr::Param(index) = part {
            building
                .fragment
                .params
                .push(probing.fragment.params[*index].clone());
            building.params.push(probing.params[*index].clone());
            *index = building.params.len() - 1;
        }
        true
    });
    let operators = &mut building.fragment.pipelines.last_mut()?.operators;
    if !matches!(operators.last(), Some(Operator::Project(_))) {
        operators.push(Operator::Project((0..width).map(Expr::Column).collect()));
    }
    let Some(Operator::Project(exprs)) = operators.last_mut() else {
        return None;
    };
    // The condition is about what was in its place.
    let text = std::mem::replace(&mut exprs[column], condition);
    exprs[column].each_part(&mut |part| {
        let is_text = matches!(part, Expr::Column(_));
        if is_text {
            *part = text.clone();
        }
        !is_text
    });
    Some(())
}
