//! Text -> fragment. What comes out is well-formed, not yet verified.

use super::{
    ir::{
        Aggregate, AggregateFunction, Build, Call, Expr, Fragment, Input, Join, Operator, Pipeline,
        Sink, Sort, SortKey, Source, Table,
    },
    printer::{ARITHMETIC, COMPARE, FUNCTIONS, JOINS, LIKES, MODES, RANGES, TIME_PARTS},
    rules::ValueType,
    sexpr::Sexpr,
    types::{Column, Facts, Param, Range, SIMPLE, Type, UNITS},
};

/// Why a text is no fragment.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("line {line}: {what}")]
    Text { line: usize, what: String },
    #[error("expected {expected}, found {found}")]
    Unexpected {
        expected: &'static str,
        found: String,
    },
}

type Parsed<T> = Result<T, ParseError>;

fn unexpected<T>(expected: &'static str, found: &Sexpr) -> Parsed<T> {
    Err(ParseError::Unexpected {
        expected,
        found: found.pretty(),
    })
}

impl std::str::FromStr for Fragment {
    type Err = ParseError;

    fn from_str(text: &str) -> Parsed<Self> {
        let text = Sexpr::read(text).map_err(|(line, what)| ParseError::Text { line, what })?;
        fragment(&text)
    }
}

/// Head and rest of a list.
fn list<'a>(expected: &'static str, text: &'a Sexpr) -> Parsed<(&'a str, &'a [Sexpr])> {
    if let Sexpr::List(items) = text
        && let Some((Sexpr::Atom(head), rest)) = items.split_first()
    {
        return Ok((head, rest));
    }
    unexpected(expected, text)
}

fn number<T: std::str::FromStr>(expected: &'static str, text: &Sexpr) -> Parsed<T> {
    if let Sexpr::Atom(atom) = text
        && let Ok(number) = atom.parse()
    {
        return Ok(number);
    }
    unexpected(expected, text)
}

fn named<T: Clone>(table: &[(&str, T)], name: &str) -> Option<T> {
    let entry = table.iter().find(|(entry, _)| *entry == name)?;
    Some(entry.1.clone())
}

fn fragment(text: &Sexpr) -> Parsed<Fragment> {
    let ("fragment", parts) = list("a fragment", text)? else {
        return unexpected("a fragment", text);
    };
    let mut fragment = Fragment {
        inputs: Vec::new(),
        params: Vec::new(),
        pipelines: Vec::new(),
    };
    for part in parts {
        match list("a part of a fragment", part)? {
            ("input", columns) => fragment.inputs.push(Input {
                columns: columns.iter().map(column).collect::<Parsed<_>>()?,
            }),
            ("params", params) => {
                fragment.params = params.iter().map(param).collect::<Parsed<_>>()?;
            }
            ("pipeline", parts) => fragment.pipelines.push(pipeline(part, parts)?),
            _ => return unexpected("an input, params or a pipeline", part),
        }
    }
    Ok(fragment)
}

fn column(text: &Sexpr) -> Parsed<Column> {
    let ("column", [of, marks @ ..]) = list("a column", text)? else {
        return unexpected("a column", text);
    };
    let mut column = Column {
        ty: ty(of)?,
        nullable: false,
        facts: Facts::NONE,
    };
    for mark in marks {
        match mark {
            Sexpr::Atom(mark) if mark == "nullable" => column.nullable = true,
            Sexpr::Atom(mark) if mark == "no-nulls" => column.facts.no_nulls = true,
            mark => column.facts.range = range(mark)?,
        }
    }
    Ok(column)
}

fn param(text: &Sexpr) -> Parsed<Param> {
    let ("param", [of, marks @ ..]) = list("a parameter", text)? else {
        return unexpected("a parameter", text);
    };
    let range = match marks {
        [] => Range::Full,
        [mark] => range(mark)?,
        _ => return unexpected("one range class", text),
    };
    Ok(Param { ty: ty(of)?, range })
}

fn range(text: &Sexpr) -> Parsed<Range> {
    if let Sexpr::Atom(atom) = text
        && let Some(range) = named(&RANGES, atom)
    {
        return Ok(range);
    }
    unexpected("a range class", text)
}

fn ty(text: &Sexpr) -> Parsed<Type> {
    if let Sexpr::Atom(atom) = text
        && let Some(ty) = named(&SIMPLE, atom)
    {
        return Ok(ty);
    }
    match list("a type", text)? {
        ("decimal", [precision, scale]) => Ok(Type::Decimal {
            precision: number("a precision", precision)?,
            scale: number("a scale", scale)?,
        }),
        ("timestamp", [Sexpr::Atom(unit), zone @ ..]) => {
            let Some(unit) = named(&UNITS, unit) else {
                return unexpected("a unit of time", text);
            };
            match zone {
                [] => Ok(Type::Timestamp(unit, None)),
                [Sexpr::Text(zone)] => Ok(Type::Timestamp(unit, Some(zone.as_str().into()))),
                _ => unexpected("a time zone", text),
            }
        }
        _ => unexpected("a type", text),
    }
}

