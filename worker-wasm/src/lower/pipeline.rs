//! A pipeline while it grows: operators of the plan are fused into it from the source upwards.
//!
//! Columns of the source enter the fragment when something first uses them, so those that nothing uses need no type that
//! fragments know. Columns that an operator only passes on or reorders cost nothing: they are renamed here.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::{
    common::Statistics,
    physical_expr::{PhysicalExpr, expressions},
    physical_plan::ExecutionPlan,
};

use super::{Reason, facts, hosted, is_scan};
use crate::{
    fragment::{
        self, Aggregate, Column, Expr, Facts, Input, Operator, Pipeline, Sink, Source, Type,
        ValueType,
        verifier::{self, Scope},
    },
    runtime,
};

/// The rows that the next operator sees, and the fragment so far.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// What the source gives; its columns are taken up on first use.
    pub(super) source: Arc<Schema>,
    pub(super) statistics: Option<Arc<Statistics>>,
    /// Whether the source reads data, and no operator is below it.
    is_scan: bool,
    /// Where the input's columns come from.
    pub(super) used: Vec<Feed>,
    pub(super) input: Input,
    pub(super) params: Vec<fragment::Param>,
    pub(super) values: Vec<runtime::Param>,
    pub(super) finished: Vec<Pipeline>,
    pub(super) from: Source,
    pub(super) operators: Vec<Operator>,
    /// Types of the pipeline's columns, which expressions name by position.
    pub(super) types: Vec<ValueType>,
    /// The plan's columns at this point, in terms of the pipeline's.
    pub(super) columns: Vec<Slot>,
    /// Where the input's columns begin among the pipeline's, of which they are the last; `None` where they are gone.
    pub(super) input_at: Option<usize>,
    /// Whether rows of a table go on for which there is no row of the input.
    pub(super) absent: bool,
    /// Whether the host may compute what has no generated code.
    pub(super) host_eval: bool,
    /// Whether what is being lowered is computed only for some of the rows.
    pub(super) spared: bool,
}

/// Where a column of an input comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    /// A column of the source.
    Column(usize),
    /// Computed by the host over a batch of the source.
    Computed(Arc<dyn PhysicalExpr>),
}

/// A column of the plan.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot {
    /// Of the source, not taken up yet.
    Source(usize),
    Column(usize),
}

impl Rows {
    /// All rows of a plan, as they come.
    pub(crate) fn of(source: &Arc<dyn ExecutionPlan>, host_eval: bool) -> Self {
        let schema = source.schema();
        Self {
            columns: (0..schema.fields().len()).map(Slot::Source).collect(),
            source: schema,
            statistics: source.partition_statistics(None).ok(),
            is_scan: is_scan(source),
            used: Vec::new(),
            input: Input {
                columns: Vec::new(),
            },
            params: Vec::new(),
            values: Vec::new(),
            finished: Vec::new(),
            from: Source::Input(0),
            operators: Vec::new(),
            types: Vec::new(),
            input_at: Some(0),
            absent: false,
            host_eval,
            spared: false,
        }
    }

    /// A column of the plan, taken up from the source where that has not happened yet.
    ///
    /// Errors: [`Reason::Column`].
    pub(crate) fn column(&mut self, index: usize) -> Result<Expr, Reason> {
        let source = match self.columns[index] {
            Slot::Column(column) => return Ok(Expr::Column(column)),
            Slot::Source(source) => source,
        };
        let feed = Feed::Column(source);
        let column = match self.used.iter().position(|used| *used == feed) {
            Some(column) => column,
            None => self.take_up(source)?,
        };
        let input_at = self.input_at.expect("columns of the source are there");
        let column = input_at + column;
        self.columns[index] = Slot::Column(column);
        Ok(Expr::Column(column))
    }

    fn take_up(&mut self, source: usize) -> Result<usize, Reason> {
        let field = self.source.field(source);
        let ty = Type::from_arrow(field.data_type()).ok_or_else(|| Reason::Column {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
        })?;
        let statistics = self.statistics.as_ref();
        let statistics = statistics.and_then(|of| of.column_statistics.get(source));
        // Plans say of some columns with nulls that they have none, so that is a fact to check and no promise.
        let column = Column {
            facts: facts::expected(field, statistics),
            ty,
            nullable: true,
        };
        Ok(self.add_input(Feed::Column(source), column))
    }

    fn add_input(&mut self, feed: Feed, column: Column) -> usize {
        self.types
            .push(ValueType::new(column.ty.clone(), column.nullable));
        self.input.columns.push(column);
        self.used.push(feed);
        self.used.len() - 1
    }

