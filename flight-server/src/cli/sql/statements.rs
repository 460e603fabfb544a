//! Text -> statements, at every `;` outside quotes, dollar quotes and comments.
//!
//! The tokenizer is the one the engine parses with, so both see the same quotes.

use datafusion::sql::sqlparser::{
    dialect::GenericDialect,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

/// The statements of a text, trimmed and without their `;`. Empty ones are left out.
/// Text that ends inside a quote is a statement too: the engine says what is wrong with it.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let tokens = Tokens::of(text);
    let mut statements = Vec::new();
    let (mut start, mut says_something) = (0, false);
    for (at, token) in &tokens.tokens {
        match token {
            Token::SemiColon => {
                if says_something {
                    statements.push(text[start..*at].trim());
                }
                (start, says_something) = (at + 1, false);
            }
            Token::Whitespace(_) => {}
            _ => says_something = true,
        }
    }
    if says_something || (tokens.broken && !text[start..].trim().is_empty()) {
        statements.push(text[start..].trim());
    }
    statements
}

/// Whether a text needs no more lines: it ends in `;`, or says nothing.
pub(super) fn is_complete(text: &str) -> bool {
    let tokens = Tokens::of(text);
    let mut words = tokens
        .tokens
        .iter()
        .rev()
        .map(|(_, token)| token)
        .filter(|token| !is_space(token));
    !tokens.broken && words.next().is_none_or(|last| *last == Token::SemiColon)
}

/// The word a statement begins with.
pub(super) fn first_word(sql: &str) -> Option<String> {
    let tokens = Tokens::of(sql);
    match tokens
        .tokens
        .into_iter()
        .map(|(_, token)| token)
        .find(|token| !is_space(token))?
    {
        Token::Word(word) => Some(word.value),
        _ => None,
    }
}

fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

struct Tokens {
    /// Each with the byte where it begins.
    tokens: Vec<(usize, Token)>,
    /// The text goes on with what is no token, usually a quote that does not end.
    broken: bool,
}

impl Tokens {
    fn of(text: &str) -> Self {
        let mut spans: Vec<TokenWithSpan> = Vec::new();
        let broken = Tokenizer::new(&GenericDialect {}, text)
            .tokenize_with_location_into_buf(&mut spans)
            .is_err();
        let mut positions = Positions::of(text);
        let tokens = spans
            .into_iter()
            .map(|token| (positions.byte(token.span.start), token.token))
            .collect();
        Self { tokens, broken }
    }
}

/// Turns the tokenizer's lines and columns, which count characters from 1, into bytes. They only go forward.
struct Positions<'a> {
    characters: std::iter::Peekable<std::str::CharIndices<'a>>,
    line: u64,
    column: u64,
    length: usize,
}

impl<'a> Positions<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            characters: text.char_indices().peekable(),
            line: 1,
            column: 1,
            length: text.len(),
        }
    }

    fn byte(&mut self, at: Location) -> usize {
        while (self.line, self.column) < (at.line, at.column) {
            match self.characters.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.characters
            .peek()
            .map_or(self.length, |(byte, _)| *byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(split(text), expected, "{text:?}");
    }

    #[test]
    fn statements_end_at_semicolons() {
        check("", &[]);
        check(" ; ;\n", &[]);
        check("SELECT 1", &["SELECT 1"]);
        check("SELECT 1;SELECT 2;", &["SELECT 1", "SELECT 2"]);
        check("\n SELECT 1 ;\n\nSELECT\n 2\n", &["SELECT 1", "SELECT\n 2"]);
    }

    #[test]
    fn semicolons_in_quotes_are_text() {
        check("SELECT 'a;b'; SELECT 2", &["SELECT 'a;b'", "SELECT 2"]);
        check(
            "SELECT 'it''s;'; SELECT 2",
            &["SELECT 'it''s;'", "SELECT 2"],
        );
        check(
            "SELECT \"a;b\" FROM t; SELECT 2",
            &["SELECT \"a;b\" FROM t", "SELECT 2"],
        );
        check(
            "SELECT $$a;b$$; SELECT $tag$ $$;$$ $tag$;",
            &["SELECT $$a;b$$", "SELECT $tag$ $$;$$ $tag$"],
        );
    }

    #[test]
    fn semicolons_in_comments_are_text() {
        check(
            "SELECT 1 -- no; end\n; SELECT 2",
            &["SELECT 1 -- no; end", "SELECT 2"],
        );
        check(
            "SELECT /* a; /* b; */ c; */ 1; SELECT 2",
            &["SELECT /* a; /* b; */ c; */ 1", "SELECT 2"],
        );
        check("-- only; a comment\n", &[]);
        check("SELECT 1; -- done;", &["SELECT 1"]);
    }

    #[test]
    fn positions_count_characters_and_lines() {
        check(
            "SELECT 'é😀;\n'; SELECT 'ß' ;SELECT 3",
            &["SELECT 'é😀;\n'", "SELECT 'ß'", "SELECT 3"],
        );
        check(
            "SELECT 'a\r\n;b';\r\nSELECT 2;\r\n",
            &["SELECT 'a\r\n;b'", "SELECT 2"],
        );
    }

    #[test]
    fn an_open_quote_is_left_for_the_engine_to_reject() {
        check("SELECT 1; SELECT 'a; b", &["SELECT 1", "SELECT 'a; b"]);
        check("SELECT 1; 'a; b", &["SELECT 1", "'a; b"]);
        check("SELECT 1; /* a; b", &["SELECT 1", "/* a; b"]);
    }

    #[test]
    fn the_shell_waits_for_the_semicolon() {
        for complete in [
            "",
            "  \n",
            "-- note",
            "SELECT 1;",
            "SELECT 1; -- done",
            "SELECT ';' ;\n",
        ] {
            assert!(is_complete(complete), "{complete:?}");
        }
        for open in [
            "SELECT 1",
            "SELECT 1; SELECT",
            "SELECT 'a;",
            "SELECT $$;",
            "SELECT 1 /* ;",
            "SELECT 1 -- ;",
        ] {
            assert!(!is_complete(open), "{open:?}");
        }
    }

    #[test]
    fn the_first_word_is_after_comments() {
        assert_eq!(
            first_word("/* a */ -- b\n Insert into t").as_deref(),
            Some("Insert")
        );
        assert_eq!(first_word("(SELECT 1)"), None);
        assert_eq!(first_word(""), None);
    }
}
