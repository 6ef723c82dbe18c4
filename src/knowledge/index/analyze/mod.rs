//! Text analysis: turns documents and queries into the terms of the full-text index.
//!
//! LanceDB stems one language per index, but our bases mix English and Russian within a sentence. So we analyse
//! documents and queries here, and LanceDB only splits the result at spaces. Steps: NFKC; removal of soft hyphens,
//! stress marks and invisible characters; Unicode words (UAX #29); lower case; ё as е; Latin letters without
//! diacritics; removal of English and Russian stop words; Snowball stemming (Russian for words with Cyrillic letters,
//! English for all others). Quotes and operators are not words and disappear, so no query is a syntax error. Spelling
//! variants yield several terms so that they match: `v1.2.3` and `1.2.3`, `10kg` and `10 kg`, `10,5` and `10.5`.
//! Scripts without spaces (Chinese, Japanese, Thai) and Korean, whose endings are attached to words, are indexed as
//! character bigrams and single characters.

mod fold;
mod forms;

use std::{collections::HashSet, sync::LazyLock};

use frostem::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation as _;

use self::{
    fold::{fold, is_cyrillic, visible},
    forms::{
        camel_case_parts, chain, grouped, has_acronyms, is_capitals, latin_lookalike, numbers, pieces, run, units,
        with_sign,
    },
};
use platform::crypto;

/// Version of the analysis. Increment it when the terms of any text change: indexes are then rewritten
/// (`knowledge.reanalyse`).
pub const ANALYSIS: i16 = 4;

/// Longer identifiers are indexed as a prefix plus a hash: still found as a whole, without bloating the dictionary.
const MAX_WORD_CHARS: usize = 64;
/// Even longer "words" are base64, images and separators, which nobody searches for.
const MAX_IDENTIFIER_CHARS: usize = 512;

/// The Snowball project's short lists: longer ones drop meaningful words ("system", "first").
static STOP_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("../stop_words.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect()
});

/// The terms of a text, joined by spaces; empty if it has only stop words.
pub fn analyze(text: &str) -> String {
    let mut terms = Terms(String::with_capacity(text.len()));
    read(text, &mut terms);
    terms.0
}

/// The words of a query with their terms: the same terms as [`analyze`] returns, grouped by word.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Words::default();
    read(text, &mut words);
    words.found
}

/// A word of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Matches if a text has one of `forms` or all of `parts`: `1.2.3` matches `v1.2.3`, and `10 kg` matches `10kg`,
    /// but `e` does not match `E7731`, nor `C` match `C++`.
    One { forms: Vec<String>, parts: Vec<String> },
    /// A run without spaces, as bigrams; about every second one lies within a word.
    Run { pairs: Vec<String>, words: usize },
}

impl Word {
    /// The number of words that it counts as.
    pub fn weight(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::Run { words, .. } => *words,
        }
    }

    /// How many of its words are among the terms of a text.
    pub fn found_in(&self, terms: &HashSet<&str>) -> usize {
        let has = |term: &String| terms.contains(term.as_str());
        match self {
            Self::One { forms, parts } => {
                usize::from(forms.iter().any(has) || (!parts.is_empty() && parts.iter().all(has)))
            }
            Self::Run { pairs, words } => pairs.iter().filter(|pair| has(pair)).count().min(*words),
        }
    }
}

/// How a term relates to its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The whole word.
    Whole,
    /// A part large enough to match the word.
    Large,
    /// A part; only all parts together match the word.
    Part,
    /// Improves recall, but does not match the word.
    Hint,
}

/// Receives the terms of a text.
trait Sink {
    fn term(&mut self, term: &str, role: Role);
    /// A part of the word was dropped as a stop word.
    fn left_out(&mut self);
    /// Ends the current word.
    fn end(&mut self);
    /// The bigrams of a run of `words` words without spaces.
    fn pairs(&mut self, pairs: &[String], words: usize);
}

/// Collects all terms, joined by spaces.
struct Terms(String);

impl Sink for Terms {
    fn term(&mut self, term: &str, _: Role) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(term);
    }

    fn left_out(&mut self) {}

    fn end(&mut self) {}

    fn pairs(&mut self, pairs: &[String], _: usize) {
        for pair in pairs {
            self.term(pair, Role::Whole);
        }
    }
}

/// Collects terms by word.
#[derive(Default)]
struct Words {
    found: Vec<Word>,
    forms: Vec<String>,
    large: Vec<String>,
    parts: Vec<String>,
    /// A part of the current word was dropped, so the remaining parts do not match it.
    incomplete: bool,
}

