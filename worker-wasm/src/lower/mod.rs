//! `ExecutionPlan` -> the same plan with [`Fragment`](crate::Fragment)s in it, and for every operator how it runs.
//!
//! ```text
//!  Projection                                     FragmentExec (Projection, Aggregate Final)
//!    Aggregate Final                                Repartition
//!      Repartition              ->                    FragmentExec (Aggregate Partial, Filter)
//!        Aggregate Partial                              DataSource
//!          Filter
//!            DataSource
//! ```
//! Bottom-up: whatever is no operator of ours is a source, and operators above it are fused as long as they have generated
//! code; the first that has none ends the fragment with a [`Reason`]. What DataFusion decided stays: partitioning,
//! ordering, phases of an aggregation, filters that a scan takes at run time.
//!
//! Whoever calls makes the node that runs a [`Piece`], or says why the piece should stay native ([`Assemble`]).

mod aggregate;
mod call;
mod expr;
mod facts;
mod hosted;
mod literal;
mod pipeline;
mod reason;

use std::sync::Arc;

use datafusion::{
    common::Result,
    physical_plan::{
        ExecutionPlan, aggregates::AggregateExec, filter::FilterExec, projection::ProjectionExec,
        with_new_children_if_necessary,
    },
};

pub use literal::param;
pub use pipeline::{Bound, Feed};
pub use reason::Reason;

use pipeline::Rows;

/// A plan with its fragments, and its operators in the order `EXPLAIN` prints them.
#[derive(Debug)]
pub struct Lowered {
    pub plan: Arc<dyn ExecutionPlan>,
    pub operators: Vec<Operator>,
}

/// An operator of the plan as DataFusion made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub name: String,
    pub runs: Runs,
}

/// How an operator runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// In a fragment, by the number of its piece.
    Wasm(usize),
    /// DataFusion's own operator.
    Native(Reason),
    /// Reads data; not compiled by design.
    Scan,
    /// Moves rows between partitions or workers; not compiled by design.
    Exchange,
}

/// Operators that can run as one fragment.
#[derive(Debug)]
pub struct Piece {
    pub bound: Bound,
    /// The same operators as DataFusion runs them, over the same sources.
    pub native: Arc<dyn ExecutionPlan>,
    /// What the fragment's inputs read, in their order.
    pub sources: Vec<Arc<dyn ExecutionPlan>>,
    /// Names of the operators, the topmost first.
    pub operators: Vec<String>,
}

/// What becomes of pieces, each asked once, sources before what reads them.
pub trait Assemble {
    /// The node that runs a piece, or why its operators stay native.
    fn node(&mut self, piece: Piece)
    -> Result<std::result::Result<Arc<dyn ExecutionPlan>, Reason>>;
}

/// Finds the fragments of a plan. With `host_eval` the host computes expressions that have no generated code.
pub fn lower(
    plan: &Arc<dyn ExecutionPlan>,
    host_eval: bool,
    assemble: &mut dyn Assemble,
) -> Result<Lowered> {
    let mut walk = Walk {
        host_eval,
        assemble,
        operators: Vec::new(),
        pieces: 0,
    };
    let node = walk.visit(plan)?;
    Ok(Lowered {
        plan: walk.close(node)?,
        operators: walk.operators,
    })
}

/// Names of operators that only move rows.
const EXCHANGES: [&str; 3] = [
    "RepartitionExec",
    "CoalescePartitionsExec",
    "SortPreservingMergeExec",
];

struct Walk<'a> {
    host_eval: bool,
    assemble: &'a mut dyn Assemble,
    /// In pre-order; each is put down before its children, and judged after them.
    operators: Vec<Operator>,
    pieces: usize,
}

/// What a subtree became.
enum Node {
    Plan(Arc<dyn ExecutionPlan>),
    Open(Box<Open>),
}

/// A fragment that the next operator may join.
struct Open {
    rows: Rows,
    native: Arc<dyn ExecutionPlan>,
    source: Arc<dyn ExecutionPlan>,
    /// Positions of its operators, the topmost last.
    operators: Vec<usize>,
}

