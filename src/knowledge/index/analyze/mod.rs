//! Words to terms: what the full-text arm indexes and searches.
//!
//! LanceDB stems one language for each index, our bases mix English and Russian within a sentence. So documents and queries are
//! analysed here and LanceDB splits the result at spaces: compatibility forms unified (NFKC), soft hyphens, stress marks and what nobody
//! sees dropped, Unicode words (UAX #29), lower case, ё as е, Latin letters without their marks, stop words of both languages out, Snowball
//! stems (Russian for words with Cyrillic letters, English for the others). Quotes and operators are not words and vanish, so no query is a
//! syntax error. What people write in several ways meets as several terms: `v1.2.3` and `1.2.3`, `10kg` and `10 kg`, `10,5` and `10.5`.
//! Scripts that put no space between words (Chinese, Japanese, Thai) and Korean, whose words carry their endings, are indexed by pairs of
//! neighbours, and by single characters.

mod fold;
mod forms;

use std::{collections::HashSet, sync::LazyLock};

use frostem::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation as _;

use self::{
    fold::{fold, is_cyrillic, visible},
    forms::{chain, grouped, has_acronyms, humps, is_capitals, latin_twin, numbers, pieces, run, units, with_sign},
};
use crate::platform::crypto;

/// Counted up when the terms of a text change: the indexes of bases are then written anew (`knowledge.reanalyse`).
pub const ANALYSIS: i16 = 4;

/// Longer identifiers are kept as their beginning and a hash: found as a whole, without swelling the dictionary.
const MAX_WORD_CHARS: usize = 64;
/// Still longer "words" are base64, pictures and separators, which nobody types.
const MAX_IDENTIFIER_CHARS: usize = 512;

/// The Snowball project's lists, as short as they are: a longer one drops words that carry meaning ("system", "first").
static STOP_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("../stop_words.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect()
});

/// The terms of a text, joined by spaces; empty when nothing but stop words is in it.
pub fn analyze(text: &str) -> String {
    let mut terms = Terms(String::with_capacity(text.len()));
    read(text, &mut terms);
    terms.0
}

/// The words of a question, with the terms by which each is found. The same terms as those of [`analyze`], told apart by word.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Words::default();
    read(text, &mut words);
    words.found
}

/// A word of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Found where one of `forms` is, or all of `parts`: `1.2.3` is enough of `v1.2.3`, `10 kg` is `10kg`, but `e` is not `E7731`,
    /// and `C` is not `C++`.
    One { forms: Vec<String>, parts: Vec<String> },
    /// Written without spaces: `pairs` of neighbours, of which about every second one belongs to one word.
    Run { pairs: Vec<String>, words: usize },
}

impl Word {
    /// For how many words it counts.
    pub fn weight(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::Run { words, .. } => *words,
        }
    }

    /// How many of them are among the terms of a text.
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

/// What a term says of its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It is the word.
    Whole,
    /// So large a part of the word that it is enough.
    Large,
    /// All parts together are the word.
    Part,
    /// It helps to find the word, and is not the word.
    Hint,
}

/// What is done with the terms.
trait Sink {
    fn term(&mut self, term: &str, role: Role);
    /// A part of the word is a stop word.
    fn left_out(&mut self);
    /// The terms of the next word follow.
    fn end(&mut self);
    /// A run of `words` words that are written without spaces.
    fn pairs(&mut self, pairs: &[String], words: usize);
}

/// All terms, joined by spaces.
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

/// Terms by word.
#[derive(Default)]
struct Words {
    found: Vec<Word>,
    forms: Vec<String>,
    large: Vec<String>,
    parts: Vec<String>,
    /// Parts of the present word are missing: those that are there are not the word.
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

/// Hands the terms of a text to `sink`.
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
    /// WHO, IT and US are names where the words around them are not in capitals too.
    acronyms: bool,
    text: &'a str,
    sink: &'a mut S,
}

