//! LIKE pattern -> what has to be searched for, and how.
//!
//! `%` stands for any characters, `_` for one, and a backslash takes the character behind it as it is; a backslash at the
//! end stands for itself. Most patterns only ask for a prefix, a suffix or a part; the rest are matched character by character.

use super::ir::LikeClass;

/// Bytes that are compared at one place of a text after the other, at most: a call into a module cannot be stopped, and
/// `%aa..ab%` in a text of `a`s is compared up to its end everywhere.
const SEARCHED_BYTES_MAX: usize = 64;

/// Bytes of a general pattern, all of which may be passed over for each row.
const GENERAL_BYTES_MAX: usize = 1024;

/// Class and needle of a pattern. The needle of a general pattern is the pattern.
pub fn classify(pattern: &str) -> (LikeClass, String) {
    let mut needle = String::new();
    let mut wildcards = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => wildcards.push(needle.len()),
            '_' => return (LikeClass::General, pattern.to_owned()),
            '\\' => needle.push(characters.next().unwrap_or('\\')),
            other => needle.push(other),
        }
    }
    let end = needle.len();
    let open = |position: &usize| *position == 0 || *position == end;
    if !wildcards.iter().all(open) {
        return (LikeClass::General, pattern.to_owned());
    }
    let class = match (wildcards.contains(&0), wildcards.contains(&end)) {
        (false, false) => LikeClass::Exact,
        (false, true) => LikeClass::Prefix,
        (true, false) => LikeClass::Suffix,
        (true, true) => LikeClass::Contains,
    };
    (class, needle)
}

/// Whether searching a text for a needle takes a time that the text's length bounds, whatever the two are.
pub fn is_bounded(class: LikeClass, needle: &str) -> bool {
    match class {
        LikeClass::Exact | LikeClass::Prefix | LikeClass::Suffix => true,
        LikeClass::Contains => needle.len() <= SEARCHED_BYTES_MAX,
        LikeClass::General => {
            needle.len() <= GENERAL_BYTES_MAX && longest_part(needle) <= SEARCHED_BYTES_MAX
        }
    }
}

/// Bytes of the longest part of a pattern between two `%`.
fn longest_part(pattern: &str) -> usize {
    let (mut longest, mut length) = (0, 0);
    let mut bytes = pattern.bytes();
    while let Some(byte) = bytes.next() {
        length = match byte {
            b'%' => 0,
            b'\\' => length + 1 + usize::from(bytes.next().is_some()),
            _ => length + 1,
        };
        longest = longest.max(length);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_make_searching_long_are_known() {
        let check = |pattern: &str, expected| {
            let (class, needle) = classify(pattern);
            assert_eq!(is_bounded(class, &needle), expected, "{pattern}");
        };
        let (short, long) = ("a".repeat(64), "a".repeat(65));
        check(&format!("%{short}%"), true);
        check(&format!("%{long}%"), false);
        check(&format!("{long}%"), true);
        check(&format!("%{long}"), true);
        check(&long, true);
        check(&format!("{short}%{short}"), true);
        check(&format!("a%{long}%b"), false);
        check(&format!("_{short}"), false);
        // A percent sign that is escaped parts nothing.
        check(&format!(r"_%{0}\%{0}%", "a".repeat(32)), false);
        check(&format!(r"_%{0}\%{0}%", "a".repeat(31)), true);
        check(&format!("_{}", "%".repeat(1023)), true);
        check(&format!("_{}", "%".repeat(1024)), false);
    }

    #[test]
    fn patterns_are_known_by_their_wildcards() {
        let check = |pattern: &str, class, needle: &str| {
            assert_eq!(classify(pattern), (class, needle.to_owned()), "{pattern}");
        };
        check("", LikeClass::Exact, "");
        check("abc", LikeClass::Exact, "abc");
        check("PROMO%", LikeClass::Prefix, "PROMO");
        check("%BRASS%%", LikeClass::Contains, "BRASS");
        check("%green", LikeClass::Suffix, "green");
        check("%", LikeClass::Contains, "");
        check("a%b", LikeClass::General, "a%b");
        check("_", LikeClass::General, "_");
        check(r"100\%%", LikeClass::Prefix, "100%");
        check(r"\_\a\", LikeClass::Exact, r"_a\");
    }
}
