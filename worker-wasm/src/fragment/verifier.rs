//! What every fragment keeps; code generation relies on it and checks nothing again.
//!
//! - Positions exist; every input is read by one pipeline; groups come from an earlier aggregation and sorted rows from an
//!   earlier sort, each read once.
//! - The last pipeline emits or builds a table, and no other does. Joins are in pipelines that read an input, and at most
//!   one of a pipeline's joins keeps rows of its table.
//! - Expressions have a type by [`rules`]; predicates are boolean; facts about ranges are about decimals.
//! - Decimals have 1 to 38 digits, and no more places than digits.

mod joins;

pub(crate) use joins::joins;
use joins::{check_joins, check_table, join_columns};

use super::{
    ir::{Aggregate, Build, Expr, Fragment, Mode, Operator, Sink, Sort, Source},
    limits,
    rules::{self, DECIMAL_PRECISION_MAX, DECIMAL_SCALE_MAX, ValueType},
    types::{Param, Range, Type},
};
use crate::abi;

/// A rule that a fragment breaks, which is a bug of whoever made it, or a limit that it meets.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("{what} {index} does not exist")]
    Position { what: &'static str, index: usize },
    #[error("`{expr}`: {detail}")]
    Expr { expr: String, detail: String },
    #[error("pipeline {pipeline}: {detail}")]
    Pipeline { pipeline: usize, detail: String },
    #[error("type {0} does not exist")]
    Type(Type),
    #[error("a range class is about decimals, not {0}")]
    Range(Type),
    #[error("nothing reads input {0}")]
    Unread(usize),
    #[error("{0} inputs are more than a fragment has")]
    Inputs(usize),
    #[error("{0} joins are more than a fragment has")]
    Tables(usize),
    /// No rule is broken; see [`super::limits`].
    #[error("pipeline {pipeline} cannot be compiled yet: {reason}")]
    Unsupported {
        pipeline: usize,
        reason: &'static str,
    },
}

type Verified<T> = Result<T, VerifyError>;

/// Checks `fragment` and gives the columns it emits.
pub fn verify(fragment: &Fragment) -> Verified<Vec<ValueType>> {
    if fragment.inputs.len() > abi::INPUTS_MAX {
        return Err(VerifyError::Inputs(fragment.inputs.len()));
    }
    for column in fragment.inputs.iter().flat_map(|input| &input.columns) {
        check_range(&column.ty, column.facts.range)?;
    }
    for param in &fragment.params {
        check_range(&param.ty, param.range)?;
    }
    let mut sources = Vec::new();
    let mut outputs: Vec<Vec<ValueType>> = Vec::new();
    for (index, pipeline) in fragment.pipelines.iter().enumerate() {
        let fail = |detail: &str| VerifyError::Pipeline {
            pipeline: index,
            detail: detail.to_owned(),
        };
        if sources.contains(&pipeline.source) {
            return Err(fail("its source is read twice"));
        }
        sources.push(pipeline.source);
        let last = index + 1 == fragment.pipelines.len();
        if last != matches!(pipeline.sink, Sink::Emit | Sink::Build(_)) {
            return Err(fail("the last pipeline emits or builds, and only that"));
        }
        if matches!(&pipeline.sink, Sink::Sort(sort) if sort.keys.is_empty()) {
            return Err(fail("a sort has keys"));
        }
        check_joins(pipeline).map_err(fail)?;
        let stored = |of: usize| {
            fragment.pipelines[..index]
                .get(of)
                .map(|earlier| &earlier.sink)
        };
        match (pipeline.source, stored_by(pipeline.source).and_then(stored)) {
            (Source::Groups(_), Some(sink)) if !matches!(sink, Sink::Aggregate(_)) => {
                return Err(fail("its source has no groups"));
            }
            (Source::Sorted(_), Some(sink)) if !matches!(sink, Sink::Sort(_)) => {
                return Err(fail("its source is not sorted"));
            }
            _ => {}
        }
        let columns = match pipeline.source {
            Source::Input(input) => input_columns(fragment, input)?,
            Source::Groups(of) | Source::Sorted(of) => {
                outputs.get(of).cloned().ok_or(VerifyError::Position {
                    what: "earlier pipeline",
                    index: of,
                })?
            }
        };
        outputs.push(self::pipeline(fragment, index, columns)?);
    }
    let joins = fragment.pipelines.iter().flat_map(joins).count();
    if joins > abi::TABLES_MAX {
        return Err(VerifyError::Tables(joins));
    }
    for index in 0..fragment.inputs.len() {
        if !sources.contains(&Source::Input(index)) {
            return Err(VerifyError::Unread(index));
        }
    }
    let stored = outputs.len().saturating_sub(1);
    for of in 0..stored {
        if !sources.iter().any(|source| stored_by(*source) == Some(of)) {
            return Err(VerifyError::Pipeline {
                pipeline: of,
                detail: "nothing reads what it stores".to_owned(),
            });
        }
    }
    outputs.pop().ok_or(VerifyError::Position {
        what: "pipeline",
        index: 0,
    })
}

