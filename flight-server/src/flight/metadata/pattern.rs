//! The patterns of metadata commands: `%` is any text, `_` any one character, and `\` takes their meaning away.
//!
//! Drivers escape names with what SqlInfo gives as SQL_SEARCH_STRING_ESCAPE, which is [`ESCAPE`]. Matching keeps to case.

/// Before `%`, `_` and itself.
pub(super) const ESCAPE: char = '\\';

/// Whether the whole of `text` is what `pattern` describes; everything is, without a pattern.
pub(super) fn matches(pattern: Option<&str>, text: &str) -> bool {
    let Some(pattern) = pattern else {
        return true;
    };
    let pattern = parse(pattern);
    let text: Vec<char> = text.chars().collect();
    // Where the last `%` was met, and how much of the text it stands for so far.
    let mut retry: Option<(usize, usize)> = None;
    let (mut p, mut t) = (0, 0);
    while t < text.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            Some(Part::One) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            Some(Part::Char(c)) if *c == text[t] => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            _ => {}
        }
        let Some((any, from)) = retry else {
            return false;
        };
        retry = Some((any, from + 1));
        (p, t) = (any + 1, from + 1);
    }
    pattern[p..].iter().all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Char(char),
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut chars = pattern.chars();
    let mut parts = Vec::new();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            ESCAPE => Part::Char(chars.next().unwrap_or(ESCAPE)),
            other => Part::Char(other),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("Orders", "orders", false),
            ("%", "", true),
            ("o%s", "orders", true),
            ("o%e%s", "orders", true),
            ("o%x%s", "orders", false),
            ("_rders", "orders", true),
            ("_", "", false),
            ("a\\_b", "a_b", true),
            ("a\\_b", "axb", false),
            ("100\\%", "100%", true),
            ("100\\%", "100x", false),
            ("a\\\\b", "a\\b", true),
            ("a\\", "a\\", true),
            ("%ä_", "x ää€", true),
            ("", "", true),
            ("", "a", false),
            ("%%a%", "bca", true),
        ] {
            assert_eq!(matches(Some(pattern), text), expected, "{pattern} {text}");
        }
        assert!(matches(None, "anything"));
    }
}