impl Sink for Words {
    fn term(&mut self, term: &str, role: Role) {
        match role {
            Role::Whole => self.forms.push(term.to_owned()),
            Role::Large => self.large.push(term.to_owned()),
            Role::Part => self.parts.push(term.to_owned()),
            Role::Hint => {}
        }
    }

    fn left_out(&mut self) {
        self.incomplete = true;
    }

    fn end(&mut self) {
        let (mut forms, mut parts) = (std::mem::take(&mut self.forms), std::mem::take(&mut self.parts));
        if std::mem::take(&mut self.incomplete) {
            parts.clear();
        }
        if !parts.is_empty() {
            parts.extend_from_slice(&self.large);
        }
        forms.append(&mut self.large);
        if !forms.is_empty() || !parts.is_empty() {
            self.found.push(Word::One { forms, parts });
        }
    }

    fn pairs(&mut self, pairs: &[String], words: usize) {
        self.found.push(Word::Run { pairs: pairs.to_vec(), words });
    }
}

/// Sends the terms of a text to `sink`.
fn read(text: &str, sink: &mut impl Sink) {
    let text = visible(text);
    let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
    let mut reader = Reader {
        russian: Stemmer::new(Algorithm::Russian),
        english: Stemmer::new(Algorithm::English),
        acronyms: has_acronyms(&text, words.len()),
        text: &text,
        sink,
    };
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let read = reader.next(rest);
        rest = &rest[read.max(1)..];
    }
}

struct Reader<'a, S> {
    russian: Stemmer,
    english: Stemmer,
    /// Whether capitals mark acronyms (WHO, IT, US), i.e. the text is not all capitals.
    acronyms: bool,
    text: &'a str,
    sink: &'a mut S,
}

