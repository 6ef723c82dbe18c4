//! Lone UTF-16 surrogates: a server that cuts its text by UTF-16 units writes one surrogate of an emoji into one chunk
//! and the other into the next, as `\ud83d` and `\ude00`. JSON allows that, but no Rust string can hold them.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

/// Precedes a surrogate (as four hex digits) until its pair is known: a noncharacter, which no text contains.
const MARK: char = '\u{fdd0}';

/// High surrogates waiting for the next chunk, by the JSON path of their text (`/choices/0/delta/content`).
#[derive(Debug, Default)]
pub(super) struct Surrogates(BTreeMap<String, u16>);

impl Surrogates {
    /// The chunk with its surrogates joined: a high surrogate at the end of a text waits, a low one at the beginning
    /// completes the waiting one, and any other becomes U+FFFD.
    pub(super) fn join<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() && !has_lone_surrogate(text) {
            return Cow::Borrowed(text);
        }
        let Ok(mut value) = serde_json::from_str::<Value>(&marked(text)) else {
            return Cow::Owned(without_lone_surrogates(text));
        };
        // Nothing follows after a choice that ends, or a chunk without choices.
        self.walk(&mut value, &mut String::new(), true);
        self.close_ended(&mut value);
        Cow::Owned(value.to_string())
    }

    /// Whether none is waiting.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn walk(&mut self, value: &mut Value, place: &mut String, last: bool) {
        match value {
            Value::String(text) => {
                if let Some(joined) = self.text(text, place, last) {
                    *text = joined;
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    // Items of a list (choices, tool calls) carry their own index.
                    let at = item.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
                    self.below(item, place, &at.to_string(), last);
                }
            }
            Value::Object(object) => object.iter_mut().for_each(|(key, item)| self.below(item, place, key, last)),
            _ => {}
        }
    }

    fn below(&mut self, item: &mut Value, place: &mut String, step: &str, last: bool) {
        let length = place.len();
        place.push('/');
        place.push_str(step);
        self.walk(item, place, last);
        place.truncate(length);
    }

    /// The text after joining; `None`: unchanged.
    fn text(&mut self, text: &str, place: &str, last: bool) -> Option<String> {
        let waiting = if text.is_empty() { None } else { self.0.remove(place) };
        if waiting.is_none() && !text.contains(MARK) {
            return None;
        }
        let mut out = String::with_capacity(text.len() + 4);
        let mut first = waiting;
        let mut rest = text;
        while !rest.is_empty() {
            let half =
                rest.strip_prefix(MARK).and_then(|r| Some((u16::from_str_radix(r.get(..4)?, 16).ok()?, &r[4..])));
            match (half, first.take()) {
                (Some((low, after)), Some(high)) if is_low(low) => {
                    out.push(whole(high, low));
                    rest = after;
                }
                (Some((unit, after)), before) => {
                    out.extend(before.map(|_| char::REPLACEMENT_CHARACTER));
                    if is_low(unit) {
                        out.push(char::REPLACEMENT_CHARACTER);
                    } else {
                        first = Some(unit);
                    }
                    rest = after;
                }
                (None, before) => {
                    out.extend(before.map(|_| char::REPLACEMENT_CHARACTER));
                    let c = rest.chars().next()?;
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        if let Some(high) = first {
            if last {
                self.0.insert(place.to_owned(), high);
            } else {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Some(out)
    }

    /// A surrogate waiting in a choice that has ended becomes U+FFFD.
    fn close_ended(&mut self, value: &mut Value) {
        for (at, choice) in value.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
            if choice.get("finish_reason").is_none_or(Value::is_null) {
                continue;
            }
            let at = choice.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
            let begin = format!("/choices/{at}/delta/");
            let waiting: Vec<String> = self.0.keys().filter(|place| place.starts_with(&begin)).cloned().collect();
            for place in waiting {
                self.0.remove(&place);
                let field = &place[begin.len()..];
                if !field.contains('/')
                    && let Some(delta) = choice.get_mut("delta").and_then(Value::as_object_mut)
                {
                    let text = delta.get(field).and_then(Value::as_str).unwrap_or_default();
                    let text = format!("{text}{}", char::REPLACEMENT_CHARACTER);
                    delta.insert(field.to_owned(), Value::String(text));
                }
            }
        }
    }
}

/// For a JSON text on its own: lone surrogates become U+FFFD.
pub(crate) fn without_lone_surrogates(text: &str) -> String {
    replaced(text, |_| "\\ufffd".to_owned())
}

/// Whether the text has a lone surrogate.
pub(crate) fn has_lone_surrogate(text: &str) -> bool {
    text.contains("\\u") && lone(text).next().is_some()
}

fn marked(text: &str) -> String {
    if text.contains(MARK) || text.contains("\\ufdd0") || text.contains("\\uFDD0") {
        return without_lone_surrogates(text);
    }
    replaced(text, |unit| format!("{MARK}{unit:04x}"))
}

fn replaced(text: &str, with: impl Fn(u16) -> String) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (at, unit) in lone(text) {
        out.push_str(&text[done..at]);
        out.push_str(&with(unit));
        done = at + 6;
    }
    out.push_str(&text[done..]);
    out
}

/// The positions of `\uXXXX` that are lone surrogates.
fn lone(text: &str) -> impl Iterator<Item = (usize, u16)> + '_ {
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\\')) {
            at += found;
            match unit(at) {
                Some(high) if is_high(high) && unit(at + 6).is_some_and(is_low) => at += 12,
                Some(half) if is_high(half) || is_low(half) => {
                    at += 6;
                    return Some((at - 6, half));
                }
                Some(_) => at += 6,
                // An escaped backslash does not start another escape.
                None => at += 2,
            }
        }
        None
    })
}

