//! What a fragment consists of. Columns and parameters are positions; names and statistics live elsewhere.

use super::{
    rules::ValueType,
    types::{Column, Facts, Param, Type},
};

/// A plan piece that becomes one module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fragment {
    pub inputs: Vec<Input>,
    /// The plan's literals, in the order `open` takes them.
    pub params: Vec<Param>,
    /// In the order they run; exactly the last one emits, or builds a table for the joins of other fragments.
    pub pipelines: Vec<Pipeline>,
}

/// Batches that the host pushes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Input {
    pub columns: Vec<Column>,
}

/// Rows from one source through operators, without being stored, into a sink.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pipeline {
    pub source: Source,
    pub operators: Vec<Operator>,
    pub sink: Sink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Batches of an input, by position.
    Input(usize),
    /// The groups of an earlier pipeline's aggregation: keys, then results or states of the calls.
    Groups(usize),
    /// The rows of an earlier pipeline's sort, in order.
    Sorted(usize),
}

/// One step on a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Keeps rows for which the boolean expression is true.
    Filter(Expr),
    /// Replaces the row's columns.
    Project(Vec<Expr>),
    /// Looks the row up in a table that another fragment has built.
    Join(Join),
}

/// Where a pipeline's rows go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sink {
    /// Out of the fragment.
    Emit,
    Aggregate(Aggregate),
    Sort(Sort),
    Build(Build),
}

/// A hash join with the row as its probe side. Tables come in the order of the joins in a fragment.
///
/// As in DataFusion the table is the left side: a left join keeps rows of the table, a right join keeps probing rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Join {
    pub kind: JoinKind,
    pub table: Table,
    /// What is looked up, one expression over the row for each key of the table, of the same type.
    pub keys: Vec<Expr>,
    /// Whether a null key matches a null key; otherwise it matches nothing.
    pub nulls_equal: bool,
    /// What else a pair must fulfil, over the columns of the table, then those of the row.
    pub filter: Option<Expr>,
}

/// What a join puts out. Pairs are the columns of the table, then those of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and rows of the table without a match, with nulls for the probing row.
    Left,
    /// Pairs, and probing rows without a match, with nulls for the table's.
    Right,
    /// Pairs, and the rows of both sides that have no match.
    Full,
    /// Rows of the table that have a match.
    LeftSemi,
    /// Rows of the table that have none.
    LeftAnti,
    /// Probing rows that have a match.
    RightSemi,
    /// Probing rows that have none.
    RightAnti,
}

impl JoinKind {
    /// Whether rows of the table go out when all probing has ended.
    pub fn keeps_table_rows(self) -> bool {
        matches!(
            self,
            Self::Left | Self::Full | Self::LeftSemi | Self::LeftAnti
        )
    }

    /// Whether pairs go out.
    pub fn makes_pairs(self) -> bool {
        matches!(self, Self::Inner | Self::Left | Self::Right | Self::Full)
    }
}

/// Rows that can be looked up by key. Its layout in memory follows from this alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    pub columns: Vec<ValueType>,
    /// Positions of the key columns.
    pub keys: Vec<usize>,
}

/// Stores rows in a [`Table`]. The fragment puts out nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Build {
    /// Positions of the key columns.
    pub keys: Vec<usize>,
}

/// Orders rows by keys, the first one above the second, and so on. Equal rows stay in the order they came in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sort {
    pub keys: Vec<SortKey>,
    /// The parameter (uint64) that says how many of the first rows are wanted; `None` for all.
    pub fetch: Option<usize>,
}

/// Floats are in total order, all NaNs equal and above infinity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SortKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

/// Groups rows by keys; no keys make exactly one group, also of no rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    pub mode: Mode,
    pub keys: Vec<Expr>,
    pub calls: Vec<Call>,
}

/// What goes in and what comes out of an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Rows in, results out.
    Single,
    /// Rows in, states out.
    Partial,
    /// States in, results out. Arguments are the state columns, in the order Partial puts them out.
    Final,
}

