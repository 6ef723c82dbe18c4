//! Words to terms: what the full-text arm indexes and searches.
//!
//! LanceDB stems one language for each index, our bases mix English and Russian within a sentence. So documents and queries are
//! analysed here and LanceDB splits the result at spaces: compatibility forms unified (NFKC), soft hyphens and stress marks dropped,
//! Unicode words (UAX #29), lower case, ё as е, Latin letters without their marks, stop words of both languages out, Snowball stems
//! (Russian for words with Cyrillic letters, English for the others). Quotes and operators are not words and vanish, so no query is a
//! syntax error. What people write in several ways meets as several terms: `v1.2.3` and `1.2.3`, `10kg` and `10 kg`, `10,5` and `10.5`.

use std::collections::HashSet;
use std::sync::LazyLock;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

use crate::platform::crypto;

/// Counted up when the terms of a text change: the indexes of bases are then written anew (`knowledge.reanalyse`).
pub const ANALYSIS: i16 = 3;

/// Longer identifiers are kept as their beginning and a hash: found as a whole, without swelling the dictionary.
const MAX_WORD_CHARS: usize = 64;
/// Still longer "words" are base64, pictures and separators, which nobody types.
const MAX_IDENTIFIER_CHARS: usize = 512;
/// More changes between letters and digits than this are a hash, whose pieces mean nothing.
const MOST_PIECES: usize = 5;
/// A text of so few words may be capitals throughout and still name somebody: "WHO", "WHO US".
const FEW_WORDS: usize = 2;

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
    let text: String = text.nfkc().filter(|&c| c != '\u{ad}' && c != '\u{301}').collect();
    let mut terms = Terms::new(text.len());
    let acronyms = has_acronyms(&text);
    for (at, original) in text.unicode_word_indices() {
        let word = fold(original);
        // WHO, IT and US are names where the words around them are not in capitals too.
        let name = acronyms && is_capitals(original);
        terms.push(&word, name);
        // UAX #29 keeps `main.rs` and `max_rows` whole: found by the whole and by the parts. Numbers (3.14) stay whole only.
        if word.contains(['.', '_', ':']) && word.contains(char::is_alphabetic) {
            word.split(['.', '_', ':']).for_each(|part| terms.push(part, false));
        }
        for piece in pieces(&word) {
            terms.push(piece, false);
        }
        for number in numbers(&word) {
            terms.push(&number, false);
        }
        // l'eau is found by eau, and O'Brien by Brien and OBrien; an English 's is the stemmer's.
        if let Some((before, after)) = word.split_once('\'')
            && word.contains(char::is_alphabetic)
            && !STOP_WORDS.contains(word.as_str())
            && after != "s"
        {
            let parts = [before, after].into_iter().filter(|part| part.chars().count() > 1);
            parts.for_each(|part| terms.push(part, false));
            terms.push(&format!("{before}{after}"), false);
        }
        if let Some(number) = grouped(&text[at..]) {
            terms.push(&number, false);
        }
        for hump in humps(original) {
            terms.push(&fold(hump), false);
        }
        let (before, after) = (&text[..at], &text[at + original.len()..]);
        if let Some(name) = with_sign(before, &word, after).or_else(|| joined(before, &word, after)) {
            terms.push(&name, true);
        }
    }
    terms.text
}

struct Terms {
    russian: Stemmer,
    english: Stemmer,
    text: String,
}

impl Terms {
    fn new(capacity: usize) -> Self {
        Self {
            russian: Stemmer::new(Algorithm::Russian),
            english: Stemmer::new(Algorithm::English),
            text: String::with_capacity(capacity),
        }
    }

