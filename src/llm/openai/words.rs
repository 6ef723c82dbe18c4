//! Extracts the message from a model server's error, in its many formats.

use serde_json::Value;

/// Longest message, characters.
const MAX_WORDS: usize = 1000;
/// Longest message from a page or plain text, characters: these are rarely about the request.
const MAX_PLAIN: usize = 300;
/// Maximum nesting of errors in errors.
const MAX_DEPTH: usize = 6;

/// A server's error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorText {
    /// The message; empty if there is none.
    pub words: String,
    /// `context_length_exceeded`; numeric status codes do not count.
    pub code: Option<String>,
    /// `messages[0].content`
    pub param: Option<String>,
    /// `invalid_request_error`
    pub kind: Option<String>,
    /// A status in the body.
    pub status: Option<u16>,
    /// Whether it was JSON.
    pub structured: bool,
}

/// Reads the body of an error: OpenAI's object, `detail` of `FastAPI`, lists, errors in errors (`OpenRouter`'s
/// `metadata.raw`), plain text, a page.
pub(super) fn read(body: &str) -> ErrorText {
    let body = body.trim_start_matches('\u{feff}').trim();
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return ErrorText { words: shorten(&plain(body), MAX_PLAIN), ..ErrorText::default() };
    };
    let mut said = ErrorText { structured: true, ..ErrorText::default() };
    let mut sentences = Vec::new();
    said.gather(&value, 0, &mut sentences);
    said.words = shorten(&sentences.join("; "), MAX_WORDS);
    said
}

impl ErrorText {
    /// Collects sentences, and the first code, parameter and type on the way.
    fn gather(&mut self, value: &Value, depth: usize, sentences: &mut Vec<String>) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::String(text) => self.gather_text(text, depth, sentences),
            Value::Array(list) => list.iter().for_each(|item| self.gather(item, depth + 1, sentences)),
            Value::Object(object) => {
                if let Some(sentence) = self.validation(object) {
                    return push(sentences, sentence);
                }
                self.name(object);
                for key in
                    ["error", "errors", "message", "detail", "error_description", "msg", "error_msg", "reason", "title"]
                {
                    if let Some(inner) = object.get(key) {
                        self.gather(inner, depth + 1, sentences);
                    }
                }
                if let Some(more) = object.get("metadata").filter(|m| m.is_object()) {
                    for key in ["raw", "reasons", "message"] {
                        self.gather(&more[key], depth + 1, sentences);
                    }
                }
            }
            _ => {}
        }
    }

    /// Parses a text that is itself JSON: gateways wrap another server's answer into their message.
    fn gather_text(&mut self, text: &str, depth: usize, sentences: &mut Vec<String>) {
        let inner = text.trim();
        if inner.starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str::<Value>(inner)
        {
            let before = sentences.len();
            self.gather(&value, depth + 1, sentences);
            if sentences.len() > before {
                return;
            }
        }
        push(sentences, inner.to_owned());
    }

    /// `{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}`: one entry of `FastAPI`'s list.
    fn validation(&mut self, object: &serde_json::Map<String, Value>) -> Option<String> {
        let place = ["loc", "path"].iter().find_map(|key| object.get(*key)?.as_array())?;
        let words = ["msg", "message", "detail"].iter().find_map(|key| object.get(*key)?.as_str())?;
        let param = place_of(place);
        let sentence = if param.is_empty() { words.to_owned() } else { format!("{param}: {words}") };
        if !param.is_empty() {
            self.param.get_or_insert(param);
        }
        if let Some(kind) = object.get("type").and_then(Value::as_str) {
            self.code.get_or_insert_with(|| kind.to_owned());
        }
        Some(sentence)
    }

    fn name(&mut self, object: &serde_json::Map<String, Value>) {
        let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        match object.get("code").or_else(|| object.get("status_code")) {
            Some(Value::String(code)) => match code.parse::<u16>() {
                Ok(number) => self.see_status(number),
                Err(_) if !code.is_empty() => drop(self.code.get_or_insert_with(|| code.clone())),
                Err(_) => {}
            },
            Some(Value::Number(number)) => {
                if let Some(number) = number.as_u64().and_then(|n| u16::try_from(n).ok()) {
                    self.see_status(number);
                }
            }
            _ => {}
        }
        if let Some(param) = text("param") {
            self.param.get_or_insert(param);
        }
        if let Some(kind) = text("type").or_else(|| text("error_type")).filter(|kind| kind != "error") {
            self.kind.get_or_insert(kind);
        }
    }

    fn see_status(&mut self, number: u16) {
        if (400..600).contains(&number) {
            self.status.get_or_insert(number);
        }
    }
}