    /// An expression that the host computes as a column of the input, or `None` where it may not.
    pub(crate) fn hosted(&mut self, expr: &Arc<dyn PhysicalExpr>) -> Option<Expr> {
        let filtered = || {
            let mut operators = self.operators.iter();
            operators.any(|operator| !matches!(operator, Operator::Project(_)))
        };
        let input_at = self.input_at?;
        // Of a row that is not there an expression may be more than null.
        if !self.host_eval || self.absent || !hosted::is_pure(expr) {
            return None;
        }
        if (self.spared || filtered()) && !hosted::never_fails(expr) {
            return None;
        }
        let moved = hosted::over_source(expr, |index| match self.columns.get(index)? {
            Slot::Source(source) => Some(*source),
            Slot::Column(column) => match self.used[column.checked_sub(input_at)?] {
                Feed::Column(source) => Some(source),
                Feed::Computed(_) => None,
            },
        })?;
        let ty = Type::from_arrow(&moved.data_type(&self.source).ok()?)?;
        // What a function says about nulls is a fact to check as well, and no promise.
        let no_nulls = !moved.nullable(&self.source).ok()?;
        let column = Column {
            ty,
            nullable: true,
            facts: Facts {
                no_nulls,
                ..Facts::NONE
            },
        };
        let feed = Feed::Computed(moved);
        let known = self.used.iter().position(|used| *used == feed);
        let column = known.unwrap_or_else(|| self.add_input(feed, column));
        Some(Expr::Column(input_at + column))
    }

    /// Lowers what is computed only for some of the rows.
    pub(crate) fn while_spared<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.spared, true);
        let lowered = lower(self);
        self.spared = before;
        lowered
    }

    pub(crate) fn params_count(&self) -> usize {
        self.params.len()
    }

    /// Takes back the parameters behind the first `count`, of an expression that was given up.
    pub(crate) fn forget_params(&mut self, count: usize) {
        self.params.truncate(count);
        self.values.truncate(count);
    }

    /// Whether a column can be null. Of a column that operators have passed on, its field may deny nulls that are there.
    pub(crate) fn is_nullable(&self, index: usize) -> bool {
        match self.columns[index] {
            Slot::Source(source) => {
                !self.is_scan || self.absent || self.source.field(source).is_nullable()
            }
            Slot::Column(column) => self.types[column].nullable,
        }
    }

    pub(crate) fn param(&mut self, param: fragment::Param, value: runtime::Param) -> Expr {
        self.params.push(param);
        self.values.push(value);
        Expr::Param(self.params.len() - 1)
    }

    /// What the rules of fragments say about expressions at this point.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope {
            columns: &self.types,
            params: &self.params,
        }
    }

    /// Keeps rows for which `predicate` is true.
    pub(crate) fn filter(&mut self, predicate: &Arc<dyn PhysicalExpr>) -> Result<(), Reason> {
        let lowered = self.expr(predicate)?;
        self.value_type(&lowered, predicate)?;
        self.operators.push(Operator::Filter(lowered));
        Ok(())
    }

    /// Goes on with some of the columns.
    pub(crate) fn select(&mut self, columns: &[usize]) {
        let selected = columns.iter().map(|index| self.columns[*index].clone());
        self.columns = selected.collect();
    }

    /// Goes on with the values of expressions.
    pub(crate) fn project(&mut self, exprs: &[Arc<dyn PhysicalExpr>]) -> Result<(), Reason> {
        let positions = exprs.iter().map(|expr| {
            let column = expr.downcast_ref::<expressions::Column>();
            column.map(expressions::Column::index)
        });
        if let Some(positions) = positions.collect::<Option<Vec<_>>>() {
            self.select(&positions);
            return Ok(());
        }
        let mut lowered = Vec::new();
        let mut types = Vec::new();
        for expr in exprs {
            let value = self.expr(expr)?;
            types.push(self.value_type(&value, expr)?);
            lowered.push(value);
        }
        self.replace_columns(lowered, types);
        Ok(())
    }

    pub(super) fn value_type(
        &self,
        lowered: &Expr,
        expr: &Arc<dyn PhysicalExpr>,
    ) -> Result<ValueType, Reason> {
        let of = self.scope().value_type(lowered);
        of.map_err(|error| Reason::rule(expr, &error))
    }

    pub(super) fn replace_columns(&mut self, exprs: Vec<Expr>, types: Vec<ValueType>) {
        self.columns = (0..exprs.len()).map(Slot::Column).collect();
        self.operators.push(Operator::Project(exprs));
        self.types = types;
        self.input_at = None;
    }

    /// Ends the pipeline in groups, and goes on with them.
    pub(crate) fn aggregate(&mut self, aggregate: Aggregate, name: &str) -> Result<(), Reason> {
        let columns = verifier::aggregate_columns(&self.scope(), &aggregate);
        let columns = columns.map_err(|error| Reason::rule(name, &error))?;
        self.finished.push(Pipeline {
            source: self.from,
            operators: std::mem::take(&mut self.operators),
            sink: Sink::Aggregate(aggregate),
        });
        self.from = Source::Groups(self.finished.len() - 1);
        self.columns = (0..columns.len()).map(Slot::Column).collect();
        self.types = columns;
        self.input_at = None;
        Ok(())
    }

    /// Whether the rows have been stored already.
    pub(crate) fn is_stored(&self) -> bool {
        !matches!(self.from, Source::Input(_))
    }
}
