//! Integers beyond 64 bits (a seed, an id in metadata): as JSON values they would become floats and lose digits. They
//! are carried as strings with a marker, and written out unchanged.

use std::borrow::Cow;

/// Precedes the digits: a noncharacter, which no text contains.
const MARK: char = '\u{fdd1}';
/// Shorter numbers fit into 64 bits.
const LONG: usize = 19;

/// Marks the numbers that would lose digits.
pub(crate) fn kept(json: &str) -> Cow<'_, str> {
    let is_long = |run: &[u8]| run.len() >= LONG && run.iter().all(u8::is_ascii_digit);
    if json.contains(MARK) || json.contains("\\ufdd1") || json.contains("\\uFDD1") {
        // Text that contains the marker is left alone.
        return Cow::Borrowed(json);
    }
    if !json.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).any(is_long) {
        return Cow::Borrowed(json);
    }
    let (bytes, mut at, mut done, mut out) = (json.as_bytes(), 0, 0, String::new());
    while at < bytes.len() {
        let begin = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                at += 1;
                while bytes.get(at).is_some_and(|b| b.is_ascii_digit() || b"+-.eE".contains(b)) {
                    at += 1;
                }
                let number = &json[begin..at];
                let whole = number.bytes().skip(usize::from(number.starts_with('-'))).all(|b| b.is_ascii_digit());
                if whole && number.len() >= LONG && number.parse::<u64>().is_err() && number.parse::<i64>().is_err() {
                    out.push_str(&json[done..begin]);
                    out.extend(['"', MARK]);
                    out.push_str(number);
                    out.push('"');
                    done = at;
                }
            }
            _ => at += 1,
        }
    }
    if done == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[done..]);
    Cow::Owned(out)
}

/// Restores the numbers.
pub(super) fn written(json: String) -> String {
    if !json.contains(MARK) {
        return json;
    }
    let (mut out, mut rest) = (String::with_capacity(json.len()), json.as_str());
    while let Some(found) = rest.find(MARK) {
        let (before, after) = (&rest[..found], &rest[found + MARK.len_utf8()..]);
        let length = after.bytes().take_while(|b| b.is_ascii_digit() || *b == b'-').count();
        match before.strip_suffix('"') {
            Some(before) if length >= LONG && after[length..].starts_with('"') => {
                out.push_str(before);
                out.push_str(&after[..length]);
                rest = &after[length + 1..];
            }
            _ => {
                out.push_str(before);
                out.push(MARK);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn whole_numbers_beyond_64_bits_are_written_as_they_came() {
        for json in [
            r#"{"seed":18446744073709551616}"#,
            r#"{"a":[-9223372036854775809,123456789012345678901234567890],"b":{"c":99999999999999999999}}"#,
            r#"{"u":18446744073709551615,"i":-9223372036854775808,"text":"18446744073709551616 \" 18446744073709551616"}"#,
        ] {
            let value: Value = serde_json::from_str(&kept(json)).unwrap();
            assert_eq!(written(value.to_string()), json);
        }
    }

    #[test]
    fn what_needs_nothing_is_not_touched() {
        for json in
            [r#"{"a":1.00000000000000000000001,"b":1e30,"c":"12345678901234567890"}"#, "{}", "\"", "-", "{\"a\\"]
        {
            assert!(matches!(kept(json), Cow::Borrowed(_)), "{json}");
        }
        let marked = "{\"a\":\"\u{fdd1}x\",\"b\":18446744073709551616}";
        assert!(matches!(kept(marked), Cow::Borrowed(_)));
        assert_eq!(written(marked.to_owned()), marked);
    }
}
