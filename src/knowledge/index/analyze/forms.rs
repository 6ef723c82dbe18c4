//! Spelling variants of a word, and sequences of words that form one term.

use unicode_segmentation::UnicodeSegmentation as _;

use super::fold::{fold, is_cyrillic};

/// A word with more changes between letters and digits is a hash, whose parts mean nothing.
const MAX_PIECES: usize = 5;
/// A text this short may be all capitals and still contain an acronym: "WHO", "WHO US".
const FEW_WORDS: usize = 2;
/// Length, without hyphens, of a hyphenated number or code (ISBN, telephone number); `4-5` is a range.
const CODE_CHARS: std::ops::RangeInclusive<usize> = 6..=40;

pub(super) fn is_capitals(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() >= 2 && !word.chars().any(char::is_lowercase)
}

/// Whether capitals are significant in a text of so many words: it also has lower-case letters, or is short enough to
/// be just a name.
pub(super) fn has_acronyms(text: &str, words: usize) -> bool {
    let (small, large) = text.chars().fold((0usize, 0usize), |(small, large), c| {
        (small + usize::from(c.is_lowercase()), large + usize::from(c.is_uppercase()))
    });
    small > large || words <= FEW_WORDS
}

/// The parts of a camel-case identifier: `getUserName`, `HTTPServer`.
pub(super) fn camel_case_parts(word: &str) -> Vec<&str> {
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
    // "GmbH" and "PhD" are single words, and single letters mean nothing.
    let fine = (2..=MAX_PIECES).contains(&parts.len()) && parts.iter().all(|part| part.chars().count() > 1);
    if fine { parts } else { Vec::new() }
}

/// A name that includes a symbol: `C++`, `C#`, `.NET`. `C++17` also yields C++.
pub(super) fn with_sign(before: &str, word: &str, after: &str) -> Option<String> {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '+' | '#'));
    let sign = ["++", "#"].into_iter().find(|sign| after.strip_prefix(sign).is_some_and(ends));
    if let Some(sign) = sign.filter(|_| word.chars().count() <= 2 && word.starts_with(char::is_alphabetic)) {
        // Cyrillic С is typed as often as Latin C.
        let word = if word == "с" { "c" } else { word };
        return Some(format!("{word}{sign}"));
    }
    let begins = |rest: &str| !rest.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_'));
    let dotted = before.strip_suffix('.').is_some_and(begins) && word.starts_with(char::is_alphabetic);
    dotted.then(|| format!(".{word}"))
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}')
}

/// The character between two words, if there is exactly one.
fn between(text: &str, one: (usize, &str), other: (usize, &str)) -> Option<char> {
    let mut chars = text[one.0 + one.1.len()..other.0].chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// Words joined by hyphens or `&` as one term, and the number of words: `e-mail` is also written `email`, `R&D` is a
/// name, and hyphens in a code (`AB-123-7`) are optional. More than two words without digits are not joined.
pub(super) fn chain(text: &str, words: &[(usize, &str)]) -> Option<(String, usize)> {
    let first = *words.first()?;
    let sign = words.get(1).and_then(|next| between(text, first, *next))?;
    let letters = |word: &str| word.chars().all(char::is_alphabetic);
    if sign == '&' {
        let next = words[1];
        let is_name = first.1.chars().count() <= 2 && letters(first.1) && letters(next.1);
        return is_name.then(|| (format!("{}{}", fold(first.1), fold(next.1)), 2));
    }
    if !is_hyphen(sign) || text[..first.0].ends_with(is_hyphen) {
        return None;
    }
    let joints = words.windows(2).take_while(|two| between(text, two[0], two[1]).is_some_and(is_hyphen)).count();
    let chain = &words[..=joints];
    let (last, last_word) = chain[joints];
    let goes_on = text[last + last_word.len()..].starts_with(is_hyphen);
    let joined = || chain.iter().map(|(_, word)| fold(word)).collect::<String>();
    if chain.iter().all(|(_, word)| letters(word)) {
        return (joints == 1 && !goes_on).then(|| (joined(), 2));
    }
    let plain = |word: &str| word.chars().all(char::is_alphanumeric);
    let joined = Some(joined()).filter(|_| chain.iter().all(|(_, word)| plain(word)))?;
    CODE_CHARS.contains(&joined.chars().count()).then_some((joined, chain.len()))
}

/// The runs of letters and of digits in a word that has both: `10kg`, `rfc9110`, `v1.2.3`.
pub(super) fn pieces(word: &str) -> Vec<&str> {
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
    if found.is_empty() || found.len() >= MAX_PIECES {
        return Vec::new();
    }
    found.push(&word[start..]);
    found.iter().map(|piece| piece.trim_matches(|c: char| !c.is_alphanumeric())).collect()
}

/// A number's possible values as plain digits with a decimal point: `10,5` is `10.5`, `1,000,000` and `1.000.000` are
/// `1000000`, `1.000,50`, `1,000.50` and `1'000.50` are `1000.50`. A single separator before three digits is ambiguous:
/// `1,000` is `1000` and `1.000`.
pub(super) fn numbers(word: &str) -> Vec<String> {
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

/// A number with groups of three digits separated by spaces (`1 000 000`, as in Russian and French), and how many of
/// `words` it spans: 0 if it ends within a word.
pub(super) fn grouped(text: &str, words: &[(usize, &str)]) -> Option<(String, usize)> {
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
    // Decimals after a comma or point: `1 000,50`.
    if let Some(after) = rest.strip_prefix([',', '.']).filter(|after| digits(after) > 0) {
        let decimals = digits(after);
        number.extend([".", &after[..decimals]]);
        rest = &after[decimals..];
    }
    let end = words.first()?.0 + (text.len() - rest.len());
    let ends = words.iter().position(|(at, word)| at + word.len() == end);
    Some((number, ends.map_or(0, |last| last + 1)))
}

/// A code with its Cyrillic letters replaced by look-alike Latin ones: `СВ12` is typed on either keyboard.
pub(super) fn latin_lookalike(word: &str) -> Option<String> {
    if !word.contains(char::is_numeric) || !word.chars().any(is_cyrillic) {
        return None;
    }
    let latin = |c: char| {
        Some(match c {
            'а' => 'a',
            'в' => 'b',
            'е' => 'e',
            'к' => 'k',
            'м' => 'm',
            'н' => 'h',
            'о' => 'o',
            'р' => 'p',
            'с' => 'c',
            'т' => 't',
            'у' => 'y',
            'х' => 'x',
            c if is_cyrillic(c) => return None,
            c => c,
        })
    };
    word.chars().map(latin).collect()
}

/// Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer), and Korean; not their digits.
fn is_continuous(c: char) -> bool {
    let is_digit =
        matches!(c, '\u{e50}'..='\u{e59}' | '\u{ed0}'..='\u{ed9}' | '\u{1040}'..='\u{1049}' | '\u{17e0}'..='\u{17e9}');
    !is_digit
        && matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{2fdf}'
            | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Number of leading words that form a run without spaces.
pub(super) fn run(words: &[(usize, &str)]) -> usize {
    let is_part = |(_, word): &(usize, &str)| word.chars().all(is_continuous);
    if !words.first().is_some_and(is_part) {
        return 0;
    }
    let next = words.windows(2).take_while(|two| two[0].0 + two[0].1.len() == two[1].0 && is_part(&two[1]));
    1 + next.count()
}

/// The grapheme clusters of a run.
pub(super) fn units(words: &[(usize, &str)]) -> Vec<String> {
    words.iter().flat_map(|(_, word)| word.graphemes(true)).map(fold).collect()
}
