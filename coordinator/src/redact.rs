//! Statements without their passwords and keys, for everything that shows or keeps a statement's text.
//!
//! What follows `CREATE USER`, `ALTER USER` or `CREATE SECRET` is left out whole: a text that is cut too early costs
//! nothing, and one that is cut too late a password.

use std::borrow::Cow;

use datafusion::sql::sqlparser::{
    dialect::GenericDialect,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

const HIDDEN: &str = "…";

/// The text up to the first statement that holds a password or a key.
pub fn redact(sql: &str) -> Cow<'_, str> {
    if !may_hold_secrets(sql) {
        return Cow::Borrowed(sql);
    }
    let end = match Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() {
        Ok(tokens) => secrets_begin(&tokens).map(|at| offset(sql, at)),
        // Where a quote is missing nobody can say what is inside of one.
        Err(_) => Some(0),
    };
    match end {
        Some(end) => Cow::Owned(
            format!("{} {HIDDEN}", sql[..end].trim_end())
                .trim()
                .to_owned(),
        ),
        None => Cow::Borrowed(sql),
    }
}

/// Whether [`redact`] would leave something out.
pub(crate) fn holds_secrets(sql: &str) -> bool {
    matches!(redact(sql), Cow::Owned(_))
}

/// Most statements are settled without being tokenised.
fn may_hold_secrets(sql: &str) -> bool {
    let has = |word: &[u8]| {
        sql.as_bytes()
            .windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word))
    };
    (has(b"create") || has(b"alter")) && (has(b"user") || has(b"secret"))
}

/// The place after the word USER or SECRET of `CREATE [OR REPLACE] [..] SECRET`, `CREATE USER` and `ALTER USER`.
fn secrets_begin(tokens: &[TokenWithSpan]) -> Option<Location> {
    let words: Vec<(&str, Location)> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .map(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_none() => (&*word.value, token.span.end),
            _ => ("", token.span.end),
        })
        .collect();
    let is = |word: &str, any: &[&str]| any.iter().any(|known| word.eq_ignore_ascii_case(known));
    words.iter().enumerate().find_map(|(at, (word, _))| {
        if !is(word, &["create", "alter"]) {
            return None;
        }
        let between = ["or", "replace", "temporary", "temp", "persistent"];
        let (word, end) = words[at + 1..]
            .iter()
            .find(|(word, _)| !is(word, &between))?;
        is(word, &["user", "secret"]).then_some(*end)
    })
}

/// Byte offset of a line and column that count characters from 1.
pub(crate) fn offset(sql: &str, at: Location) -> usize {
    let line_start: usize = sql
        .split_inclusive('\n')
        .take(at.line.saturating_sub(1) as usize)
        .map(str::len)
        .sum();
    let in_line = sql[line_start..]
        .char_indices()
        .nth(at.column.saturating_sub(1) as usize);
    line_start + in_line.map_or(sql.len() - line_start, |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_user_or_a_secret_is_left_out() {
        for (sql, shown) in [
            ("CREATE USER ada PASSWORD 'geheim'", "CREATE USER …"),
            ("  alter\n user ä PASSWORD 'geheim' ", "alter\n user …"),
            (
                "/* é */ CREATE /* x */ USER ada PASSWORD 'geheim'",
                "/* é */ CREATE /* x */ USER …",
            ),
            (
                "create or replace secret s (TYPE s3, SECRET 'geheim')",
                "create or replace secret …",
            ),
            (
                "CREATE PERSISTENT SECRET IF NOT EXISTS s (SECRET 'geheim')",
                "CREATE PERSISTENT SECRET …",
            ),
            (
                "SELECT 1; CREATE USER ada PASSWORD 'geheim'",
                "SELECT 1; CREATE USER …",
            ),
            (
                "EXPLAIN CREATE USER ada PASSWORD 'geheim'",
                "EXPLAIN CREATE USER …",
            ),
            ("CREATE USER ada PASSWORD 'geheim", "…"),
        ] {
            assert_eq!(redact(sql).trim_start(), shown.trim_start(), "{sql}");
        }
    }

    #[test]
    fn other_statements_are_shown_whole() {
        for sql in [
            "SELECT 'create user x'",
            "CREATE TABLE users (a INT)",
            "CREATE TABLE t AS SELECT \"user\" FROM u",
            "DROP USER ada",
            "SHOW SECRETS",
        ] {
            assert_eq!(redact(sql), sql);
        }
    }
}
