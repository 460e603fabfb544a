//! SQL text -> a syntax tree.

use datafusion::{
    logical_expr::LogicalPlan,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            ast::Statement as SqlStatement,
            dialect::GenericDialect,
            tokenizer::{Token, Tokenizer},
        },
    },
};

use crate::{QueryError, QueryId, command::Command, parameters, redact};

/// Nesting of expressions and subqueries that the parser follows.
const NESTING_MAX: usize = 200;

/// One statement and the number of its parameters, or why the text is not one.
pub(crate) fn parse(sql: &str) -> Result<(Statement, usize), QueryError> {
    // The parser's words quote the statement's.
    let hidden = |error: QueryError| match redact::holds_secrets(sql) {
        true => QueryError::Syntax {
            detail: format!("cannot read the statement \"{}\"", redact::redact(sql)),
        },
        false => error,
    };
    let syntax = |error| hidden(QueryError::planning(QueryId(0), error));
    let numbered = parameters::number(sql).map_err(hidden)?;
    let mut parser = DFParserBuilder::new(numbered.tokens)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(NESTING_MAX)
        .build()
        .map_err(syntax)?;
    let mut statements = parser.parse_statements().map_err(syntax)?;
    match statements.len() {
        0 => Err(QueryError::Empty),
        1 => Ok((
            statements.pop_front().expect("there is one"),
            numbered.count,
        )),
        count => Err(QueryError::SeveralStatements { count }),
    }
}

/// Takes the word TEMPORARY out of `CREATE TEMPORARY TABLE`, which DataFusion's planner refuses.
pub(super) fn take_temporary(statement: &mut Statement) -> bool {
    let Statement::Statement(statement) = statement else {
        return false;
    };
    match statement.as_mut() {
        SqlStatement::CreateTable(table) => std::mem::take(&mut table.temporary),
        _ => false,
    }
}

/// Makes a command of the plan to explain.
type Explain = fn(Box<LogicalPlan>) -> Command;

/// What `EXPLAIN FRAGMENTS` or `EXPLAIN WAT` makes of a plan, and the statement behind these words.
pub(super) fn explained(sql: &str) -> Option<(Explain, &str)> {
    let fragments = strip_explain(sql, "fragments");
    let fragments = fragments.map(|inner| (Command::ExplainFragments as Explain, inner));
    fragments.or_else(|| Some((Command::ExplainWat as Explain, strip_explain(sql, "wat")?)))
}

/// The statement after `EXPLAIN` and the word `what`.
fn strip_explain<'a>(sql: &'a str, what: &str) -> Option<&'a str> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let mut words = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let is = |token: &Token, word: &str| matches!(token, Token::Word(w) if w.value.eq_ignore_ascii_case(word));
    words.next().filter(|token| is(&token.token, "explain"))?;
    words.next().filter(|token| is(&token.token, what))?;
    let at = words.next()?.span.start;
    Some(&sql[redact::offset(sql, at)..])
}