fn is_high(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

fn is_low(unit: u16) -> bool {
    (0xdc00..0xe000).contains(&unit)
}

fn whole(high: u16, low: u16) -> char {
    char::decode_utf16([high, low]).next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(texts: &[&str]) -> Vec<String> {
        let mut surrogates = Surrogates::default();
        let chunk = |text: &&str| {
            let joined = surrogates.join(text).into_owned();
            let value: Value = serde_json::from_str(&joined).unwrap_or_else(|e| panic!("{joined}: {e}"));
            value["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
        };
        texts.iter().map(chunk).collect()
    }

    fn delta(text: &str) -> String {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#)
    }

    #[test]
    fn halves_of_a_character_meet() {
        let said = |texts: &[&str]| {
            let chunks: Vec<String> = texts.iter().map(|t| delta(t)).collect();
            content(&chunks.iter().map(String::as_str).collect::<Vec<_>>())
        };
        assert_eq!(said(&[r"a\ud83d", r"\ude00b"]), ["a", "😀b"]);
        assert_eq!(said(&[r"\ud83d", "", r"\ude00"]), ["", "", "😀"], "an empty piece is nothing between them");
        assert_eq!(said(&[r"a\ud83d", "b"]), ["a", "\u{fffd}b"]);
        assert_eq!(said(&[r"a\ud83d", r"\ud83d", r"\ude00"]), ["a", "\u{fffd}", "😀"]);
        assert_eq!(said(&[r"\ude00 and \ud83d in it"]), ["\u{fffd} and \u{fffd} in it"]);
        assert_eq!(said(&[r"\ud83d\ude00", r"\\ud83d", r"\u0041"]), ["😀", r"\ud83d", "A"]);
    }

    #[test]
    fn what_waits_at_the_end_cannot_be_shown() {
        let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        assert_eq!(content(&[&delta(r"a\ud83d"), end]), ["a", "\u{fffd}"]);
    }

    #[test]
    fn choices_and_fields_are_kept_apart_and_other_chunks_untouched() {
        let mut surrogates = Surrogates::default();
        let two = r#"{"choices":[{"index":1,"delta":{"content":"\ud83d","reasoning_content":"\ud83d"}},{"index":0,"delta":{"content":"x"}}]}"#;
        surrogates.join(two);
        let next: Value = serde_json::from_str(&surrogates.join(
            r#"{"choices":[{"index":0,"delta":{"content":"y"}},{"index":1,"delta":{"content":"\ude00","reasoning_content":"\ude01"}}]}"#,
        ))
        .unwrap();
        assert_eq!(next["choices"][0]["delta"]["content"], "y");
        assert_eq!(next["choices"][1]["delta"]["content"], "😀");
        assert_eq!(next["choices"][1]["delta"]["reasoning_content"], "😁");
        assert!(surrogates.is_empty());
        let plain = delta(r"caf\u00e9 \ud83d\ude00");
        assert!(matches!(surrogates.join(&plain), Cow::Borrowed(_)));
    }

    #[test]
    fn a_whole_text_is_mended() {
        assert_eq!(without_lone_surrogates(r#"{"a":"x\ud800y"}"#), r#"{"a":"x\ufffdy"}"#);
        assert!(!has_lone_surrogate(r#"{"a":"\ud83d\ude00 \\ud800"}"#) && has_lone_surrogate(r#"{"a":"\uDC00"}"#));
        assert!(!has_lone_surrogate(r"\") && !has_lone_surrogate(r"\u") && !has_lone_surrogate(r"\ud8"));
    }
}
