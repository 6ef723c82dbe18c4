//! Names and texts that people enter.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

/// A display name, one visible line: `name` in NFC, trimmed, without control characters (PostgreSQL stores no NUL) and without
/// bidirectional control characters. Empty if nothing of it is visible.
pub fn tidy(name: &str) -> String {
    let kept: String =
        name.nfc().filter(|c| !turns_direction(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if kept.chars().all(is_invisible) { String::new() } else { kept.trim_matches(is_invisible).to_owned() }
}

/// A text of any number of lines, in NFC as what it is searched for, trimmed and without U+0000, which PostgreSQL cannot store.
pub fn tidy_text(text: &str) -> String {
    let kept: String = text.nfc().filter(|c| *c != '\0').collect();
    kept.trim().to_owned()
}

/// With these, `fdp.exe` looks like `exe.pdf`, and one name like another.
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with bidirectional control characters written out, for texts that may not be changed: readers must see what is stored.
pub fn with_directions_shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if turns_direction(c) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "[U+{:04X}]", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// White space, and characters that fonts draw as nothing (Unicode, `Default_Ignorable_Code_Point`; the Hangul fillers and the empty
/// Braille pattern look the same).
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{tidy, tidy_text};

    #[test]
    fn what_cannot_be_seen_is_no_name() {
        for invisible in
            ["", "  ", "\u{200b}", "\u{200b} \u{2060}", "\u{3164}", "\u{2800}", "\0", "\u{202e}\u{feff}", "\u{e0041}"]
        {
            assert_eq!(tidy(invisible), "", "{invisible:?}");
        }
    }

    #[test]
    fn names_stay_as_they_are_read() {
        assert_eq!(tidy("  Ada  Lovelace\u{200b}\n"), "Ada  Lovelace");
        assert_eq!(tidy("и\u{306} ё"), "й ё", "composed");
        assert_eq!(tidy("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(tidy("می\u{200c}خواهم"), "می\u{200c}خواهم", "joiners belong to words");
        assert_eq!(tidy("a\tb\0c"), "a b c");
    }

    #[test]
    fn texts_keep_their_lines() {
        assert_eq!(tidy_text(" \0 a\n\n\tb\0c\n"), "a\n\n\tbc");
        assert_eq!(tidy_text("Йод\nи\u{306}од"), "Йод\nйод", "composed");
    }
}
