//! Words to terms: what the full-text arm indexes and searches.
//!
//! LanceDB stems one language for each index, our bases mix English and Russian within a sentence. So documents and queries are
//! analysed here and LanceDB splits the result at spaces: compatibility forms unified (NFKC), soft hyphens and stress marks dropped,
//! Unicode words (UAX #29), lower case, ё as е, stop words of both languages out, Snowball stems (Russian for words with Cyrillic
//! letters, English for the others). Quotes and operators are not words and vanish, so no query is a syntax error.

use std::collections::HashSet;
use std::sync::LazyLock;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Longer "words" are base64, hashes and separators: they swell the dictionary and nobody types them.
const MAX_WORD_CHARS: usize = 64;

/// The Snowball project's lists, as short as they are: a longer one drops words that carry meaning ("system", "first").
static STOP_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("stop_words.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect()
});

/// The terms of a text, joined by spaces; empty when nothing but stop words is in it.
pub fn analyze(text: &str) -> String {
    let russian = Stemmer::new(Algorithm::Russian);
    let english = Stemmer::new(Algorithm::English);
    let text: String = text.nfkc().filter(|&c| c != '\u{ad}' && c != '\u{301}').collect();
    let mut terms = String::with_capacity(text.len());
    let mut push = |word: &str| {
        if word.is_empty() || word.chars().count() > MAX_WORD_CHARS || STOP_WORDS.contains(word) {
            return;
        }
        let stemmer = if word.chars().any(is_cyrillic) { &russian } else { &english };
        if !terms.is_empty() {
            terms.push(' ');
        }
        terms.push_str(&stemmer.stem(word));
    };
    for word in text.unicode_words() {
        let word = word.to_lowercase().replace('ё', "е").replace('’', "'");
        push(&word);
        // UAX #29 keeps `main.rs` and `max_rows` whole: found by the whole and by the parts. Numbers (3.14) stay whole only.
        if word.contains(['.', '_', ':']) && word.contains(char::is_alphabetic) {
            word.split(['.', '_', ':']).for_each(&mut push);
        }
    }
    terms
}

fn is_cyrillic(c: char) -> bool {
    ('\u{400}'..='\u{52f}').contains(&c)
}
