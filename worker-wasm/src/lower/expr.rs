//! `PhysicalExpr` -> [`Expr`]: the same tree, literals as parameters, columns by position.
//!
//! DataFusion has coerced the types; whether fragments compute with them, the verifier's rules say. What has no generated
//! code the host may compute beforehand ([`super::hosted`]); the smallest such part of an expression is left to it.
//! Errors: [`Reason`] for what neither can.

use std::sync::Arc;

use datafusion::{
    logical_expr::Operator as Sql,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{
            BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr,
            LikeExpr, Literal, NegativeExpr, NotExpr,
        },
    },
};

use super::{
    Reason,
    literal::{self, Literal as Lowered},
    pipeline::Rows,
};
use crate::{
    fragment::{
        ArithmeticOp, CompareOp, Expr, Param, Range, Type,
        like::{classify, is_bounded},
    },
    runtime,
};

pub(super) type Result<T> = std::result::Result<T, Reason>;

impl Rows {
    /// An expression over the pipeline's current columns.
    pub(crate) fn expr(&mut self, expr: &Arc<dyn PhysicalExpr>) -> Result<Expr> {
        let params = self.params_count();
        self.generated(expr).or_else(|reason| {
            self.forget_params(params);
            self.hosted(expr).ok_or(reason)
        })
    }

    /// An expression that is computed only for some of the rows.
    fn spared(&mut self, expr: &Arc<dyn PhysicalExpr>) -> Result<Expr> {
        self.while_spared(|rows| rows.expr(expr))
    }

    fn generated(&mut self, expr: &Arc<dyn PhysicalExpr>) -> Result<Expr> {
        let lowered = self.lower(expr)?;
        let of = self.scope().value_type(&lowered);
        of.map_err(|error| Reason::rule(expr, &error))?;
        Ok(lowered)
    }