/// Columns of an input as its batches come.
pub(crate) fn input_columns(fragment: &Fragment, index: usize) -> Verified<Vec<ValueType>> {
    let what = "input";
    let input = fragment.inputs.get(index);
    let input = input.ok_or(VerifyError::Position { what, index })?;
    let columns = input.columns.iter();
    Ok(columns
        .map(|column| ValueType::new(column.ty.clone(), column.nullable))
        .collect())
}

fn check_type(ty: &Type) -> Verified<()> {
    if let Type::Decimal { precision, scale } = ty {
        let digits = 1..=DECIMAL_PRECISION_MAX;
        let places = -DECIMAL_SCALE_MAX..=(*precision as i8).min(DECIMAL_SCALE_MAX);
        if !digits.contains(precision) || !places.contains(scale) {
            return Err(VerifyError::Type(ty.clone()));
        }
    }
    Ok(())
}

fn check_range(ty: &Type, range: Range) -> Verified<()> {
    check_type(ty)?;
    match ty.is_decimal() || range == Range::Full {
        true => Ok(()),
        false => Err(VerifyError::Range(ty.clone())),
    }
}

/// The pipeline whose sink a source reads.
pub(crate) fn stored_by(source: Source) -> Option<usize> {
    match source {
        Source::Input(_) => None,
        Source::Groups(of) | Source::Sorted(of) => Some(of),
    }
}

/// Columns behind a pipeline's sink.
fn pipeline(
    fragment: &Fragment,
    index: usize,
    mut columns: Vec<ValueType>,
) -> Verified<Vec<ValueType>> {
    let pipeline = &fragment.pipelines[index];
    for operator in &pipeline.operators {
        let scope = Scope {
            columns: &columns,
            params: &fragment.params,
        };
        columns = columns_behind(&scope, operator)?;
    }
    let scope = Scope {
        columns: &columns,
        params: &fragment.params,
    };
    limits::check(pipeline, &scope).map_err(|reason| VerifyError::Unsupported {
        pipeline: index,
        reason,
    })?;
    match &pipeline.sink {
        Sink::Emit => {}
        Sink::Aggregate(aggregate) => return aggregate_columns(&scope, aggregate),
        Sink::Sort(sort) => check_sort(&scope, sort)?,
        Sink::Build(Build { keys }) => check_table(&columns, keys)?,
    }
    Ok(columns)
}

/// Columns behind an operator.
pub(crate) fn columns_behind(scope: &Scope<'_>, operator: &Operator) -> Verified<Vec<ValueType>> {
    match operator {
        Operator::Filter(predicate) => {
            scope.boolean(predicate)?;
            Ok(scope.columns.to_vec())
        }
        Operator::Project(exprs) => exprs.iter().map(|expr| scope.value_type(expr)).collect(),
        Operator::Join(join) => join_columns(scope, join),
    }
}

