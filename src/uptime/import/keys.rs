//! Keys and tokens of what a file describes.

use std::collections::{HashMap, HashSet};

/// Characters of a heartbeat's token, as Uptime Kuma makes the shortest: a shorter one can be guessed, and is replaced.
const SHORTEST_TOKEN: usize = 10;

/// Gives each key once. Many monitors of one name cost no more than others.
#[derive(Debug, Default)]
pub struct Keys {
    taken: HashSet<String>,
    /// By slug, the number that is tried next.
    next: HashMap<String, u32>,
}

impl Keys {
    /// `slug`, or the first of `slug-2`, `slug-3`, ... that is free.
    pub fn give(&mut self, slug: &str) -> String {
        if self.taken.insert(slug.to_owned()) {
            return slug.to_owned();
        }
        let number = self.next.entry(slug.to_owned()).or_insert(2);
        loop {
            let key = format!("{slug}-{number}");
            *number += 1;
            if self.taken.insert(key.clone()) {
                return key;
            }
        }
    }
}

/// Whether nobody guesses this token.
pub fn is_long_enough(token: &str) -> bool {
    token.chars().count() >= SHORTEST_TOKEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_given_once() {
        let mut keys = Keys::default();
        assert_eq!(
            ["a", "a-2", "a", "a", "b", "a-2"].map(|slug| keys.give(slug)),
            ["a", "a-2", "a-3", "a-4", "b", "a-2-2"]
        );
    }
}