    /// `word` in lower case. `name`: it counts even if it looks like a stop word, and is not stemmed ("us" is no plural).
    fn push(&mut self, word: &str, name: bool) {
        let length = word.chars().count();
        if length == 0 || length > MAX_IDENTIFIER_CHARS || (!name && STOP_WORDS.contains(word)) {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        if length > MAX_WORD_CHARS {
            let beginning: String = word.chars().take(32).collect();
            self.text.extend([beginning.as_str(), "~", &crypto::sha256_hex(word)[..16]]);
        } else if name && STOP_WORDS.contains(word) {
            self.text.push_str(word);
        } else {
            let stemmer = if word.chars().any(is_cyrillic) { &self.russian } else { &self.english };
            self.text.push_str(&stemmer.stem(word));
        }
    }
}

/// Lower case, ё as е, straight apostrophes, and Latin letters without marks: people type "cafe".
fn fold(word: &str) -> String {
    let word = word.to_lowercase().replace('ё', "е").replace(['’', '\u{2bc}'], "'");
    if word.is_ascii() || word.chars().any(is_cyrillic) {
        return word;
    }
    let bare = word.nfd().filter(|c| !(is_combining_mark(*c) && is_left_out(*c)) && *c != TATWEEL);
    let mut folded = String::with_capacity(word.len());
    for c in bare {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'þ' => folded.push_str("th"),
            'ς' => folded.push('σ'),
            // Persian keyboards and Arabic ones have each their own.
            'ک' => folded.push('ك'),
            'ی' | 'ى' => folded.push('ي'),
            '٠'..='٩' | '۰'..='۹' => folded.extend(char::from_digit(u32::from(c) & 15, 10)),
            c => folded.push(c),
        }
    }
    folded.nfc().collect()
}

/// The stroke that stretches an Arabic word.
const TATWEEL: char = '\u{640}';

/// Marks that people leave out when they type: over and under Latin and Greek letters, the vowel points of Hebrew and Arabic. Those of
/// other scripts (Devanagari, Thai) are letters' parts.
fn is_left_out(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}')
}

fn is_capitals(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() >= 2 && !word.chars().any(char::is_lowercase)
}

/// Whether capitals stand out in this text: it has small letters too, or is so short that it can be a name alone.
fn has_acronyms(text: &str) -> bool {
    let (small, large) = text.chars().fold((0usize, 0usize), |(small, large), c| {
        (small + usize::from(c.is_lowercase()), large + usize::from(c.is_uppercase()))
    });
    small > large || text.unicode_words().count() <= FEW_WORDS
}

/// The parts of a name as programs have them: `getUserName`, `HTTPServer`.
fn humps(word: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    if !chars.iter().all(|(_, c)| c.is_alphabetic()) {
        return Vec::new();
    }
    let starts = chars.windows(2).enumerate().filter_map(|(n, pair)| {
        let (before, (at, now)) = (pair[0].1, pair[1]);
        let next_is_small = chars.get(n + 2).is_some_and(|(_, next)| next.is_lowercase());
        (now.is_uppercase() && (before.is_lowercase() || next_is_small)).then_some(at)
    });
    let mut cuts: Vec<usize> = std::iter::once(0).chain(starts).chain([word.len()]).collect();
    cuts.dedup();
    let parts: Vec<&str> = cuts.windows(2).map(|cut| &word[cut[0]..cut[1]]).collect();
    // "GmbH" and "PhD" are no two words, and single letters mean nothing.
    let fine = (2..=MOST_PIECES).contains(&parts.len()) && parts.iter().all(|part| part.chars().count() > 1);
    if fine { parts } else { Vec::new() }
}

/// A name that its sign tells from another: `C++`, `C#`, `.NET`.
fn with_sign(before: &str, word: &str, after: &str) -> Option<String> {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '+' | '#'));
    let sign = ["++", "#"].into_iter().find(|sign| after.strip_prefix(sign).is_some_and(ends));
    if let Some(sign) = sign.filter(|_| word.chars().count() <= 2 && word.starts_with(char::is_alphabetic)) {
        return Some(format!("{word}{sign}"));
    }
    let begins = |rest: &str| rest.is_empty() || rest.ends_with(|c: char| c.is_whitespace() || matches!(c, '(' | '"'));
    let dotted = before.strip_suffix('.').is_some_and(begins) && word.starts_with(char::is_alphabetic);
    dotted.then(|| format!(".{word}"))
}

