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
//! ordering, phases of an aggregation, sides of a join, filters that a scan takes at run time.
//!
//! A join becomes two fragments: its left side builds a table, and rows of its right side go through the join as through
//! any other operator. All that hangs together so is one [`Piece`], which is compiled as a whole or not at all. Where
//! DataFusion brings the partitions of a left side together, the table does: that exchange is part of the piece.
//!
//! Whoever calls makes the node that runs a [`Piece`], or says why the piece should stay native ([`Assemble`]).

mod aggregate;
mod call;
mod emit;
mod expr;
mod facts;
pub mod gain;
mod hosted;
mod join;
mod literal;
mod open;
mod piece;
mod pipeline;
mod reason;
mod sort;
mod stub;

use std::sync::Arc;

use datafusion::{
    common::Result,
    physical_plan::{
        ExecutionPlan,
        aggregates::AggregateExec,
        coalesce_partitions::CoalescePartitionsExec,
        filter::FilterExec,
        joins::{HashJoinExec, PartitionMode},
        projection::ProjectionExec,
        sorts::sort::SortExec,
        with_new_children_if_necessary,
    },
};

pub use emit::Bound;
pub use literal::param;
pub(crate) use literal::scalar;
pub(crate) use piece::replaced;
pub use piece::{Narrowing, Native, Part, Piece, TableSide};
pub use pipeline::Feed;
pub use reason::Reason;
pub(crate) use stub::{SourceStub, is_scan};

use open::{Left, Open};
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
    /// In a fragment. All parts of all pieces are counted, in the order in which they were assembled.
    Wasm(usize),
    /// DataFusion's own operator.
    Native(Reason),
    /// Reads data; not compiled by design.
    Scan,
    /// Moves rows between partitions or workers; not compiled by design.
    Exchange,
}

/// What becomes of pieces, each asked once, sources before what reads them.
pub trait Assemble {
    /// Whether an operator should be part of a piece at all, if it can be.
    fn wants(&mut self, _plan: &Arc<dyn ExecutionPlan>) -> std::result::Result<(), Reason> {
        Ok(())
    }

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
        parts: 0,
    };
    let node = walk.visit(plan)?;
    Ok(Lowered {
        plan: walk.close(node)?,
        operators: walk.operators,
    })
}

/// Names of operators that only move rows: between partitions, and between workers (`datafusion-distributed`).
const EXCHANGES: [&str; 8] = [
    "RepartitionExec",
    "CoalescePartitionsExec",
    "SortPreservingMergeExec",
    "BroadcastExec",
    "DistributedExec",
    "NetworkBroadcastExec",
    "NetworkCoalesceExec",
    "NetworkShuffleExec",
];

pub(crate) fn is_exchange(plan: &dyn ExecutionPlan) -> bool {
    EXCHANGES.contains(&plan.name())
}

struct Walk<'a> {
    host_eval: bool,
    assemble: &'a mut dyn Assemble,
    /// In pre-order; each is put down before its children, and judged after them.
    operators: Vec<Operator>,
    /// Of the pieces so far.
    parts: usize,
}

/// What a subtree became.
enum Node {
    Plan(Arc<dyn ExecutionPlan>),
    Open(Box<Open>),
    /// All partitions of what is below as one, in no order.
    Gathered(Arc<dyn ExecutionPlan>, Box<Self>),
}

impl Node {
    /// As the left side of a join. All partitions of its rows become one table without meeting before.
    fn build(&self, join: &HashJoinExec, host_eval: bool) -> std::result::Result<Left, Reason> {
        match self {
            Self::Plan(plan) => Open::of(plan, host_eval).build(join),
            Self::Open(open) => open.as_ref().clone().build(join),
            Self::Gathered(gather, rows) => {
                let left = rows.build(join, host_eval)?;
                Ok(left.gathered(Arc::clone(gather)))
            }
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self, Self::Plan(_))
    }
}