fn pipeline(whole: &Sexpr, parts: &[Sexpr]) -> Parsed<Pipeline> {
    let [source, operators @ .., sink] = parts else {
        return unexpected("a source, operators and a sink", whole);
    };
    Ok(Pipeline {
        source: match list("a source", source)? {
            ("input", [input]) => Source::Input(number("an input", input)?),
            ("groups", [of]) => Source::Groups(number("a pipeline", of)?),
            ("sorted", [of]) => Source::Sorted(number("a pipeline", of)?),
            _ => return unexpected("a source", source),
        },
        operators: operators.iter().map(operator).collect::<Parsed<_>>()?,
        sink: match list("a sink", sink)? {
            ("emit", []) => Sink::Emit,
            ("aggregate", parts) => Sink::Aggregate(aggregate(sink, parts)?),
            ("sort", parts) => Sink::Sort(sort(sink, parts)?),
            ("build", keys) => Sink::Build(Build {
                keys: positions(keys)?,
            }),
            _ => return unexpected("a sink", sink),
        },
    })
}

fn operator(text: &Sexpr) -> Parsed<Operator> {
    match list("an operator", text)? {
        ("filter", [predicate]) => Ok(Operator::Filter(expr(predicate)?)),
        ("project", items) => Ok(Operator::Project(exprs(items)?)),
        ("join", parts) => Ok(Operator::Join(join(text, parts)?)),
        _ => unexpected("an operator", text),
    }
}

fn aggregate(whole: &Sexpr, parts: &[Sexpr]) -> Parsed<Aggregate> {
    let [Sexpr::Atom(mode), keys, calls @ ..] = parts else {
        return unexpected("a mode, keys and calls", whole);
    };
    let Some(mode) = named(&MODES, mode) else {
        return unexpected("a mode of aggregation", whole);
    };
    let ("keys", keys) = list("keys", keys)? else {
        return unexpected("keys", whole);
    };
    Ok(Aggregate {
        mode,
        keys: exprs(keys)?,
        calls: calls.iter().map(call).collect::<Parsed<_>>()?,
    })
}

fn positions(items: &[Sexpr]) -> Parsed<Vec<usize>> {
    let items = items.iter();
    items.map(|item| number("a position", item)).collect()
}

fn join(whole: &Sexpr, parts: &[Sexpr]) -> Parsed<Join> {
    let [Sexpr::Atom(kind), of, keys, rest @ ..] = parts else {
        return unexpected("a kind, a table and keys", whole);
    };
    let Some(kind) = named(&JOINS, kind) else {
        return unexpected("a kind of join", whole);
    };
    let ("keys", keys) = list("keys", keys)? else {
        return unexpected("keys", whole);
    };
    let mut join = Join {
        kind,
        table: table(of)?,
        keys: exprs(keys)?,
        nulls_equal: false,
        filter: None,
    };
    for part in rest {
        match part {
            Sexpr::Atom(mark) if mark == "nulls-equal" => join.nulls_equal = true,
            part => match list("a filter", part)? {
                ("where", [predicate]) => join.filter = Some(expr(predicate)?),
                _ => return unexpected("a filter", part),
            },
        }
    }
    Ok(join)
}

fn table(text: &Sexpr) -> Parsed<Table> {
    let ("table", [keys, columns @ ..]) = list("a table", text)? else {
        return unexpected("a table", text);
    };
    let ("keys", keys) = list("keys", keys)? else {
        return unexpected("keys", text);
    };
    let columns = columns.iter().map(|text| match list("a column", text)? {
        ("column", [of]) => Ok(ValueType::new(ty(of)?, false)),
        ("column", [of, Sexpr::Atom(mark)]) if mark == "nullable" => {
            Ok(ValueType::new(ty(of)?, true))
        }
        _ => unexpected("a column of a table", text),
    });
    Ok(Table {
        columns: columns.collect::<Parsed<_>>()?,
        keys: positions(keys)?,
    })
}

