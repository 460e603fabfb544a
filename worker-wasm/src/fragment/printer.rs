//! Fragment -> text, the form of golden tests, of a module's description and of `EXPLAIN`.

use std::fmt;

use super::{
    ir::{
        Aggregate, AggregateFunction, ArithmeticOp, Call, CompareOp, Expr, Fragment, Join,
        JoinKind, LikeClass, Mode, Operator, Pipeline, Sink, Sort, Source, Table, TimePart,
    },
    sexpr::Sexpr,
    types::{Column, Param, Range, Type},
};

pub(crate) const ARITHMETIC: [(&str, ArithmeticOp); 5] = [
    ("add", ArithmeticOp::Add),
    ("sub", ArithmeticOp::Subtract),
    ("mul", ArithmeticOp::Multiply),
    ("div", ArithmeticOp::Divide),
    ("rem", ArithmeticOp::Remainder),
];

pub(crate) const COMPARE: [(&str, CompareOp); 6] = [
    ("eq", CompareOp::Eq),
    ("ne", CompareOp::Ne),
    ("lt", CompareOp::Lt),
    ("le", CompareOp::Le),
    ("gt", CompareOp::Gt),
    ("ge", CompareOp::Ge),
];

pub(crate) const LIKES: [(&str, LikeClass); 5] = [
    ("exact", LikeClass::Exact),
    ("prefix", LikeClass::Prefix),
    ("suffix", LikeClass::Suffix),
    ("contains", LikeClass::Contains),
    ("general", LikeClass::General),
];

pub(crate) const TIME_PARTS: [(&str, TimePart); 16] = [
    ("year", TimePart::Year),
    ("isoyear", TimePart::IsoYear),
    ("quarter", TimePart::Quarter),
    ("month", TimePart::Month),
    ("week", TimePart::Week),
    ("day", TimePart::Day),
    ("doy", TimePart::DayOfYear),
    ("dow", TimePart::DayOfWeek),
    ("isodow", TimePart::IsoDayOfWeek),
    ("hour", TimePart::Hour),
    ("minute", TimePart::Minute),
    ("second", TimePart::Second),
    ("millisecond", TimePart::Millisecond),
    ("microsecond", TimePart::Microsecond),
    ("nanosecond", TimePart::Nanosecond),
    ("epoch", TimePart::Epoch),
];

pub(crate) const MODES: [(&str, Mode); 3] = [
    ("single", Mode::Single),
    ("partial", Mode::Partial),
    ("final", Mode::Final),
];

pub(crate) const JOINS: [(&str, JoinKind); 8] = [
    ("inner", JoinKind::Inner),
    ("left", JoinKind::Left),
    ("right", JoinKind::Right),
    ("full", JoinKind::Full),
    ("left-semi", JoinKind::LeftSemi),
    ("left-anti", JoinKind::LeftAnti),
    ("right-semi", JoinKind::RightSemi),
    ("right-anti", JoinKind::RightAnti),
];

pub(crate) const RANGES: [(&str, Range); 2] = [("i32", Range::I32), ("i64", Range::I64)];

/// Aggregate functions without type arguments.
pub(crate) const FUNCTIONS: [(&str, AggregateFunction); 5] = [
    ("count", AggregateFunction::Count),
    ("count-distinct", AggregateFunction::CountDistinct),
    ("sum", AggregateFunction::Sum),
    ("min", AggregateFunction::Min),
    ("max", AggregateFunction::Max),
];

/// Name of `value` in one of the tables above, which are complete.
fn name<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    let entry = table.iter().find(|(_, entry)| entry == value);
    entry.expect("the table names every value").0
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fragment(self).pretty())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&expr(self).pretty())
    }
}

fn fragment(fragment: &Fragment) -> Sexpr {
    let inputs = fragment
        .inputs
        .iter()
        .map(|input| Sexpr::list("input", input.columns.iter().map(column)));
    let params = Sexpr::list("params", fragment.params.iter().map(param));
    let pipelines = fragment.pipelines.iter().map(pipeline);
    Sexpr::list("fragment", inputs.chain([params]).chain(pipelines))
}

fn column(column: &Column) -> Sexpr {
    let mut items = vec![ty(&column.ty)];
    if column.nullable {
        items.push(Sexpr::atom("nullable"));
    }
    if column.facts.no_nulls {
        items.push(Sexpr::atom("no-nulls"));
    }
    if column.facts.range != Range::Full {
        items.push(Sexpr::atom(name(&RANGES, &column.facts.range)));
    }
    Sexpr::list("column", items)
}

fn param(param: &Param) -> Sexpr {
    let mut items = vec![ty(&param.ty)];
    if param.range != Range::Full {
        items.push(Sexpr::atom(name(&RANGES, &param.range)));
    }
    Sexpr::list("param", items)
}

fn ty(ty: &Type) -> Sexpr {
    Sexpr::read(&ty.to_string()).expect("types are written as the reader takes them")
}

fn pipeline(pipeline: &Pipeline) -> Sexpr {
    let source = match pipeline.source {
        Source::Input(input) => Sexpr::list("input", [Sexpr::atom(input)]),
        Source::Groups(of) => Sexpr::list("groups", [Sexpr::atom(of)]),
        Source::Sorted(of) => Sexpr::list("sorted", [Sexpr::atom(of)]),
    };
    let operators = pipeline.operators.iter().map(|operator| match operator {
        Operator::Filter(predicate) => Sexpr::list("filter", [expr(predicate)]),
        Operator::Project(exprs) => Sexpr::list("project", exprs.iter().map(expr)),
        Operator::Join(join) => self::join(join),
    });
    let sink = match &pipeline.sink {
        Sink::Emit => Sexpr::list("emit", []),
        Sink::Aggregate(aggregate) => self::aggregate(aggregate),
        Sink::Sort(sort) => self::sort(sort),
        Sink::Build(build) => Sexpr::list("build", build.keys.iter().map(Sexpr::atom)),
    };
    Sexpr::list(
        "pipeline",
        std::iter::once(source).chain(operators).chain([sink]),
    )
}