fn check_sort(scope: &Scope<'_>, sort: &Sort) -> Verified<()> {
    for key in &sort.keys {
        scope.value_type(&key.expr)?;
    }
    let Some(fetch) = sort.fetch else {
        return Ok(());
    };
    let fetch = Expr::Param(fetch);
    match scope.value_type(&fetch)?.ty {
        Type::UInt64 => Ok(()),
        other => Err(fail(&fetch, format!("is {other}, not uint64"))),
    }
}

/// Columns of an aggregation's groups: keys, then what the calls give.
pub(crate) fn aggregate_columns(
    scope: &Scope<'_>,
    aggregate: &Aggregate,
) -> Verified<Vec<ValueType>> {
    let keys = aggregate.keys.iter();
    let mut columns: Vec<_> = keys
        .map(|key| scope.value_type(key))
        .collect::<Verified<_>>()?;
    for call in &aggregate.calls {
        if let Some(filter) = &call.filter {
            scope.boolean(filter)?;
            if aggregate.mode == Mode::Final {
                return Err(fail(filter, "states are not filtered"));
            }
        }
        let arguments = call.arguments.iter();
        let arguments: Vec<_> = arguments
            .map(|argument| Ok(scope.value_type(argument)?.ty))
            .collect::<Verified<_>>()?;
        let output = rules::call(aggregate.mode, &call.function, &arguments);
        columns.extend(output.ok_or_else(|| VerifyError::Expr {
            expr: format!("{:?}", call.function),
            detail: format!("does not take {arguments:?} in mode {:?}", aggregate.mode),
        })?);
    }
    Ok(columns)
}

fn fail(expr: &Expr, detail: impl Into<String>) -> VerifyError {
    VerifyError::Expr {
        expr: expr.to_string(),
        detail: detail.into(),
    }
}

/// What an expression's positions mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) columns: &'a [ValueType],
    pub(crate) params: &'a [Param],
}