impl<S: Sink> Reader<'_, S> {
    /// Reads what begins with the first of these words; how many of them it was.
    fn next(&mut self, words: &[(usize, &str)]) -> usize {
        let Some(&(at, first)) = words.first() else { return 0 };
        let in_run = run(words);
        if in_run > 0 {
            self.run(&words[..in_run]);
            return in_run;
        }
        if let Some((number, count)) = grouped(&self.text[at..], words) {
            // "1 000kg": the number ends within a word, and each word is read by itself.
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
            for hump in humps(original) {
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

    /// UAX #29 keeps `main.rs` and `max_rows` whole: found by the whole and by the parts. Numbers (3.14) stay whole only.
    fn parts(&mut self, word: &str, role: impl Fn(&str) -> Role) {
        if word.contains(['.', '_', ':']) && word.contains(char::is_alphabetic) {
            let parts = word.split(['.', '_', ':']).filter(|part| !part.is_empty());
            parts.for_each(|part| self.push(part, false, role(part)));
            if let Some((_, last)) = word.rsplit_once('.').filter(|(_, last)| last.chars().all(char::is_alphabetic)) {
                // The files of a kind, and `ASP.NET` for who asks for `.NET`.
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

    /// Other ways to write the same word, and names within it.
    fn also(&mut self, original: &str, word: &str, role: impl Fn(&str) -> Role) {
        for number in numbers(word) {
            self.push(&number, false, Role::Whole);
        }
        // l'eau is found by eau, and O'Brien by Brien and OBrien; an English 's is the stemmer's.
        if let Some((before, after)) = word.split_once('\'')
            && word.contains(char::is_alphabetic)
            && !STOP_WORDS.contains(word)
            && after != "s"
        {
            let parts = [before, after].into_iter().filter(|part| part.chars().count() > 1);
            parts.for_each(|part| self.push(part, false, role(part)));
            self.push(&format!("{before}{after}"), false, Role::Whole);
        }
        for hump in humps(original) {
            let hump = fold(hump);
            self.push(&hump, false, role(&hump));
        }
        if let Some(twin) = latin_twin(word) {
            self.push(&twin, true, Role::Whole);
        }
    }

    /// Words with hyphens or `&` between them, and their joined form: `e-mail`, `R&D`, `AB-123-7`.
    fn chain(&mut self, joined: &str, words: &[(usize, &str)]) {
        let (length, digits) = (joined.chars().count(), has_digit(joined));
        // "из-за" says no more than its parts.
        let says_nothing = words.iter().all(|(_, word)| STOP_WORDS.contains(fold(word).as_str()));
        self.push(joined, true, if says_nothing { Role::Hint } else { Role::Whole });
        if let Some(twin) = latin_twin(joined) {
            self.push(&twin, true, Role::Whole);
        }
        for (_, original) in words {
            let word = fold(original);
            let name = self.acronyms && is_capitals(original);
            let divided = !pieces(&word).is_empty();
            self.push(&word, name, if divided { Role::Hint } else { role_of(&word, length, digits) });
            self.parts(&word, |_| Role::Part);
            for hump in humps(original) {
                self.push(&fold(hump), false, Role::Hint);
            }
        }
        self.sink.end();
    }

    /// Words without spaces between them.
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
            // Found alone by who asks for one character, or for the whole.
            if !is_pair {
                self.push(&word, true, Role::Hint);
            }
            if let Some(first) = first {
                self.push(&first, true, Role::Hint);
            }
        }
        let is_kana = |unit: &String| unit.starts_with(|c: char| ('\u{3041}'..='\u{309f}').contains(&c));
        let pair = |two: &[String]| two.concat();
        // Japanese endings and particles are in Hiragana: they find a passage, and say little of what it is about.
        let (telling, other): (Vec<&[String]>, Vec<&[String]>) =
            units.windows(2).partition(|two| !two.iter().any(is_kana));
        let (telling, other) = if telling.is_empty() { (other, telling) } else { (telling, other) };
        other.into_iter().map(pair).for_each(|pair| self.sink.term(&pair, Role::Hint));
        let telling: Vec<String> = telling.into_iter().map(pair).collect();
        self.sink.pairs(&telling, telling.len().div_ceil(2));
        self.sink.end();
    }

    /// `word` in lower case. `name`: it counts even if it looks like a stop word.
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
            // Not stemmed: "us" is no plural.
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

/// A part of more than half of a word is enough, but of a code or a number not its letters alone.
fn role_of(part: &str, length: usize, digits: bool) -> Role {
    let is_large = part.chars().count() * 2 > length;
    if is_large && (!digits || has_digit(part)) { Role::Large } else { Role::Part }
}

/// The first syllable of a Korean word, whose endings vary.
fn korean_beginning(word: &str) -> Option<String> {
    let first = word.chars().next().filter(|c| ('\u{ac00}'..='\u{d7a3}').contains(c))?;
    (word.chars().count() > 1).then(|| first.to_string())
}
