//! `Content-Disposition`: the file name of a download, and of a part of `multipart/form-data` in the encodings that real clients use.
//!
//! Browsers send UTF-8 with `"` and line ends percent-encoded (WHATWG HTML, "multipart form data"); curl also writes `\"`; .NET and
//! PowerShell send an RFC 2047 encoded word plus a correct `filename*` (RFC 5987); others send `filename*` alone.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, header::CONTENT_DISPOSITION};
use encoding_rs::Encoding;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// `attachment` or `inline` with an ASCII file name for old clients and the full one (RFC 6266, RFC 8187).
pub fn disposition(kind: &'static str, filename: &str) -> HeaderValue {
    let plain: String = filename
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    let mut value = format!("{kind}; filename=\"{plain}\"");
    // Writing to a String cannot fail.
    let _ = write!(value, "; filename*=UTF-8''{}", utf8_percent_encode(filename, NON_ALPHANUMERIC));
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(kind))
}

/// File name; `None` if the part is not a file or its name is empty (no file chosen).
pub fn file_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?;
    // RFC 7578 asks for UTF-8; very old clients send Latin-1.
    let text = std::str::from_utf8(value.as_bytes())
        .map_or_else(|_| encoding_rs::WINDOWS_1252.decode(value.as_bytes()).0.into_owned(), str::to_owned);
    let (mut plain, mut extended) = (None, None);
    for (name, value) in parameters(&text) {
        match name.to_ascii_lowercase().as_str() {
            "filename*" => extended = extended.or_else(|| decode_extended(&value)),
            "filename" => plain = plain.or(Some(value)),
            _ => {}
        }
    }
    extended.or_else(|| plain.map(|plain| decode_plain(&plain))).filter(|name| !name.is_empty())
}

/// Parameters after `form-data`, unquoted.
fn parameters(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                after.split_once(';').map_or((after.trim().to_owned(), ""), |(v, next)| (v.trim().to_owned(), next))
            }
        };
        found.push((name.trim().trim_start_matches(';').trim(), value));
        rest = next;
    }
    found
}

/// Text up to the closing quote, and the remainder. A backslash escapes only a quote: Internet Explorer sent whole Windows paths.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' if chars.peek().is_some_and(|(_, next)| matches!(next, '"' | '\\')) => {
                value.extend(chars.next().map(|(_, next)| next));
            }
            _ => value.push(c),
        }
    }
    (value, "")
}

/// `charset'language'percent-encoded`
fn decode_extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    let (text, _, malformed) = Encoding::for_label(charset.as_bytes())?.decode(&bytes);
    (!malformed).then(|| text.into_owned())
}

fn decode_plain(value: &str) -> String {
    if value.starts_with("=?")
        && value.ends_with("?=")
        && let Ok((header, _)) = mailparse::parse_header(format!("X: {value}").as_bytes())
    {
        return header.get_value();
    }
    value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_programs_write_them() {
        for (header, expected) in [
            (r#"form-data; name="file"; filename="plain.pdf""#, Some("plain.pdf")),
            (
                r#"form-data; name=file; filename="=?utf-8?B?0J7RgtGH0ZHRgi5wZGY=?="; filename*=utf-8''%D0%9E%D1%82%D1%87%D1%91%D1%82.pdf"#,
                Some("Отчёт.pdf"),
            ),
            (r#"form-data; name=file; filename="=?utf-8?B?0J7RgtGH0ZHRgi5wZGY=?=""#, Some("Отчёт.pdf")),
            (r#"form-data; name=file; filename="=?utf-8?B?0J7RgtGH?= =?utf-8?B?0ZHRgi5wZGY=?=""#, Some("Отчёт.pdf")),
            ("form-data; name=file; filename==?utf-8?B?0J7RgtGH0ZHRgi5wZGY=?=", Some("Отчёт.pdf")),
            (r#"form-data; name="file"; filename="=?utf-8?Q?a_b.pdf?=""#, Some("a b.pdf")),
            ("form-data; name=file; filename*=UTF-8''%D0%9E%D1%82.pdf", Some("От.pdf")),
            ("form-data; name=file; filename*=iso-8859-1'en'caf%E9.pdf", Some("café.pdf")),
            ("form-data; name=file; filename*=nonsense; filename=b.pdf", Some("b.pdf")),
            (r#"form-data; name="file"; filename="a%22b;c.pdf""#, Some("a\"b;c.pdf")),
            (r#"form-data; name="file"; filename="a\"b.pdf""#, Some("a\"b.pdf")),
            (r#"form-data; name="file"; filename="C:\Users\me\a.pdf""#, Some(r"C:\Users\me\a.pdf")),
            (r#"form-data; name="file"; filename="100%.pdf""#, Some("100%.pdf")),
            ("form-data; name=\"file\"; filename=\"Отчёт.pdf\"", Some("Отчёт.pdf")),
            ("form-data; name=file; filename=bare.pdf", Some("bare.pdf")),
            (r#"form-data; name="a; filename=evil"; FileName="x.pdf""#, Some("x.pdf")),
            (r#"form-data; name="file"; filename="""#, None),
            (r#"form-data; name="file""#, None),
            ("form-data", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_DISPOSITION, axum::http::HeaderValue::from_bytes(header.as_bytes()).unwrap());
            assert_eq!(file_name(&headers).as_deref(), expected, "{header}");
        }
    }
}