impl Walk<'_> {
    fn visit(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Node> {
        let children = plan.children();
        let runs = match plan.name() {
            name if EXCHANGES.contains(&name) => Runs::Exchange,
            _ if children.is_empty() => Runs::Scan,
            _ => Runs::Native(Reason::Operator),
        };
        let index = self.operators.len();
        self.operators.push(Operator {
            name: plan.name().to_owned(),
            runs,
        });
        if children.is_empty() {
            return Ok(Node::Plan(Arc::clone(plan)));
        }
        let mut nodes = Vec::new();
        for child in children {
            nodes.push(self.visit(child)?);
        }
        if let [_] = nodes.as_slice()
            && is_fusible(plan.as_ref())
        {
            let node = nodes.pop().expect("there is one");
            return self.fuse(index, plan, node);
        }
        let children = nodes.into_iter().map(|node| self.close(node));
        let children = children.collect::<Result<Vec<_>>>()?;
        with_new_children_if_necessary(Arc::clone(plan), children).map(Node::Plan)
    }

    /// Puts an operator on top of a fragment, or begins one with it.
    fn fuse(&mut self, index: usize, plan: &Arc<dyn ExecutionPlan>, input: Node) -> Result<Node> {
        if let Node::Open(open) = &input {
            let mut rows = open.rows.clone();
            if step(&mut rows, plan.as_ref()).is_ok() {
                let native = with_new_children_if_necessary(
                    Arc::clone(plan),
                    vec![Arc::clone(&open.native)],
                )?;
                let mut operators = open.operators.clone();
                operators.push(index);
                return Ok(Node::Open(Box::new(Open {
                    rows,
                    native,
                    source: Arc::clone(&open.source),
                    operators,
                })));
            }
        }
        // What the fragment below cannot take may still begin one of its own.
        let source = self.close(input)?;
        let native = with_new_children_if_necessary(Arc::clone(plan), vec![Arc::clone(&source)])?;
        let mut rows = Rows::of(&source, self.host_eval);
        match step(&mut rows, plan.as_ref()) {
            Ok(()) => Ok(Node::Open(Box::new(Open {
                rows,
                native,
                source,
                operators: vec![index],
            }))),
            Err(reason) => {
                self.operators[index].runs = Runs::Native(reason);
                Ok(Node::Plan(native))
            }
        }
    }

    /// Ends a fragment.
    fn close(&mut self, node: Node) -> Result<Arc<dyn ExecutionPlan>> {
        let open = match node {
            Node::Plan(plan) => return Ok(plan),
            Node::Open(open) => open,
        };
        let names = open.operators.iter().rev();
        let names = names.map(|index| self.operators[*index].name.clone());
        let native = Arc::clone(&open.native);
        let node = match open.rows.emit(&native.schema()) {
            Ok(bound) => self.assemble.node(Piece {
                bound,
                native: open.native,
                sources: vec![open.source],
                operators: names.collect(),
            })?,
            Err(reason) => Err(reason),
        };
        let (plan, runs) = match node {
            Ok(plan) => {
                self.pieces += 1;
                (plan, Runs::Wasm(self.pieces - 1))
            }
            Err(reason) => (native, Runs::Native(reason)),
        };
        for index in open.operators {
            self.operators[index].runs = runs.clone();
        }
        Ok(plan)
    }
}

fn is_fusible(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<FilterExec>() || plan.is::<ProjectionExec>() || plan.is::<AggregateExec>()
}

/// One operator on top of `rows`.
fn step(rows: &mut Rows, plan: &dyn ExecutionPlan) -> std::result::Result<(), Reason> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        self::filter(rows, filter)
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let exprs = projection.expr().iter();
        let exprs: Vec<_> = exprs.map(|of| Arc::clone(&of.expr)).collect();
        rows.project(&exprs)
    } else if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        aggregate::lower(rows, aggregate)
    } else {
        Err(Reason::Operator)
    }
}

fn filter(rows: &mut Rows, filter: &FilterExec) -> std::result::Result<(), Reason> {
    if filter.fetch().is_some() {
        return Err(Reason::Form("a filter with a limit is not compiled yet"));
    }
    // A module says DONE after a pull without rows, and a filter of groups can leave none of many.
    if rows.is_grouped() {
        return Err(Reason::Form(
            "groups are filtered in a fragment of their own",
        ));
    }
    rows.filter(filter.predicate())?;
    if let Some(columns) = filter.projection() {
        rows.select(columns);
    }
    Ok(())
}
