//! Tells natural language from glyph numbers and wrongly decoded text.
//!
//! Works without a dictionary, and only judges words that allow it: words in scripts that write vowels need some,
//! scripts do not mix within a word, and symbols do not occur between letters. Numbers, codes, short words and
//! abbreviations are neutral.

use unicode_normalization::UnicodeNormalization;

/// Minimum number of words to judge.
const MIN_WORDS: usize = 20;
/// Minimum share of vowels in a whole text in such scripts: the lowest in any language is near a third.
const MIN_VOWEL_SHARE: f32 = 0.25;

/// Share of plausible words among those that can be judged, 0 to 1; `None` if there are too few.
pub(super) fn share(text: &str) -> Option<f32> {
    let (mut all, mut good, mut letters, mut vowels) = (0usize, 0usize, 0usize, 0usize);
    for word in text.split_whitespace().take(100_000) {
        for part in parts(word) {
            match judge(part) {
                Verdict::Good => good += 1,
                Verdict::Bad => {}
                Verdict::Unknown => continue,
            }
            all += 1;
            let (some, of_them) = count_vowels(part);
            letters += some;
            vowels += of_them;
        }
    }
    if all < MIN_WORDS {
        return None;
    }
    let share = good as f32 / all as f32;
    let vowel_share = vowels as f32 / letters.max(1) as f32;
    // A substitution cipher has some words with vowels by chance.
    let poor = letters > 200 && vowel_share < MIN_VOWEL_SHARE;
    Some(if poor { share * vowel_share / MIN_VOWEL_SHARE * 0.6 } else { share })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Greek,
    Other,
}

/// Code and addresses are words separated by ASCII punctuation; a glyph number is judged as a whole.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let whole = is_glyph_number(word);
    word.split(move |c: char| !whole && c.is_ascii_punctuation()).filter(|part| !part.is_empty())
}

/// `(cid:12)`, `/g12/g7`, `glyph12`.
fn is_glyph_number(word: &str) -> bool {
    let mut names = word.split(['/', '(', ')']).filter(|name| !name.is_empty()).peekable();
    names.peek().is_some()
        && names.all(|name| {
            let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let word = &name[..name.len() - digits.len()];
            let number = digits.trim_start_matches(':');
            let is_glyph = matches!(word, "cid" | "CID" | "glyph" | "gid" | "g");
            is_glyph && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        })
}

fn script(c: char) -> Script {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        _ => Script::Other,
    }
}

fn judge(part: &str) -> Verdict {
    if is_glyph_number(part) {
        return Verdict::Bad;
    }
    // Ignore quotes, dashes and symbols around a word.
    let word = part.trim_matches(|c: char| !c.is_alphanumeric() && !is_odd(c));
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    if word.chars().any(is_odd) {
        return Verdict::Bad;
    }
    if letters.is_empty() || (word.chars().any(char::is_numeric) && letters.len() < 8) {
        return Verdict::Unknown;
    }
    let inner = word.chars().filter(|c| !c.is_alphanumeric() && !is_joint(*c)).count();
    if inner > 0 && inner * 6 >= letters.len() {
        return Verdict::Bad;
    }
    let first = script(letters[0]);
    if letters.iter().all(|c| script(*c) == Script::Other) {
        // In scripts without spaces a sentence is one word, so any letter suffices.
        return Verdict::Good;
    }
    if word.split(is_joint).any(mixes_scripts) {
        return Verdict::Bad;
    }
    if letters.len() < 3 || (letters.len() < 6 && letters.iter().all(|c| c.is_uppercase())) {
        return Verdict::Unknown;
    }
    let foreign = letters.iter().filter(|c| !c.is_ascii()).count();
    if first == Script::Latin && letters.len() >= 4 && foreign * 10 > letters.len() * 7 {
        // Another encoding read as Latin-1.
        return Verdict::Bad;
    }
    let (letters, vowels) = count_vowels(word);
    if vowels * 7 >= letters { Verdict::Good } else { Verdict::Bad }
}

fn mixes_scripts(word: &str) -> bool {
    let mut scripts = word.chars().filter(|c| c.is_alphabetic()).map(script).filter(|script| *script != Script::Other);
    scripts.next().is_some_and(|first| scripts.any(|other| other != first))
}

/// Characters within a compound word or beside a number.
fn is_joint(c: char) -> bool {
    matches!(
        c,
        '’' | '‘' | 'ʼ' | '·' | '\u{2010}'
            ..='\u{2015}' | '…' | '“' | '”' | '„' | '«' | '»' | '′' | '″' | '\u{200c}' | '\u{200d}'
    ) || unicode_normalization::char::is_combining_mark(c)
}

/// Characters that never occur in correctly decoded text.
fn is_odd(c: char) -> bool {
    c == '\u{fffd}' || c.is_control() || matches!(c, '\u{e000}'..='\u{efff}' | '\u{f100}'..='\u{f8ff}')
}

/// Number of letters in scripts that write vowels, and of vowels among them.
fn count_vowels(word: &str) -> (usize, usize) {
    let (mut letters, mut vowels) = (0, 0);
    for c in word.chars().filter(|c| c.is_alphabetic() && script(*c) != Script::Other) {
        letters += 1;
        let base = c.to_lowercase().nfd().next().unwrap_or(c);
        vowels += usize::from("aeiouyøæœıаеёиіїоуыэюяєўαεηιουω".contains(base));
    }
    (letters, vowels)
}
