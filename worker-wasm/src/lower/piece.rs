//! Operators that run together: one fragment, and one more for each table that its joins probe.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::{Result, internal_datafusion_err},
    physical_expr::{PhysicalExpr, expressions::DynamicFilterPhysicalExpr},
    physical_plan::ExecutionPlan,
};

use super::Bound;

/// Operators that can run as one node.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The part whose rows go out.
    pub part: Arc<Part>,
    /// Names of the operators, the topmost first.
    pub operators: Vec<String>,
}

/// A fragment with what it reads.
#[derive(Debug, Clone)]
pub struct Part {
    /// Parts of a piece are counted from 0, each behind those that build its tables.
    pub number: usize,
    pub bound: Bound,
    /// The same operators as DataFusion runs them. Of a part that builds a table, without the join and what brings its
    /// partitions together there.
    pub native: Native,
    /// What the fragment's input reads.
    pub source: Arc<dyn ExecutionPlan>,
    /// Of the fragment's joins, in their order.
    pub tables: Vec<TableSide>,
}

/// Operators as DataFusion has planned them.
#[derive(Debug, Clone)]
pub struct Native {
    plan: Arc<dyn ExecutionPlan>,
    /// What `plan` reads where that is not what its part reads: of another run. It takes long to put operators together,
    /// and hardly any run has use for them.
    of_another_run: Option<Vec<Arc<dyn ExecutionPlan>>>,
}

/// The left side of a join.
#[derive(Debug, Clone)]
pub struct TableSide {
    /// What builds the table.
    pub part: Arc<Part>,
    /// Whether one table is for all partitions; otherwise each has its own.
    pub shared: bool,
    /// Whether the join keeps rows of the table until all probing has ended.
    pub kept: bool,
    /// Whether no row comes out where the table is empty.
    pub empties: bool,
    pub narrowing: Option<Narrowing>,
}

/// What a join tells the scan below its right side about the keys that its table has.
#[derive(Debug, Clone)]
pub struct Narrowing {
    pub filter: Arc<DynamicFilterPhysicalExpr>,
    /// Keys of the right side; none where bounds of keys would be wrong.
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Of the right side.
    pub schema: SchemaRef,
}

impl Piece {
    /// All parts by their numbers.
    pub fn parts(&self) -> Vec<&Part> {
        let mut parts = Vec::new();
        self.part.add_parts(&mut parts);
        parts
    }

    /// What all parts read, in the order of the plan, left sides first.
    pub fn sources(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.part.sources()
    }

    /// The same operators over other sources, which come in the order of [`Self::sources`].
    pub fn with_sources(&self, new: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        self.with(new, Sources::Others)
    }

    /// The same, of which no operator knows anything of a run that another one of these has had. What operators have told
    /// scans is forgotten.
    pub(crate) fn renewed(&self, new: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        self.with(new, Sources::OfAnotherRun)
    }

    fn with(&self, new: Vec<Arc<dyn ExecutionPlan>>, are: Sources) -> Result<Self> {
        let part = self.part.with_sources(&mut new.into_iter(), are)?;
        Ok(Self {
            part: Arc::new(part),
            operators: self.operators.clone(),
        })
    }
}

/// What new sources of a part are.
#[derive(Debug, Clone, Copy)]
enum Sources {
    Others,
    /// The same, as they are before a run.
    OfAnotherRun,
}

impl Native {
    /// Over the sources of its part.
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            plan,
            of_another_run: None,
        }
    }

    /// For what is known of its rows. It may belong to another run.
    pub fn planned(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }

    /// Columns of its rows.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }
}

impl Part {
    fn add_parts<'a>(&'a self, parts: &mut Vec<&'a Self>) {
        for table in &self.tables {
            table.part.add_parts(parts);
        }
        parts.push(self);
    }

    fn add_sources<'a>(&'a self, sources: &mut Vec<&'a Arc<dyn ExecutionPlan>>) {
        // The topmost join is the last one that a row meets.
        for table in self.tables.iter().rev() {
            table.part.add_sources(sources);
        }
        sources.push(&self.source);
    }

    fn with_sources(
        &self,
        new: &mut dyn Iterator<Item = Arc<dyn ExecutionPlan>>,
        are: Sources,
    ) -> Result<Self> {
        let mut tables = Vec::new();
        for table in self.tables.iter().rev() {
            tables.push(TableSide {
                part: Arc::new(table.part.with_sources(new, are)?),
                ..table.clone()
            });
        }
        tables.reverse();
        let source = new.next();
        let source = source.ok_or_else(|| internal_datafusion_err!("a source is missing"))?;
        let part = Self {
            tables,
            source,
            ..self.clone()
        };
        let native = match are {
            Sources::Others => Native::new(replaced(
                &self.operators()?,
                &self.sources(),
                &part.sources(),
            )?),
            Sources::OfAnotherRun => {
                let own = || self.sources().into_iter().cloned().collect();
                let planned = self.native.of_another_run.clone();
                Native {
                    plan: Arc::clone(&self.native.plan),
                    of_another_run: Some(planned.unwrap_or_else(own)),
                }
            }
        };
        Ok(Self { native, ..part })
    }

    fn sources(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        let mut sources = Vec::new();
        self.add_sources(&mut sources);
        sources
    }

    /// Its operators over its sources, knowing of no other run.
    pub fn operators(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = &self.native.plan;
        match &self.native.of_another_run {
            None => Ok(Arc::clone(plan)),
            Some(others) => {
                let others: Vec<_> = others.iter().collect();
                let renewed = &ExecutionPlan::reset_state;
                replaced_with(plan, &others, &self.sources(), renewed)
            }
        }
    }
}

/// What becomes of an operator whose inputs are others.
type Each<'a> = &'a dyn Fn(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>>;

/// `plan` with other nodes in the places of the very nodes `old`.
pub(crate) fn replaced(
    plan: &Arc<dyn ExecutionPlan>,
    old: &[&Arc<dyn ExecutionPlan>],
    new: &[&Arc<dyn ExecutionPlan>],
) -> Result<Arc<dyn ExecutionPlan>> {
    replaced_with(plan, old, new, &Ok)
}

fn replaced_with(
    plan: &Arc<dyn ExecutionPlan>,
    old: &[&Arc<dyn ExecutionPlan>],
    new: &[&Arc<dyn ExecutionPlan>],
    each: Each<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(at) = old.iter().position(|old| Arc::ptr_eq(plan, old)) {
        return Ok(Arc::clone(new[at]));
    }
    let children = plan.children().into_iter();
    let children = children.map(|child| replaced_with(child, old, new, each));
    let children = children.collect::<Result<Vec<_>>>()?;
    match children.is_empty() {
        true => Ok(Arc::clone(plan)),
        false => each(Arc::clone(plan).with_new_children(children)?),
    }
}