fn aggregate(aggregate: &Aggregate) -> Sexpr {
    let mode = Sexpr::atom(name(&MODES, &aggregate.mode));
    let keys = Sexpr::list("keys", aggregate.keys.iter().map(expr));
    let calls = aggregate.calls.iter().map(call);
    Sexpr::list("aggregate", [mode, keys].into_iter().chain(calls))
}

fn join(join: &Join) -> Sexpr {
    let mut items = vec![
        Sexpr::atom(name(&JOINS, &join.kind)),
        table(&join.table),
        Sexpr::list("keys", join.keys.iter().map(expr)),
    ];
    if join.nulls_equal {
        items.push(Sexpr::atom("nulls-equal"));
    }
    if let Some(filter) = &join.filter {
        items.push(Sexpr::list("where", [expr(filter)]));
    }
    Sexpr::list("join", items)
}

fn table(table: &Table) -> Sexpr {
    let keys = Sexpr::list("keys", table.keys.iter().map(Sexpr::atom));
    let columns = table.columns.iter().map(|of| {
        let nullable = of.nullable.then(|| Sexpr::atom("nullable"));
        Sexpr::list("column", [ty(&of.ty)].into_iter().chain(nullable))
    });
    Sexpr::list("table", [keys].into_iter().chain(columns))
}

fn sort(sort: &Sort) -> Sexpr {
    let keys = sort.keys.iter().map(|key| {
        let direction = if key.descending { "desc" } else { "asc" };
        let nulls = if key.nulls_first {
            "nulls-first"
        } else {
            "nulls-last"
        };
        Sexpr::list(direction, [expr(&key.expr), Sexpr::atom(nulls)])
    });
    let fetch = sort
        .fetch
        .map(|param| Sexpr::list("fetch", [Sexpr::atom(format!("p{param}"))]));
    Sexpr::list("sort", keys.chain(fetch))
}

fn call(call: &Call) -> Sexpr {
    let mut items = Vec::new();
    let function = match &call.function {
        AggregateFunction::Avg(result) => {
            items.push(ty(result));
            "avg"
        }
        simple => name(&FUNCTIONS, simple),
    };
    items.extend(call.arguments.iter().map(expr));
    if let Some(filter) = &call.filter {
        items.push(Sexpr::list("where", [expr(filter)]));
    }
    Sexpr::list(function, items)
}

fn expr(e: &Expr) -> Sexpr {
    let list = |head: &str, items: &[Expr]| Sexpr::list(head, items.iter().map(expr));
    match e {
        Expr::Column(index) => Sexpr::atom(format!("c{index}")),
        Expr::Param(index) => Sexpr::atom(format!("p{index}")),
        Expr::Null(of) => Sexpr::list("null", [ty(of)]),
        Expr::Arithmetic(op, left, right) => {
            Sexpr::list(name(&ARITHMETIC, op), [expr(left), expr(right)])
        }
        Expr::Compare(op, left, right) => {
            Sexpr::list(name(&COMPARE, op), [expr(left), expr(right)])
        }
        Expr::And(items) => list("and", items),
        Expr::Or(items) => list("or", items),
        Expr::Not(item) => Sexpr::list("not", [expr(item)]),
        Expr::Negate(item) => Sexpr::list("neg", [expr(item)]),
        Expr::IsNull(item) => Sexpr::list("is-null", [expr(item)]),
        Expr::IsNotNull(item) => Sexpr::list("is-not-null", [expr(item)]),
        Expr::Case {
            branches,
            otherwise,
        } => {
            let branches = branches
                .iter()
                .map(|(when, then)| Sexpr::list("when", [expr(when), expr(then)]));
            let otherwise = otherwise
                .iter()
                .map(|value| Sexpr::list("else", [expr(value)]));
            Sexpr::list("case", branches.chain(otherwise))
        }
        Expr::Cast(item, to) => Sexpr::list("cast", [expr(item), ty(to)]),
        Expr::Coalesce(items) => list("coalesce", items),
        Expr::In(value, items) => {
            Sexpr::list("in", std::iter::once(value.as_ref()).chain(items).map(expr))
        }
        Expr::Like(class, text, pattern) => {
            let class = Sexpr::atom(name(&LIKES, class));
            Sexpr::list("like", [class, expr(text), expr(pattern)])
        }
        Expr::DatePart(part, value) => {
            let part = Sexpr::atom(name(&TIME_PARTS, part));
            Sexpr::list("date-part", [part, expr(value)])
        }
        Expr::DateTrunc(part, value) => {
            let part = Sexpr::atom(name(&TIME_PARTS, part));
            Sexpr::list("date-trunc", [part, expr(value)])
        }
        Expr::AddInterval {
            value,
            months,
            days,
            nanos,
        } => Sexpr::list(
            "add-interval",
            [value, months, days, nanos].map(|part| expr(part)),
        ),
        Expr::Substring { text, start, count } => {
            let parts = [text, start].into_iter().chain(count);
            Sexpr::list("substring", parts.map(|part| expr(part)))
        }
    }
}