impl<S: Sink> Reader<'_, S> {
    /// Reads the term that starts at the first of these words; returns the number of words consumed.
    fn next(&mut self, words: &[(usize, &str)]) -> usize {
        let Some(&(at, first)) = words.first() else { return 0 };
        let in_run = run(words);
        if in_run > 0 {
            self.run(&words[..in_run]);
            return in_run;
        }
        if let Some((number, count)) = grouped(&self.text[at..], words) {
            // In "1 000kg" the number ends within a word, so each word is also read on its own.
            let whole = count > 1;
            self.push(&number, true, if whole { Role::Whole } else { Role::Hint });
            if whole {
                words[..count].iter().for_each(|(_, part)| self.push(part, false, Role::Part));
                self.sink.end();
                return count;
            }
        }
        if let Some((joined, count)) = chain(self.text, words) {
            self.chain(&joined, &words[..count]);
            return count;
        }
        self.single(at, first);
        1
    }

    fn single(&mut self, at: usize, original: &str) {
        let word = fold(original);
        let (before, after) = (&self.text[..at], &self.text[at + original.len()..]);
        let name = self.acronyms && is_capitals(original);
        if let Some(sign) = with_sign(before, &word, after) {
            self.push(&sign, true, Role::Whole);
            self.push(&word, name, Role::Hint);
            self.parts(&word, |_| Role::Hint);
            for hump in camel_case_parts(original) {
                self.push(&fold(hump), false, Role::Hint);
            }
        } else {
            self.push(&word, name, Role::Whole);
            let digits = has_digit(&word);
            let length = word.chars().count();
            self.parts(&word, |part| role_of(part, length, digits));
            self.also(original, &word, |part| role_of(part, length, digits));
        }
        self.sink.end();
    }

    /// UAX #29 keeps `main.rs` and `max_rows` whole: index the whole and the parts. Numbers (3.14) stay whole only.
    fn parts(&mut self, word: &str, role: impl Fn(&str) -> Role) {
        if word.contains(['.', '_', ':']) && word.contains(char::is_alphabetic) {
            let parts = word.split(['.', '_', ':']).filter(|part| !part.is_empty());
            parts.for_each(|part| self.push(part, false, role(part)));
            if let Some((_, last)) = word.rsplit_once('.').filter(|(_, last)| last.chars().all(char::is_alphabetic)) {
                // To find files by extension, and `ASP.NET` by `.NET`.
                self.push(&format!(".{last}"), true, Role::Hint);
            }
        }
        for piece in pieces(word) {
            self.push(piece, false, role(piece));
            if let Some(first) = korean_beginning(piece) {
                self.push(&first, false, Role::Hint);
            }
        }
    }

    /// Spelling variants of the word, and names within it.
    fn also(&mut self, original: &str, word: &str, role: impl Fn(&str) -> Role) {
        for number in numbers(word) {
            self.push(&number, false, Role::Whole);
        }
        // l'eau is found by eau, and O'Brien by Brien and OBrien; the stemmer handles the English 's.
        if let Some((before, after)) = word.split_once('\'')
            && word.contains(char::is_alphabetic)
            && !STOP_WORDS.contains(word)
            && after != "s"
        {
            let parts = [before, after].into_iter().filter(|part| part.chars().count() > 1);
            parts.for_each(|part| self.push(part, false, role(part)));
            self.push(&format!("{before}{after}"), false, Role::Whole);
        }
        for hump in camel_case_parts(original) {
            let hump = fold(hump);
            self.push(&hump, false, role(&hump));
        }
        if let Some(twin) = latin_lookalike(word) {
            self.push(&twin, true, Role::Whole);
        }
    }

    /// Words joined by hyphens or `&`, and their joined form: `e-mail`, `R&D`, `AB-123-7`.
    fn chain(&mut self, joined: &str, words: &[(usize, &str)]) {
        let (length, digits) = (joined.chars().count(), has_digit(joined));
        // "из-за" means no more than its parts.
        let says_nothing = words.iter().all(|(_, word)| STOP_WORDS.contains(fold(word).as_str()));
        self.push(joined, true, if says_nothing { Role::Hint } else { Role::Whole });
        if let Some(twin) = latin_lookalike(joined) {
            self.push(&twin, true, Role::Whole);
        }
        for (_, original) in words {
            let word = fold(original);
            let name = self.acronyms && is_capitals(original);
            let divided = !pieces(&word).is_empty();
            self.push(&word, name, if divided { Role::Hint } else { role_of(&word, length, digits) });
            self.parts(&word, |_| Role::Part);
            for hump in camel_case_parts(original) {
                self.push(&fold(hump), false, Role::Hint);
            }
        }
        self.sink.end();
    }

    /// A run of words without spaces between them.
    fn run(&mut self, words: &[(usize, &str)]) {
        let units = units(words);
        if let [unit] = units.as_slice() {
            self.push(unit, true, Role::Whole);
            return self.sink.end();
        }
        for (_, original) in words {
            let word = fold(original);
            let first = korean_beginning(&word);
            let is_pair = first.is_some() && word.chars().count() == 2;
            // A hint for queries of a single character or of the whole run.
            if !is_pair {
                self.push(&word, true, Role::Hint);
            }
            if let Some(first) = first {
                self.push(&first, true, Role::Hint);
            }
        }
        let is_kana = |unit: &String| unit.starts_with(|c: char| ('\u{3041}'..='\u{309f}').contains(&c));
        let pair = |two: &[String]| two.concat();
        // Japanese endings and particles are in Hiragana: useful for recall, but not significant.
        let (telling, other): (Vec<&[String]>, Vec<&[String]>) =
            units.windows(2).partition(|two| !two.iter().any(is_kana));
        let (telling, other) = if telling.is_empty() { (other, telling) } else { (telling, other) };
        other.into_iter().map(pair).for_each(|pair| self.sink.term(&pair, Role::Hint));
        let telling: Vec<String> = telling.into_iter().map(pair).collect();
        self.sink.pairs(&telling, telling.len().div_ceil(2));
        self.sink.end();
    }

    /// `word` is in lower case. `name`: keep it even if it looks like a stop word.
    fn push(&mut self, word: &str, name: bool, role: Role) {
        let length = word.chars().count();
        if length == 0 || length > MAX_IDENTIFIER_CHARS {
            return;
        }
        let is_stop_word = STOP_WORDS.contains(word);
        if is_stop_word && !name {
            if role == Role::Part {
                self.sink.left_out();
            }
        } else if length > MAX_WORD_CHARS {
            let beginning: String = word.chars().take(32).collect();
            self.sink.term(&[beginning.as_str(), "~", &crypto::sha256_hex(word)[..16]].concat(), role);
        } else if is_stop_word {
            // Not stemmed: "us" is not a plural.
            self.sink.term(word, role);
        } else {
            let stemmer = if word.chars().any(is_cyrillic) { &self.russian } else { &self.english };
            self.sink.term(&stemmer.stem(word), role);
        }
    }
}

fn has_digit(word: &str) -> bool {
    word.contains(char::is_numeric)
}

/// More than half of a word is enough to match it, except the letters of a code or number.
fn role_of(part: &str, length: usize, digits: bool) -> Role {
    let is_large = part.chars().count() * 2 > length;
    if is_large && (!digits || has_digit(part)) { Role::Large } else { Role::Part }
}

/// The first syllable of a Korean word, whose endings vary.
fn korean_beginning(word: &str) -> Option<String> {
    let first = word.chars().next().filter(|c| ('\u{ac00}'..='\u{d7a3}').contains(c))?;
    (word.chars().count() > 1).then(|| first.to_string())
}