/// Two words with a hyphen or `&` between them, as one: `e-mail` is also written `email`, and `R&D` is a name.
fn joined(before: &str, word: &str, after: &str) -> Option<String> {
    let is_hyphen = |c: char| matches!(c, '-' | '\u{2010}');
    let sign = after.chars().next().filter(|&c| is_hyphen(c) || (c == '&' && word.chars().count() <= 2))?;
    let rest = &after[sign.len_utf8()..];
    let next = rest.unicode_word_indices().next().filter(|(at, _)| *at == 0)?.1;
    let alone = !before.ends_with(is_hyphen) && !rest[next.len()..].starts_with(is_hyphen);
    let letters = |word: &str| word.chars().all(char::is_alphabetic);
    (alone && letters(word) && letters(next)).then(|| format!("{word}{}", fold(next)))
}

/// The runs of letters and of digits in a word that has both: `10kg`, `rfc9110`, `v1.2.3`.
fn pieces(word: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut last) = (0, None);
    for (at, c) in word.char_indices() {
        let kind = if c.is_numeric() { Some(true) } else { c.is_alphabetic().then_some(false) };
        if let (Some(now), Some(before)) = (kind, last)
            && now != before
        {
            found.push(&word[start..at]);
            start = at;
        }
        last = kind.or(last);
    }
    if found.is_empty() || found.len() >= MOST_PIECES {
        return Vec::new();
    }
    found.push(&word[start..]);
    found.iter().map(|piece| piece.trim_matches(|c: char| !c.is_alphanumeric())).collect()
}

/// Other ways to write a number, as plain digits with a point: `10,5` is `10.5`, `1,000,000` and `1.000.000` are `1000000`,
/// `1.000,50`, `1,000.50` and `1'000.50` are `1000.50`. One separator before three digits can be either: `1,000` is `1000` and `1.000`.
fn numbers(word: &str) -> Vec<String> {
    let is_mark = |c: char| matches!(c, ',' | '.' | '\'');
    if !word.starts_with(|c: char| c.is_ascii_digit()) || !word.chars().all(|c| c.is_ascii_digit() || is_mark(c)) {
        return Vec::new();
    }
    let marks: Vec<char> = word.chars().filter(|&c| is_mark(c)).collect();
    let groups: Vec<&str> = word.split(is_mark).collect();
    let (Some(&last), Some((end, front))) = (marks.last(), groups.split_last()) else { return Vec::new() };
    let in_threes = |groups: &[&str]| {
        groups.first().is_some_and(|first| (1..=3).contains(&first.len())) && groups[1..].iter().all(|g| g.len() == 3)
    };
    let mut found = Vec::new();
    let others_alike = marks[..marks.len() - 1].iter().all(|mark| *mark == marks[0]);
    if marks.iter().all(|mark| *mark == last) && in_threes(&groups) {
        found.push(groups.concat());
    }
    let decimal = if marks.len() == 1 { last == ',' } else { others_alike && marks[0] != last && in_threes(front) };
    if decimal && last != '\'' {
        found.push(format!("{}.{end}", front.concat()));
    }
    found
}

/// The number that begins here in groups of three parted by spaces, as `1 000 000` is written in Russian and French.
fn grouped(text: &str) -> Option<String> {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(text);
    if !(1..=3).contains(&first) {
        return None;
    }
    let (mut number, mut rest) = (text[..first].to_owned(), &text[first..]);
    while let Some(group) = rest.strip_prefix(' ').filter(|group| digits(group) == 3) {
        number.push_str(&group[..3]);
        rest = &group[3..];
    }
    if number.len() == first {
        return None;
    }
    // The digits behind a comma or a point: `1 000,50`.
    if let Some(after) = rest.strip_prefix([',', '.']).filter(|after| digits(after) > 0) {
        number.extend([".", &after[..digits(after)]]);
    }
    Some(number)
}

fn is_cyrillic(c: char) -> bool {
    ('\u{400}'..='\u{52f}').contains(&c)
}
