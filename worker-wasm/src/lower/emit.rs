//! The end of a fragment: rows go out in the plan's columns, or are built into a table.

use arrow::datatypes::Schema;
use datafusion::physical_plan::joins::HashJoinExec;

use super::{
    Reason, join,
    pipeline::{Feed, Rows},
};
use crate::{
    fragment::{Build, Expr, Fragment, Pipeline, Sink, Table, ValueType, verifier},
    runtime,
};

/// A fragment and what it is run with.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub fragment: Fragment,
    pub params: Vec<runtime::Param>,
    /// Per input, where its columns come from.
    pub columns: Vec<Vec<Feed>>,
}

/// A fragment that builds the table of a join.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) bound: Bound,
    pub(crate) table: Table,
    /// For each column of the join's left side, where it is in the table; `None` where the join does not need it.
    pub(crate) places: Vec<Option<usize>>,
}

impl Rows {
    /// The whole fragment, whose rows have the columns of `schema`.
    ///
    /// Errors: [`Reason::Output`] where they would not, [`Reason::Column`] for columns that are only passed on.
    pub(crate) fn emit(mut self, schema: &Schema) -> Result<Bound, Reason> {
        let exprs = (0..self.columns.len()).map(|index| self.column(index));
        let exprs = exprs.collect::<Result<_, _>>()?;
        self.go_on_with(exprs)?;
        check_output(&self.types, schema)?;
        self.end(Sink::Emit).map(|(bound, _)| bound)
    }

    /// The whole fragment as the left side of a join: keys, and what else the join needs of its rows.
    pub(crate) fn build(mut self, of: &HashJoinExec) -> Result<Built, Reason> {
        let mut exprs = Vec::new();
        let mut put = |expr: Expr| match exprs.iter().position(|other| *other == expr) {
            Some(place) => place,
            None => {
                exprs.push(expr);
                exprs.len() - 1
            }
        };
        let mut keys = Vec::new();
        for (left, _) in of.on() {
            keys.push(put(self.expr(left)?));
        }
        let mut places = vec![None; self.columns.len()];
        for index in join::left_columns(of) {
            places[index] = Some(put(self.column(index)?));
        }
        self.go_on_with(exprs)?;
        let (bound, columns) = self.end(Sink::Build(Build { keys: keys.clone() }))?;
        Ok(Built {
            bound,
            table: Table { columns, keys },
            places,
        })
    }

    /// Goes on with these columns, whether the pipeline has them already or not.
    pub(super) fn go_on_with(&mut self, exprs: Vec<Expr>) -> Result<(), Reason> {
        let in_order = exprs.iter().enumerate();
        let as_they_are = exprs.len() == self.types.len()
            && in_order
                .into_iter()
                .all(|(index, expr)| *expr == Expr::Column(index));
        if !as_they_are {
            let types = exprs.iter().map(|expr| self.scope().value_type(expr));
            let types = types.collect::<Result<_, _>>();
            let types = types.map_err(|error| Reason::rule("output", &error))?;
            self.replace_columns(exprs, types);
        }
        Ok(())
    }

    /// The fragment with its last sink, and the columns there.
    fn end(mut self, sink: Sink) -> Result<(Bound, Vec<ValueType>), Reason> {
        self.finished.push(Pipeline {
            source: self.from,
            operators: self.operators,
            sink,
        });
        let fragment = Fragment {
            inputs: vec![self.input],
            params: self.params,
            pipelines: self.finished,
        };
        let columns = verifier::verify(&fragment);
        let columns = columns.map_err(|error| Reason::rule("fragment", &error))?;
        let bound = Bound {
            fragment,
            params: self.values,
            columns: vec![self.used],
        };
        Ok((bound, columns))
    }
}

/// Text goes out as views, whatever form of it the plan has. Whether a column may be null is not compared: the plan is
/// sometimes more careful than the rules, never less.
fn check_output(types: &[ValueType], schema: &Schema) -> Result<(), Reason> {
    for (of, field) in types.iter().zip(schema.fields()) {
        if !of.ty.is(field.data_type()) {
            return Err(Reason::Output {
                column: field.name().clone(),
                fragment: of.ty.to_string(),
                plan: field.data_type().clone(),
            });
        }
    }
    match types.len() == schema.fields().len() {
        true => Ok(()),
        false => Err(Reason::Form("plan and fragment differ in their columns")),
    }
}