fn push(sentences: &mut Vec<String>, sentence: String) {
    if !sentence.is_empty() && !sentences.iter().any(|known| known.contains(&sentence)) {
        sentences.push(sentence);
    }
}

/// `["body", "messages", 0, "user", "name"]` -> `messages[0].name` (pydantic names the variant of a union in between).
fn place_of(place: &[Value]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut after_index = false;
    for part in place {
        match part {
            Value::Number(index) => {
                let _ = write!(out, "[{index}]");
                after_index = true;
            }
            Value::String(name) if out.is_empty() && name == "body" => {}
            Value::String(name) if after_index && matches!(name.as_str(), "user" | "assistant" | "system" | "tool") => {
            }
            Value::String(name) => {
                out.push_str(if out.is_empty() { "" } else { "." });
                out.push_str(name);
                after_index = false;
            }
            _ => {}
        }
    }
    out
}

/// A page's title, else its text; a plain text in one line.
fn plain(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let from = at + lower[at..].find('>')? + 1;
        let to = from + lower[from..].find("</title")?;
        Some(&text[from..to])
    });
    let mut out = String::new();
    let mut inside = false;
    for c in title.unwrap_or(text).chars() {
        match c {
            '<' if lower.contains("</") || lower.starts_with("<!") => inside = true,
            '>' if inside => {
                inside = false;
                out.push(' ');
            }
            _ if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    if text.chars().count() <= most {
        return text;
    }
    format!("{}...", text.chars().take(most - 3).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> String {
        read(body).words
    }

    #[test]
    fn the_reason_is_found_in_every_shape() {
        for (body, expected) in [
            (r#"{"error":{"message":"no","type":"t","param":"p","code":"c"}}"#, "no"),
            (
                r#"{"error":"model \"x\" not found, try pulling it first"}"#,
                "model \"x\" not found, try pulling it first",
            ),
            (r#"{"detail":"Not enough credits"}"#, "Not enough credits"),
            (
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{}}]}"#,
                "stream_options: Extra inputs are not permitted",
            ),
            (
                r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"user","name"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","code":null}"#,
                "messages[0].name: Extra inputs are not permitted",
            ),
            (r#"{"detail":{"error":"quota","message":"none left"}}"#, "quota; none left"),
            (r#"{"errors":[{"message":"first"},{"message":"second"}]}"#, "first; second"),
            (r#"{"errors":["first","second"]}"#, "first; second"),
            (r#"[{"error":{"code":400,"message":"API key expired","status":"INVALID_ARGUMENT"}}]"#, "API key expired"),
            (
                r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}","provider_name":"X"}}}"#,
                "Provider returned error; too long",
            ),
            (r#"{"message":"{\"error\":{\"message\":\"inner\"}}"}"#, "inner"),
            ("upstream connect error", "upstream connect error"),
            ("<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>", "502 Bad Gateway"),
            ("<!DOCTYPE html><p>One <b>moment</b></p>", "One moment"),
            ("a < b", "a < b"),
            ("{}", ""),
            ("null", ""),
        ] {
            assert_eq!(words(body), expected, "{body}");
        }
        assert!(words(&"long ".repeat(1000)).len() < 310);
    }

    #[test]
    fn names_and_status_are_kept() {
        let said = read(
            r#"{"error":{"message":"m","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
        );
        assert_eq!(
            (said.code.as_deref(), said.param.as_deref(), said.kind.as_deref(), said.status),
            (Some("unsupported_parameter"), Some("max_tokens"), Some("invalid_request_error"), None)
        );
        let said = read(r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#);
        assert_eq!((said.code, said.status), (None, Some(400)));
        let nested = read(
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}"}}}"#,
        );
        assert_eq!((nested.code.as_deref(), nested.status), (Some("context_length_exceeded"), Some(400)));
        let list =
            read(r#"{"detail":[{"type":"missing","loc":["body","messages",2,"content"],"msg":"Field required"}]}"#);
        assert_eq!(list.param.as_deref(), Some("messages[2].content"));
    }

    #[test]
    fn any_body_is_read() {
        let deep = format!("{}1{}", "{\"error\":".repeat(60), "}".repeat(60));
        assert_eq!(words(&deep), "");
        words(&format!("<title{}", "x".repeat(5000)));
    }
}
