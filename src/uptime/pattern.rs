//! Regular expressions of people, with limits: what they may need of memory and time follows from how large they become, and from how much text they see.

use regex::{Regex, RegexBuilder};

/// Characters of a pattern.
const LONGEST: usize = 500;
/// Bytes of the program that a pattern becomes: `\w` alone needs some 50 KB, because it knows all letters there are.
const PROGRAM: usize = 512 * 1024;
/// Bytes of memory while it is matched.
const MEMORY: usize = 1024 * 1024;
/// Bytes of a text that a pattern sees.
const SEEN: usize = 64 * 1024;

/// The error says what is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.chars().count() > LONGEST {
        return Err(format!("a pattern has at most {LONGEST} characters"));
    }
    let built = RegexBuilder::new(pattern).size_limit(PROGRAM).dfa_size_limit(MEMORY).build();
    built.map_err(|error| format!("no pattern: {error}"))
}

/// What a pattern sees of a text.
pub fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(SEEN)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_cost_much_are_refused_and_see_the_beginning_of_a_text() {
        assert!(compile(r"^order-(\w+), (\d{4}) of \d+$").is_ok());
        for wrong in ["[", "[ab]*a[ab]{50000}", &"a".repeat(501)] {
            assert!(compile(wrong).is_err(), "{wrong}");
        }
        assert_eq!(beginning(&"ж".repeat(100_000)).len(), SEEN);
        assert_eq!(beginning("short"), "short");
    }
}
