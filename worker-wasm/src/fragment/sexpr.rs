//! Text of fragments: atoms, strings and lists in parentheses, `;` starts a comment.

use std::fmt::Write;

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sexpr {
    Atom(String),
    Text(String),
    List(Vec<Sexpr>),
}

/// Lists up to this width stay on one line.
const LINE_WIDTH: usize = 96;

/// Nesting that a reader accepts, so that hostile text cannot exhaust the stack.
pub(crate) const DEPTH_MAX: usize = 200;

impl Sexpr {
    pub(crate) fn atom(text: impl ToString) -> Self {
        Self::Atom(text.to_string())
    }

    pub(crate) fn list(head: &str, rest: impl IntoIterator<Item = Self>) -> Self {
        Self::List(std::iter::once(Self::atom(head)).chain(rest).collect())
    }

    /// Over several lines, two spaces deeper per list, no line end at the end.
    pub(crate) fn pretty(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, indent: usize) {
        let flat = self.flat();
        let Self::List(items) = self else {
            return text.push_str(&flat);
        };
        if indent + flat.len() <= LINE_WIDTH {
            return text.push_str(&flat);
        }
        text.push('(');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                let _ = write!(text, "\n{:1$}", "", indent + 2);
            }
            item.write(text, indent + 2);
        }
        text.push(')');
    }

    fn flat(&self) -> String {
        match self {
            Self::Atom(atom) => atom.clone(),
            Self::Text(string) => format!("\"{string}\""),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::flat).collect();
                format!("({})", items.join(" "))
            }
        }
    }

    /// Reads one piece that is the whole text. The error says what is wrong and in which line.
    pub(crate) fn read(text: &str) -> Result<Self, (usize, String)> {
        let mut reader = Reader { text, position: 0 };
        let read = reader.piece(0).and_then(|piece| {
            reader.skip_blank();
            match reader.rest().is_empty() {
                true => Ok(piece),
                false => Err("text goes on behind the fragment".to_owned()),
            }
        });
        read.map_err(|what| (1 + text[..reader.position].matches('\n').count(), what))
    }
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let mut blank = rest.len() - rest.trim_start().len();
            if rest[blank..].starts_with(';') {
                blank += rest[blank..].find('\n').unwrap_or(rest.len() - blank);
            }
            if blank == 0 {
                return;
            }
            self.position += blank;
        }
    }

    fn piece(&mut self, depth: usize) -> Result<Sexpr, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX}"));
        }
        self.skip_blank();
        let rest = self.rest();
        match rest.chars().next() {
            None => Err("the text ends early".to_owned()),
            Some(')') => Err("a list is closed that is not open".to_owned()),
            Some('"') => {
                let end = rest[1..].find('"').ok_or("a string is not closed")?;
                self.position += end + 2;
                Ok(Sexpr::Text(rest[1..=end].to_owned()))
            }
            Some('(') => {
                self.position += 1;
                let mut items = Vec::new();
                loop {
                    self.skip_blank();
                    if self.rest().starts_with(')') {
                        self.position += 1;
                        return Ok(Sexpr::List(items));
                    }
                    items.push(self.piece(depth + 1)?);
                }
            }
            Some(_) => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || "();\"".contains(c))
                    .unwrap_or(rest.len());
                self.position += end;
                Ok(Sexpr::Atom(rest[..end].to_owned()))
            }
        }
    }
}
