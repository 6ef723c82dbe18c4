//! Texts of strangers (servers, certificates, registries), as they may be stored and shown. PostgreSQL refuses U+0000, in `text` and in `jsonb`.

use platform::names::turns_direction;

/// Characters of a name in a certificate, as in DNS.
const NAME: usize = 253;
/// Characters of the subject or issuer of a certificate.
const SUBJECT: usize = 300;
/// Characters of the text of a failure, or of a note.
const TEXT: usize = 500;

/// At most so many characters, on one line. What cannot be shown is replaced.
fn clean(text: &str, most: usize) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || turns_direction(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().take(most).map(shown).collect()
}

/// Why something failed, or what a part says of itself.
pub fn sentence(text: &str) -> String {
    clean(text, TEXT)
}

/// A name in a certificate.
pub fn host_name(text: &str) -> String {
    clean(text, NAME)
}

/// Subject or issuer of a certificate.
pub fn subject(text: &str) -> String {
    clean(text, SUBJECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_refuses_and_what_misleads_is_replaced_and_long_texts_are_cut() {
        assert_eq!(sentence("a\0b\u{1b}[31m\u{202e}c\nd"), "a\u{fffd}b\u{fffd}[31m\u{fffd}c d");
        assert_eq!(sentence("жук"), "жук");
        assert_eq!(host_name(&"ж".repeat(1000)).chars().count(), NAME);
        assert_eq!(subject(&"x".repeat(1000)).len(), SUBJECT);
        assert_eq!(sentence(&"x".repeat(1000)).len(), TEXT);
    }
}
