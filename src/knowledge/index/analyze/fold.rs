//! Normalises spelling variants of letters and digits.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The text in compatibility form (NFKC), without invisible characters and stress marks.
pub(super) fn visible(text: &str) -> String {
    text.nfkc().filter(|c| !is_unseen(*c)).collect()
}

/// Invisible characters: soft hyphens, stress marks, joiners, byte order marks, direction marks, variation selectors. A
/// zero-width space separates words, and stays.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{301}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Lower case, ё as е, straight apostrophes, and Latin letters without diacritics: people type "cafe".
pub(super) fn fold(word: &str) -> String {
    let word = word.to_lowercase().replace('ё', "е").replace(APOSTROPHES, "'");
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
            // Persian and Arabic keyboards have different code points for these letters.
            'ک' => folded.push('ك'),
            'ی' | 'ى' => folded.push('ي'),
            // Spelling variants.
            'ة' => folded.push('ه'),
            'ٱ' => folded.push('ا'),
            c => folded.push(ascii_digit(c).unwrap_or(c)),
        }
    }
    folded.nfc().collect()
}

const APOSTROPHES: [char; 6] = ['’', '‘', '\u{2b9}', '\u{2bb}', '\u{2bc}', '\u{5f3}'];

/// The stroke that stretches an Arabic word (tatweel).
const TATWEEL: char = '\u{640}';

/// Marks that people omit when typing: Latin and Greek diacritics, Hebrew and Arabic vowel points. In other scripts
/// (Devanagari, Thai) combining marks are part of the letter.
fn is_left_out(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}')
}

/// Code points of the digit zero in scripts with their own digits: Arabic, Persian, Devanagari, Bengali, Gurmukhi,
/// Gujarati, Oriya, Tamil, Telugu, Kannada, Malayalam, Thai, Lao, Tibetan, Burmese, Khmer.
const ZEROS: [u32; 16] =
    [0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0];

fn ascii_digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

pub(super) fn is_cyrillic(c: char) -> bool {
    ('\u{400}'..='\u{52f}').contains(&c)
}
