//! Which columns an expression reads, and what it consists of.

use super::ir::Expr;

/// Runs `$body` for each expression that one directly consists of, borrowed as that one is.
macro_rules! for_parts {
    ($expr:expr, $part:ident => $body:expr) => {
        match $expr {
            Expr::Column(_) | Expr::Param(_) | Expr::Null(_) => {}
            Expr::Arithmetic(_, one, other)
            | Expr::Compare(_, one, other)
            | Expr::Like(_, one, other) => {
                for $part in [one, other] {
                    $body;
                }
            }
            Expr::Not($part)
            | Expr::Negate($part)
            | Expr::IsNull($part)
            | Expr::IsNotNull($part)
            | Expr::Cast($part, _)
            | Expr::DatePart(_, $part)
            | Expr::DateTrunc(_, $part) => $body,
            Expr::And(items) | Expr::Or(items) | Expr::Coalesce(items) => {
                for $part in items {
                    $body;
                }
            }
            Expr::In($part, items) => {
                $body;
                for $part in items {
                    $body;
                }
            }
            Expr::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    for $part in [condition, value] {
                        $body;
                    }
                }
                if let Some($part) = otherwise {
                    $body;
                }
            }
            Expr::Substring { text, start, count } => {
                for $part in [text, start] {
                    $body;
                }
                if let Some($part) = count {
                    $body;
                }
            }
            Expr::AddInterval {
                value,
                months,
                days,
                nanos,
            } => {
                for $part in [value, months, days, nanos] {
                    $body;
                }
            }
        }
    };
}

impl Expr {
    /// Positions of the columns that occur in it, as often as they do.
    pub fn each_column(&self, visit: &mut dyn FnMut(usize)) {
        if let Self::Column(index) = self {
            visit(*index);
        }
        for_parts!(self, part => part.each_column(visit));
    }

    /// Runs `visit` for the expression, and for what it consists of as long as that says true, each before its parts.
    pub fn each_part(&mut self, visit: &mut dyn FnMut(&mut Self) -> bool) {
        if visit(self) {
            for_parts!(self, part => part.each_part(visit));
        }
    }
}