/// An aggregate function over the rows of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    pub function: AggregateFunction,
    /// Its argument, or in `Final` mode its state columns. None for `count(*)`.
    pub arguments: Vec<Expr>,
    /// Rows for which this is not true do not count. Never in `Final` mode.
    pub filter: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// Rows whose argument is not null; all rows without argument. State: int64.
    Count,
    /// Different values, nulls left out. Only in `Single` mode: its state is a set.
    CountDistinct,
    /// In the type that DataFusion gives: int64, uint64, float64, or a decimal of 10 more digits. State: the same.
    Sum,
    /// Mean as float64, or as a decimal of 4 more digits and places. The type is the result's. State: uint64 count, then sum, both null
    /// for a group without values.
    Avg(Type),
    /// State: the same type.
    Min,
    Max,
}

/// A scalar expression over one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Expr {
    Column(usize),
    Param(usize),
    /// The null of a type.
    Null(Type),
    /// Both sides of one type, or decimals of any two.
    Arithmetic(ArithmeticOp, Box<Expr>, Box<Expr>),
    /// Both sides of one type. Floats in total order, all NaNs equal and above infinity.
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// Kleene's three-valued logic; two or more operands.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    IsNull(Box<Expr>),
    IsNotNull(Box<Expr>),
    /// The first branch whose condition is true; null without one and without `otherwise`.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// Errors where the value does not fit.
    Cast(Box<Expr>, Type),
    /// The first that is not null.
    Coalesce(Vec<Expr>),
    /// Whether the value equals one of the list.
    In(Box<Expr>, Vec<Expr>),
    /// Whether text matches a pattern of this class. The class belongs to the shape, the pattern is usually a parameter.
    Like(LikeClass, Box<Expr>, Box<Expr>),
    /// Characters of text from a position on, which counts from 1, both int64; without a count, all that follow.
    Substring {
        text: Box<Expr>,
        start: Box<Expr>,
        count: Option<Box<Expr>>,
    },
    /// A part of a date or timestamp as a number, as DataFusion's `date_part`: int32, but int64 of nanoseconds and float64
    /// of the epoch. Null also where a value is in no year from -262143 to 262142.
    DatePart(TimePart, Box<Expr>),
    /// The start of the second, day, month .. that a timestamp is in.
    DateTrunc(TimePart, Box<Expr>),
    /// A date or timestamp, moved first by months (int32), then by days (int32), then by nanoseconds (int64).
    AddInterval {
        value: Box<Expr>,
        months: Box<Expr>,
        days: Box<Expr>,
        nanos: Box<Expr>,
    },
}

/// What can be asked about a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimePart {
    Year,
    /// The year that the ISO week belongs to.
    IsoYear,
    Quarter,
    Month,
    /// ISO week of the year; truncated, its Monday.
    Week,
    Day,
    DayOfYear,
    /// 0 on Sundays.
    DayOfWeek,
    /// 1 on Mondays, 7 on Sundays.
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    /// Since the start of the minute, as the next two.
    Millisecond,
    Microsecond,
    Nanosecond,
    /// Seconds since 1970-01-01.
    Epoch,
}

/// What is left of a LIKE pattern when its wildcards are understood; see [`super::like`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LikeClass {
    /// No wildcard: the whole text.
    Exact,
    Prefix,
    Suffix,
    Contains,
    /// The pattern as it was written, with `%`, `_` and `\` as the escape.
    General,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Fragment {
    /// The same shape with those facts alone that hold for all values of as many digits as their types allow.
    pub fn by_types(&self) -> Self {
        let mut by_types = self.general();
        for input in &mut by_types.inputs {
            for column in &mut input.columns {
                column.facts.range = column.ty.range();
            }
        }
        by_types
    }

    /// The same shape without facts about columns: its module takes every batch of the types.
    pub fn general(&self) -> Self {
        let mut general = self.clone();
        for input in &mut general.inputs {
            for column in &mut input.columns {
                column.facts = Facts::NONE;
            }
        }
        general
    }
}
