//! The text of a body: by its byte order mark, by the `charset` of its head, or by what it says of itself. Otherwise it is UTF-8, and what is invalid is
//! replaced.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes among which a document says how it is encoded (HTML, "determining the character encoding").
const BEGINNING: usize = 1024;

/// `content_type`: as the head has it. The text has no byte order mark.
pub fn text<'b>(body: &'b [u8], content_type: Option<&str>) -> Cow<'b, str> {
    let said = content_type.and_then(of_head).or_else(|| of_document(body));
    // A byte order mark is stronger.
    said.unwrap_or(UTF_8).decode(body).0
}

fn of_head(content_type: &str) -> Option<&'static Encoding> {
    let parameters = content_type.split([';', ',']).skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut of_charset = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let (_, label) = of_charset.next()?;
    Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
}

/// `<meta charset="..">`, `<meta http-equiv=.. content="..; charset=..">`, `<?xml .. encoding=".."?>`
fn of_document(body: &[u8]) -> Option<&'static Encoding> {
    let beginning = body.get(..BEGINNING).unwrap_or(body);
    let beginning = String::from_utf8_lossy(beginning).to_ascii_lowercase();
    let beginning = beginning.trim_start();
    let said = if beginning.starts_with("<?xml") {
        let (declaration, _) = beginning.split_once("?>")?;
        value(declaration, "encoding")
    } else if beginning.starts_with('<') {
        beginning.split("<meta").skip(1).find_map(|tag| value(tag.split('>').next()?, "charset"))
    } else {
        None
    };
    let found = Encoding::for_label(said?.as_bytes())?;
    // It could be read, so it is none of these.
    Some(if found == UTF_16LE || found == UTF_16BE { UTF_8 } else { found })
}

/// What stands behind `name=`, with quotes or without.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(name)?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    rest.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '?')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// «Жук» in windows-1251.
    const BEETLE: &[u8] = b"\xc6\xf3\xea";

    #[test]
    fn a_text_is_read_as_it_is_encoded() {
        let of = |before: &str| [before.as_bytes(), BEETLE].concat();
        for (body, content_type) in [
            (of(""), Some("text/html; charset=windows-1251")),
            (of(""), Some("text/html;x=y; Charset=\"CP1251\"")),
            (of("<html><meta charset=windows-1251>"), Some("text/html")),
            (of("\n<!doctype html><meta http-equiv='x' content=\"text/html; charset=windows-1251\">"), None),
            (of("<?xml version=\"1.0\" encoding='windows-1251'?>"), Some("application/xml")),
            (b"\xff\xfe\x16\x04\x43\x04\x3a\x04".to_vec(), Some("text/plain; charset=utf-8")),
            (b"\x04\x16\x04\x43\x04\x3a".to_vec(), Some("text/plain; charset=utf-16be")),
            ("<meta charset=utf-16>Жук".as_bytes().to_vec(), None),
            ("Жук".as_bytes().to_vec(), Some("text/plain; charset=nonsense")),
        ] {
            let read = text(&body, content_type);
            assert!(read.ends_with("Жук"), "{read:?} {content_type:?}");
        }
        assert_eq!(text(b"\x83e\x83X\x83g", Some("text/plain; charset=Shift_JIS")), "テスト");
        assert_eq!(text(b"\xef\xbb\xbf{}", Some("application/json")), "{}", "no byte order mark");
        assert_eq!(
            text(b"a\xc6b <meta charset=windows-1251>", None),
            "a\u{fffd}b <meta charset=windows-1251>",
            "no document"
        );
    }
}