fn sort(whole: &Sexpr, parts: &[Sexpr]) -> Parsed<Sort> {
    let mut sort = Sort {
        keys: Vec::new(),
        fetch: None,
    };
    for part in parts {
        match list("a key", part)? {
            (direction @ ("asc" | "desc"), [key, Sexpr::Atom(nulls)]) => sort.keys.push(SortKey {
                expr: expr(key)?,
                descending: direction == "desc",
                nulls_first: match nulls.as_str() {
                    "nulls-first" => true,
                    "nulls-last" => false,
                    _ => return unexpected("where nulls go", part),
                },
            }),
            ("fetch", [param]) => match expr(param)? {
                Expr::Param(param) => sort.fetch = Some(param),
                _ => return unexpected("a parameter", part),
            },
            _ => return unexpected("a key", whole),
        }
    }
    Ok(sort)
}

fn call(text: &Sexpr) -> Parsed<Call> {
    let (head, mut rest) = list("a call", text)?;
    let function = match (named(&FUNCTIONS, head), rest) {
        (Some(function), _) => function,
        (None, [result, arguments @ ..]) if head == "avg" => {
            rest = arguments;
            AggregateFunction::Avg(ty(result)?)
        }
        _ => return unexpected("an aggregate function", text),
    };
    let mut filter = None;
    if let [arguments @ .., last] = rest
        && let Ok(("where", [predicate])) = list("a filter", last)
    {
        filter = Some(expr(predicate)?);
        rest = arguments;
    }
    Ok(Call {
        function,
        arguments: exprs(rest)?,
        filter,
    })
}

fn exprs(items: &[Sexpr]) -> Parsed<Vec<Expr>> {
    items.iter().map(expr).collect()
}

fn boxed(text: &Sexpr) -> Parsed<Box<Expr>> {
    expr(text).map(Box::new)
}

fn expr(text: &Sexpr) -> Parsed<Expr> {
    if let Sexpr::Atom(atom) = text {
        let position = |prefix| atom.strip_prefix(prefix)?.parse().ok();
        return match (position('c'), position('p')) {
            (Some(column), _) => Ok(Expr::Column(column)),
            (_, Some(param)) => Ok(Expr::Param(param)),
            _ => unexpected("a column or parameter", text),
        };
    }
    let (head, items) = list("an expression", text)?;
    if let Some(op) = named(&ARITHMETIC, head)
        && let [left, right] = items
    {
        return Ok(Expr::Arithmetic(op, boxed(left)?, boxed(right)?));
    }
    if let Some(op) = named(&COMPARE, head)
        && let [left, right] = items
    {
        return Ok(Expr::Compare(op, boxed(left)?, boxed(right)?));
    }
    Ok(match (head, items) {
        ("null", [of]) => Expr::Null(ty(of)?),
        ("and", items) => Expr::And(exprs(items)?),
        ("or", items) => Expr::Or(exprs(items)?),
        ("not", [item]) => Expr::Not(boxed(item)?),
        ("neg", [item]) => Expr::Negate(boxed(item)?),
        ("is-null", [item]) => Expr::IsNull(boxed(item)?),
        ("is-not-null", [item]) => Expr::IsNotNull(boxed(item)?),
        ("case", items) => case(items)?,
        ("cast", [item, to]) => Expr::Cast(boxed(item)?, ty(to)?),
        ("coalesce", items) => Expr::Coalesce(exprs(items)?),
        ("in", [value, items @ ..]) => Expr::In(boxed(value)?, exprs(items)?),
        ("like", [Sexpr::Atom(class), value, pattern]) => match named(&LIKES, class) {
            Some(class) => Expr::Like(class, boxed(value)?, boxed(pattern)?),
            None => return unexpected("a class of patterns", text),
        },
        ("date-part" | "date-trunc", [Sexpr::Atom(part), value]) => {
            let Some(part) = named(&TIME_PARTS, part) else {
                return unexpected("a part of a time", text);
            };
            let value = boxed(value)?;
            match head {
                "date-part" => Expr::DatePart(part, value),
                _ => Expr::DateTrunc(part, value),
            }
        }
        ("add-interval", [value, months, days, nanos]) => Expr::AddInterval {
            value: boxed(value)?,
            months: boxed(months)?,
            days: boxed(days)?,
            nanos: boxed(nanos)?,
        },
        ("substring", [value, start, count @ ..]) if count.len() <= 1 => Expr::Substring {
            text: boxed(value)?,
            start: boxed(start)?,
            count: count.first().map(boxed).transpose()?,
        },
        _ => return unexpected("an expression", text),
    })
}

fn case(items: &[Sexpr]) -> Parsed<Expr> {
    let mut branches = Vec::new();
    let mut otherwise = None;
    for item in items {
        match list("a branch", item)? {
            ("when", [when, then]) if otherwise.is_none() => {
                branches.push((expr(when)?, expr(then)?));
            }
            ("else", [value]) if otherwise.is_none() => otherwise = Some(boxed(value)?),
            _ => return unexpected("a branch", item),
        }
    }
    Ok(Expr::Case {
        branches,
        otherwise,
    })
}
