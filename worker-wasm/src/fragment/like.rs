//! LIKE pattern -> what has to be searched for, and how.
//!
//! `%` stands for any characters, `_` for one, and a backslash takes the character behind it as it is; a backslash at the
//! end stands for itself. Most patterns only ask for a prefix, a suffix or a part; the rest are matched character by character.

use super::ir::LikeClass;

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

#[cfg(test)]
mod tests {
    use super::*;

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
