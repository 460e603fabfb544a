//! Which columns an expression reads.

use super::ir::Expr;

impl Expr {
    /// Positions of the columns that occur in it, as often as they do.
    pub fn each_column(&self, visit: &mut dyn FnMut(usize)) {
        match self {
            Self::Column(index) => visit(*index),
            Self::Param(_) | Self::Null(_) => {}
            Self::Arithmetic(_, one, other)
            | Self::Compare(_, one, other)
            | Self::Like(_, one, other) => {
                one.each_column(visit);
                other.each_column(visit);
            }
            Self::Not(item)
            | Self::Negate(item)
            | Self::IsNull(item)
            | Self::IsNotNull(item)
            | Self::Cast(item, _)
            | Self::DatePart(_, item)
            | Self::DateTrunc(_, item) => item.each_column(visit),
            Self::And(items) | Self::Or(items) | Self::Coalesce(items) => {
                items.iter().for_each(|item| item.each_column(visit));
            }
            Self::In(item, items) => {
                item.each_column(visit);
                items.iter().for_each(|item| item.each_column(visit));
            }
            Self::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    condition.each_column(visit);
                    value.each_column(visit);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.each_column(visit);
                }
            }
            Self::Substring { text, start, count } => {
                text.each_column(visit);
                start.each_column(visit);
                if let Some(count) = count {
                    count.each_column(visit);
                }
            }
            Self::AddInterval {
                value,
                months,
                days,
                nanos,
            } => {
                for part in [value, months, days, nanos] {
                    part.each_column(visit);
                }
            }
        }
    }
}