    fn lower(&mut self, expr: &Arc<dyn PhysicalExpr>) -> Result<Expr> {
        let any = expr.as_ref();
        if let Some(column) = any.downcast_ref::<Column>() {
            self.column(column.index())
        } else if let Some(value) = any.downcast_ref::<Literal>() {
            Ok(match literal::lower(value.value())? {
                Lowered::Null(ty) => Expr::Null(ty),
                Lowered::Value(param, value) => self.param(param, value),
            })
        } else if let Some(binary) = any.downcast_ref::<BinaryExpr>() {
            self.binary(binary)
        } else if let Some(not) = any.downcast_ref::<NotExpr>() {
            Ok(Expr::Not(Box::new(self.expr(not.arg())?)))
        } else if let Some(negative) = any.downcast_ref::<NegativeExpr>() {
            Ok(Expr::Negate(Box::new(self.expr(negative.arg())?)))
        } else if let Some(is_null) = any.downcast_ref::<IsNullExpr>() {
            Ok(Expr::IsNull(Box::new(self.expr(is_null.arg())?)))
        } else if let Some(is_not_null) = any.downcast_ref::<IsNotNullExpr>() {
            Ok(Expr::IsNotNull(Box::new(self.expr(is_not_null.arg())?)))
        } else if let Some(case) = any.downcast_ref::<CaseExpr>() {
            self.case(case)
        } else if let Some(cast) = any.downcast_ref::<CastExpr>() {
            self.cast(cast)
        } else if let Some(list) = any.downcast_ref::<InListExpr>() {
            self.in_list(list)
        } else if let Some(like) = any.downcast_ref::<LikeExpr>() {
            self.like(like)
        } else if let Some(call) = any.downcast_ref::<ScalarFunctionExpr>() {
            self.call(call)
        } else {
            Err(Reason::Expression(any.to_string()))
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Result<Expr> {
        let op = binary.op();
        if let Sql::Plus | Sql::Minus = op {
            let back = *op == Sql::Minus;
            if let Some(moved) = self.moved(binary.left(), binary.right(), back) {
                return moved;
            }
        }
        let mut both = || {
            let left = Box::new(self.expr(binary.left())?);
            Ok((left, Box::new(self.expr(binary.right())?)))
        };
        if let Some(op) = arithmetic(op) {
            let (left, right) = both()?;
            return Ok(Expr::Arithmetic(op, left, right));
        }
        if let Some(op) = comparison(op) {
            let (left, right) = both()?;
            return Ok(Expr::Compare(op, left, right));
        }
        match op {
            Sql::And | Sql::Or => {
                let mut items = Vec::new();
                self.flatten(op, binary.left(), &mut items)?;
                self.flatten(op, binary.right(), &mut items)?;
                Ok(match op {
                    Sql::And => Expr::And(items),
                    _ => Expr::Or(items),
                })
            }
            Sql::IsNotDistinctFrom => both().map(not_distinct),
            Sql::IsDistinctFrom => Ok(Expr::Not(Box::new(not_distinct(both()?)))),
            _ => Err(Reason::Expression(binary.to_string())),
        }
    }

    /// The operands of nested ANDs, or of nested ORs, from left to right.
    fn flatten(
        &mut self,
        op: &Sql,
        expr: &Arc<dyn PhysicalExpr>,
        items: &mut Vec<Expr>,
    ) -> Result<()> {
        match expr.downcast_ref::<BinaryExpr>() {
            Some(binary) if binary.op() == op => {
                self.flatten(op, binary.left(), items)?;
                self.flatten(op, binary.right(), items)
            }
            _ => {
                // The first decides for which rows the others matter.
                items.push(match items.is_empty() {
                    true => self.expr(expr)?,
                    false => self.spared(expr)?,
                });
                Ok(())
            }
        }
    }

    /// `CASE x WHEN y` is `CASE WHEN x = y`: a null equals nothing in both.
    fn case(&mut self, case: &CaseExpr) -> Result<Expr> {
        let mut branches = Vec::new();
        for (when, then) in case.when_then_expr() {
            let mut condition = match branches.is_empty() {
                true => self.expr(when)?,
                false => self.spared(when)?,
            };
            if let Some(base) = case.expr() {
                let base = Box::new(self.expr(base)?);
                condition = Expr::Compare(CompareOp::Eq, base, Box::new(condition));
            }
            branches.push((condition, self.spared(then)?));
        }
        let otherwise = case.else_expr().map(|otherwise| self.spared(otherwise));
        Ok(Expr::Case {
            branches,
            otherwise: otherwise.transpose()?.map(Box::new),
        })
    }

    fn cast(&mut self, cast: &CastExpr) -> Result<Expr> {
        if cast.cast_options().safe {
            return Err(Reason::Expression(cast.to_string()));
        }
        let to = Type::from_arrow(cast.cast_type());
        let to = to.ok_or_else(|| Reason::Type(cast.cast_type().clone()))?;
        Ok(Expr::Cast(Box::new(self.expr(cast.expr())?), to))
    }

    /// The class of a pattern belongs to the shape, so only a literal can be one. Long ones DataFusion searches for, in a time
    /// that their length does not matter to.
    fn like(&mut self, like: &LikeExpr) -> Result<Expr> {
        let unsupported = || Reason::Expression(like.to_string());
        let pattern = like.pattern().downcast_ref::<Literal>();
        let pattern = pattern.and_then(|literal| literal.value().try_as_str().flatten());
        let pattern = pattern.filter(|_| !like.case_insensitive());
        let (class, needle) = classify(pattern.ok_or_else(unsupported)?);
        if !is_bounded(class, &needle) {
            return Err(Reason::Form(
                "a LIKE pattern is too long to be searched for",
            ));
        }
        let text = Box::new(self.expr(like.expr())?);
        let param = Param {
            ty: Type::Utf8,
            range: Range::Full,
        };
        let needle = Box::new(self.param(param, runtime::Param::Text(needle.into())));
        let found = Expr::Like(class, text, needle);
        Ok(match like.negated() {
            true => Expr::Not(Box::new(found)),
            false => found,
        })
    }

    fn in_list(&mut self, list: &InListExpr) -> Result<Expr> {
        let value = Box::new(self.expr(list.expr())?);
        let items = list.list().iter().map(|item| self.expr(item));
        let found = Expr::In(value, items.collect::<Result<_>>()?);
        Ok(match list.negated() {
            true => Expr::Not(Box::new(found)),
            false => found,
        })
    }
}

/// Two nulls are the same, one null is no value's equal, and the answer is never null.
fn not_distinct((left, right): (Box<Expr>, Box<Expr>)) -> Expr {
    let both_null = Expr::And(vec![
        Expr::IsNull(left.clone()),
        Expr::IsNull(right.clone()),
    ]);
    Expr::Coalesce(vec![Expr::Compare(CompareOp::Eq, left, right), both_null])
}

fn arithmetic(op: &Sql) -> Option<ArithmeticOp> {
    Some(match op {
        Sql::Plus => ArithmeticOp::Add,
        Sql::Minus => ArithmeticOp::Subtract,
        Sql::Multiply => ArithmeticOp::Multiply,
        Sql::Divide => ArithmeticOp::Divide,
        Sql::Modulo => ArithmeticOp::Remainder,
        _ => return None,
    })
}

fn comparison(op: &Sql) -> Option<CompareOp> {
    Some(match op {
        Sql::Eq => CompareOp::Eq,
        Sql::NotEq => CompareOp::Ne,
        Sql::Lt => CompareOp::Lt,
        Sql::LtEq => CompareOp::Le,
        Sql::Gt => CompareOp::Gt,
        Sql::GtEq => CompareOp::Ge,
        _ => return None,
    })
}