impl Scope<'_> {
    /// Whether a boolean expression is nullable.
    fn boolean(&self, expr: &Expr) -> Verified<bool> {
        self.expect(expr, &Type::Boolean)
    }

    /// Type and nullability of an expression.
    pub(crate) fn value_type(&self, expr: &Expr) -> Verified<ValueType> {
        let boolean = |nullable| Ok(ValueType::new(Type::Boolean, nullable));
        match expr {
            Expr::Column(index) => {
                let what = "column";
                let column = self.columns.get(*index).cloned();
                column.ok_or(VerifyError::Position {
                    what,
                    index: *index,
                })
            }
            Expr::Param(index) => {
                let what = "parameter";
                let param = self.params.get(*index);
                let param = param.ok_or(VerifyError::Position {
                    what,
                    index: *index,
                })?;
                Ok(ValueType::new(param.ty.clone(), false))
            }
            Expr::Null(ty) => {
                check_type(ty)?;
                Ok(ValueType::new(ty.clone(), true))
            }
            Expr::Arithmetic(op, left, right) => {
                let (left, right) = (self.value_type(left)?, self.value_type(right)?);
                let ty = rules::arithmetic(*op, &left.ty, &right.ty);
                let ty = ty.ok_or_else(|| {
                    fail(
                        expr,
                        format!("no arithmetic on {} and {}", left.ty, right.ty),
                    )
                })?;
                Ok(ValueType::new(ty, left.nullable || right.nullable))
            }
            Expr::Compare(_, left, right) => boolean(
                self.same_type(expr, [left.as_ref(), right.as_ref()])?
                    .nullable,
            ),
            Expr::And(items) | Expr::Or(items) => {
                let mut nullable = false;
                for item in items {
                    nullable |= self.boolean(item)?;
                }
                boolean(nullable)
            }
            Expr::Not(item) => boolean(self.boolean(item)?),
            Expr::Negate(item) => {
                let of = self.value_type(item)?;
                let ty = &of.ty;
                match ty.is_signed() || ty.is_float() || ty.is_decimal() {
                    true => Ok(of),
                    false => Err(fail(expr, format!("{ty} has no sign"))),
                }
            }
            Expr::IsNull(item) | Expr::IsNotNull(item) => {
                self.value_type(item)?;
                boolean(false)
            }
            Expr::Case {
                branches,
                otherwise,
            } => {
                for (when, _) in branches {
                    self.boolean(when)?;
                }
                let values = branches.iter().map(|(_, then)| then);
                let of = self.same_type(expr, values.chain(otherwise.as_deref()))?;
                Ok(ValueType::new(of.ty, of.nullable || otherwise.is_none()))
            }
            Expr::Cast(item, to) => {
                check_type(to)?;
                let of = self.value_type(item)?;
                match rules::can_cast(&of.ty, to) {
                    true => Ok(ValueType::new(to.clone(), of.nullable)),
                    false => Err(fail(expr, format!("no cast from {}", of.ty))),
                }
            }
            Expr::Coalesce(items) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| self.value_type(item))
                    .collect::<Verified<_>>()?;
                let nullable = items.iter().all(|of| of.nullable);
                let ty = common(expr, items)?.ty;
                Ok(ValueType::new(ty, nullable))
            }
            Expr::In(value, items) => {
                let all = std::iter::once(value.as_ref()).chain(items);
                boolean(self.same_type(expr, all)?.nullable)
            }
            Expr::Like(_, text, pattern) => {
                let text = self.expect(text, &Type::Utf8)?;
                boolean(text | self.expect(pattern, &Type::Utf8)?)
            }
            Expr::DatePart(part, value) => {
                let of = self.value_type(value)?;
                match rules::date_part(*part, &of.ty) {
                    Some((ty, nullable)) => Ok(ValueType::new(ty, of.nullable || nullable)),
                    None => Err(fail(expr, format!("{} has no such part", of.ty))),
                }
            }
            Expr::DateTrunc(part, value) => {
                let of = self.value_type(value)?;
                match rules::date_trunc(*part, &of.ty) {
                    true => Ok(of),
                    false => Err(fail(expr, format!("{} is not truncated so", of.ty))),
                }
            }
            Expr::AddInterval {
                value,
                months,
                days,
                nanos,
            } => {
                let mut of = self.value_type(value)?;
                if !rules::takes_interval(&of.ty) {
                    return Err(fail(expr, format!("no intervals are added to {}", of.ty)));
                }
                of.nullable |= self.expect(months, &Type::Int32)?;
                of.nullable |= self.expect(days, &Type::Int32)?;
                of.nullable |= self.expect(nanos, &Type::Int64)?;
                Ok(of)
            }
            Expr::Substring { text, start, count } => {
                let mut nullable = self.expect(text, &Type::Utf8)?;
                for position in [start].into_iter().chain(count) {
                    nullable |= self.expect(position, &Type::Int64)?;
                }
                Ok(ValueType::new(Type::Utf8, nullable))
            }
        }
    }

    /// Whether an expression, which must be of a type, is nullable.
    fn expect(&self, expr: &Expr, ty: &Type) -> Verified<bool> {
        let of = self.value_type(expr)?;
        match of.ty == *ty {
            true => Ok(of.nullable),
            false => Err(fail(expr, format!("is {}, not {ty}", of.ty))),
        }
    }

    fn same_type<'a>(
        &self,
        whole: &Expr,
        items: impl IntoIterator<Item = &'a Expr>,
    ) -> Verified<ValueType> {
        let items = items.into_iter().map(|item| self.value_type(item));
        common(whole, items.collect::<Verified<_>>()?)
    }
}

/// The type that all of `items` have; nullable if one is.
fn common(whole: &Expr, items: Vec<ValueType>) -> Verified<ValueType> {
    let mut items = items.into_iter();
    let first = items.next();
    let mut common = first.ok_or_else(|| fail(whole, "needs an operand"))?;
    for of in items {
        if of.ty != common.ty {
            return Err(fail(whole, format!("{} is not {}", of.ty, common.ty)));
        }
        common.nullable |= of.nullable;
    }
    Ok(common)
}
