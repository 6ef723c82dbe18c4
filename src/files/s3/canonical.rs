//! The canonical form of a request, of which its signature is made (`SigV4`).
//!
//! Everything is taken as it came: the path is decoded and encoded again by Amazon's rules, and never made shorter; `//` and `..` are parts of keys.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::errors::{INVALID_ARGUMENT, INVALID_URI, S3Error};

/// All but `A-Z a-z 0-9 - _ . ~`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// As [`QUERY`], and `/`.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// Percent-encoded, slashes too.
pub(crate) fn encoded(text: &str) -> String {
    percent_encode(text.as_bytes(), QUERY).to_string()
}

/// Percent-encoded, but slashes.
pub(crate) fn encoded_path(text: &str) -> String {
    percent_encode(text.as_bytes(), PATH).to_string()
}

/// The path of a canonical request.
pub(crate) fn path(raw: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(raw).collect();
    percent_encode(&decoded, PATH).to_string()
}

/// A text of a path or a query, decoded once.
pub(crate) fn decoded(raw: &str) -> Result<String, S3Error> {
    let text = percent_decode_str(raw).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| INVALID_URI.with("the address is not UTF-8"))
}

/// The parameters of an address, decoded, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(raw: &str) -> Result<Self, S3Error> {
        let pair = |pair: &str| -> Result<(String, String), S3Error> {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
        };
        raw.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Result<Vec<_>, _>>().map(Self)
    }

    /// The first of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// As [`Self::get`], and an empty one is none.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A number of a parameter, if it is there.
    pub fn number(&self, name: &'static str) -> Result<Option<i64>, S3Error> {
        let parse = |text: &str| {
            let wrong =
                || INVALID_ARGUMENT.with(format!("{name}: expected a number of 0 or more")).about("ArgumentName", name);
            text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or_else(wrong)
        };
        self.filled(name).map(parse).transpose()
    }

    /// The query of a canonical request, without the parameter `without`.
    pub fn canonical(&self, without: &str) -> String {
        let pairs = self.iter().filter(|(name, _)| *name != without);
        let mut pairs: Vec<(String, String)> = pairs.map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort();
        let mut text = String::new();
        for (name, value) in &pairs {
            let join = if text.is_empty() { "" } else { "&" };
            let _ = write!(text, "{join}{name}={value}");
        }
        text
    }

    #[must_use]
    pub fn without(mut self, is_unwanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|(name, _)| !is_unwanted(name));
        self
    }
}

/// The lines of the signed headers. `None`: one of them is not there.
pub(crate) fn headers(map: &HeaderMap, signed: &[String], host: &str) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for name in signed {
        lines.extend_from_slice(name.as_bytes());
        lines.push(b':');
        if name == "host" {
            lines.extend_from_slice(host.as_bytes());
        } else {
            let mut values = map.get_all(name.as_str()).iter().peekable();
            values.peek()?;
            for (n, value) in values.enumerate() {
                if n > 0 {
                    lines.push(b',');
                }
                lines.extend_from_slice(&tidy(value.as_bytes()));
            }
        }
        lines.push(b'\n');
    }
    Some(lines)
}

/// Without white space at its ends, and with one space where there are several.
fn tidy(value: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// A canonical request.
pub(crate) fn request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[u8],
    signed: &[String],
    payload: &str,
) -> Vec<u8> {
    let mut text = format!("{method}\n{path}\n{query}\n").into_bytes();
    text.extend_from_slice(headers);
    text.push(b'\n');
    text.extend_from_slice(signed.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload.as_bytes());
    text
}