impl Walk<'_> {
    fn visit(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Node> {
        let children = plan.children();
        let runs = match (is_exchange(plan.as_ref()), children.is_empty()) {
            (true, _) => Runs::Exchange,
            (false, true) => Runs::Scan,
            (false, false) => Runs::Native(Reason::Operator),
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
        if let Some(join) = plan.downcast_ref::<HashJoinExec>()
            && nodes.len() == 2
        {
            let (right, left) = (nodes.pop(), nodes.pop());
            let (left, right) = (left.expect("of two"), right.expect("of two"));
            return self.join(index, plan, join, left, right);
        }
        let (fuses, gathers) = (is_fusible(plan.as_ref()), gathers(plan.as_ref()));
        if nodes.len() == 1
            && (fuses || gathers)
            && let Some(node) = nodes.pop()
        {
            if fuses {
                return self.fuse(index, plan, node);
            }
            // What is stored before is a piece of its own: it has its own reasons to be compiled or not.
            let stores = matches!(&node, Node::Open(open) if open.rows.is_stored());
            let rows = match stores {
                true => Node::Plan(self.close(node)?),
                false => node,
            };
            return Ok(Node::Gathered(Arc::clone(plan), Box::new(rows)));
        }
        let children = nodes.into_iter().map(|node| self.close(node));
        let children = children.collect::<Result<Vec<_>>>()?;
        with_new_children_if_necessary(Arc::clone(plan), children).map(Node::Plan)
    }

    /// Puts an operator on top of a fragment, or begins one with it.
    fn fuse(&mut self, index: usize, plan: &Arc<dyn ExecutionPlan>, input: Node) -> Result<Node> {
        let wanted = self.assemble.wants(plan);
        if let (Node::Open(open), Ok(())) = (&input, &wanted)
            && let Ok(rows) = stepped(&open.rows, plan.as_ref())
        {
            let below = vec![Arc::clone(&open.native)];
            let native = with_new_children_if_necessary(Arc::clone(plan), below)?;
            return Ok(Node::Open(Box::new(open.under(index, rows, native))));
        }
        // What the fragment below cannot take may still begin one of its own.
        let source = self.close(input)?;
        let native = with_new_children_if_necessary(Arc::clone(plan), vec![Arc::clone(&source)])?;
        let open = Open::of(&source, self.host_eval);
        match wanted.and_then(|()| stepped(&open.rows, plan.as_ref())) {
            Ok(rows) => Ok(Node::Open(Box::new(open.under(index, rows, native)))),
            Err(reason) => {
                self.operators[index].runs = Runs::Native(reason);
                Ok(Node::Plan(native))
            }
        }
    }

    /// Makes the left side of a join a table, and the join a step of its right side.
    fn join(
        &mut self,
        index: usize,
        plan: &Arc<dyn ExecutionPlan>,
        join: &HashJoinExec,
        mut left: Node,
        mut right: Node,
    ) -> Result<Node> {
        let wanted = self.assemble.wants(plan);
        let kind = match wanted.and_then(|()| join::check_form(join)) {
            Ok(kind) => kind,
            Err(reason) => return self.stay_native(index, plan, [left, right], reason),
        };
        // A side that cannot go on into the join ends there, and the join begins with its rows.
        let shared = *join.partition_mode() == PartitionMode::CollectLeft;
        if matches!(left, Node::Gathered(..)) && !shared {
            left = Node::Plan(self.close(left)?);
        }
        let mut built = left.build(join, self.host_eval);
        if built.is_err() && !left.is_closed() {
            left = Node::Plan(self.close(left)?);
            built = left.build(join, self.host_eval);
        }
        let built = match built {
            Ok(built) => built,
            Err(reason) => return self.stay_native(index, plan, [left, right], reason),
        };
        let mut joined = match &right {
            Node::Open(open) => open.as_ref().clone().join(join, kind, &built),
            Node::Plan(_) | Node::Gathered(..) => Err(Reason::Operator),
        };
        if joined.is_err() {
            let source = self.close(right)?;
            joined = Open::of(&source, self.host_eval).join(join, kind, &built);
            right = Node::Plan(source);
        }
        match joined {
            Ok(mut open) => {
                let sides = vec![built.native()?, Arc::clone(&open.native)];
                open.native = with_new_children_if_necessary(Arc::clone(plan), sides)?;
                open.operators.push(index);
                Ok(Node::Open(Box::new(open)))
            }
            Err(reason) => self.stay_native(index, plan, [left, right], reason),
        }
    }

    fn stay_native(
        &mut self,
        index: usize,
        plan: &Arc<dyn ExecutionPlan>,
        children: [Node; 2],
        reason: Reason,
    ) -> Result<Node> {
        self.operators[index].runs = Runs::Native(reason);
        let children = children.into_iter().map(|node| self.close(node));
        let children = children.collect::<Result<Vec<_>>>()?;
        with_new_children_if_necessary(Arc::clone(plan), children).map(Node::Plan)
    }

    /// Ends a fragment.
    fn close(&mut self, node: Node) -> Result<Arc<dyn ExecutionPlan>> {
        let open = match node {
            Node::Plan(plan) => return Ok(plan),
            Node::Open(open) => open,
            Node::Gathered(gather, rows) => {
                let rows = self.close(*rows)?;
                return with_new_children_if_necessary(gather, vec![rows]);
            }
        };
        let native = Arc::clone(&open.native);
        let all = open.all_operators();
        let mut by_part = Vec::new();
        let node = match open.emit() {
            Ok(closed) => {
                let part = Arc::new(closed.number(&mut by_part));
                let names = all.iter().map(|index| self.operators[*index].name.clone());
                let operators = names.collect();
                self.assemble.node(Piece { part, operators })?
            }
            Err(reason) => Err(reason),
        };
        match node {
            Ok(plan) => {
                for operators in by_part {
                    for index in operators {
                        self.operators[index].runs = Runs::Wasm(self.parts);
                    }
                    self.parts += 1;
                }
                Ok(plan)
            }
            Err(reason) => {
                for index in all {
                    self.operators[index].runs = Runs::Native(reason.clone());
                }
                Ok(native)
            }
        }
    }
}

fn gathers(plan: &dyn ExecutionPlan) -> bool {
    let gather = plan.downcast_ref::<CoalescePartitionsExec>();
    gather.is_some_and(|gather| gather.fetch().is_none())
}

fn is_fusible(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<AggregateExec>()
        || plan.is::<SortExec>()
}

/// `rows` with one operator on top.
fn stepped(rows: &Rows, plan: &dyn ExecutionPlan) -> std::result::Result<Rows, Reason> {
    let mut rows = rows.clone();
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        self::filter(&mut rows, filter)?;
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let exprs = projection.expr().iter();
        let exprs: Vec<_> = exprs.map(|of| Arc::clone(&of.expr)).collect();
        rows.project(&exprs)?;
    } else if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        aggregate::lower(&mut rows, aggregate)?;
    } else if let Some(sort) = plan.downcast_ref::<SortExec>() {
        sort::lower(&mut rows, sort)?;
    } else {
        return Err(Reason::Operator);
    }
    Ok(rows)
}

fn filter(rows: &mut Rows, filter: &FilterExec) -> std::result::Result<(), Reason> {
    if filter.fetch().is_some() {
        return Err(Reason::Form("a filter with a limit is not compiled yet"));
    }
    rows.filter(filter.predicate())?;
    if let Some(columns) = filter.projection() {
        rows.select(columns);
    }
    Ok(())
}
