//! What a worker is given so that it can join: whom to believe, and what to show.

use std::fmt;

use crate::rendezvous::{Fingerprint, Token};

/// Its text form is one line: the token, a space, the fingerprint of the rendezvous's certificate.
#[derive(Debug, Clone)]
pub struct Join {
    pub token: Token,
    pub fingerprint: Fingerprint,
}

impl Join {
    /// `None` where the first line is not of the form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.lines().next()?.split_whitespace();
        let (token, fingerprint) = (words.next()?, words.next()?);
        words.next().is_none().then_some(Self {
            token: Token::new(token)?,
            fingerprint: Fingerprint::parse(fingerprint)?,
        })
    }

    /// The line for a file that only its owner may read. `None` where the token is no text without spaces.
    pub fn to_line(&self) -> Option<String> {
        let token = std::str::from_utf8(self.token.as_bytes()).ok()?;
        let is_word = !token.contains(char::is_whitespace);
        is_word.then(|| format!("{token} {}\n", self.fingerprint))
    }
}

/// Says whom it believes, and not the token.
impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fingerprint.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendezvous::Identity;

    #[test]
    fn a_join_reads_as_it_is_written() {
        let join = Join {
            token: Token::generate(),
            fingerprint: Identity::generate().unwrap().fingerprint(),
        };
        let line = join.to_line().unwrap();
        let read = Join::parse(&line).unwrap();
        assert_eq!(read.token.as_bytes(), join.token.as_bytes());
        assert_eq!(read.fingerprint, join.fingerprint);
        let token = std::str::from_utf8(join.token.as_bytes()).unwrap();
        assert!(!join.to_string().contains(token));
        for bad in ["", "x y", &line[1..], &format!("{} z", line.trim())] {
            assert!(Join::parse(bad).is_none() || bad == &line[1..], "{bad}");
        }
    }
}
