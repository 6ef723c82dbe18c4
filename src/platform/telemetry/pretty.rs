//! A log line for a terminal: time, level, message, `name=value`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Formats a line; `colour` adds ANSI colour codes.
pub fn format(json: &str, colour: bool) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let level = text("level").to_uppercase();
    let code = match level.as_str() {
        "ERROR" => "31",
        "WARN" => "33",
        "INFO" => "32",
        _ => "34",
    };
    // Date and time zone are known to the person at the terminal.
    let time = text("timestamp").get(11..23).unwrap_or_default();
    let mut line = format!("{} {} {}", paint("2", time), paint(code, &format!("{level:>5}")), visible(text("message")));
    for (name, value) in rest(&fields) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(line, " {}{}", paint("2", &format!("{name}=")), value.escape_debug());
    }
    line
}

/// Messages may contain text from strangers: escapes everything that moves the cursor or changes the text direction. Quotation marks stay.
fn visible(text: &str) -> String {
    let moves = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if moves(c) {
            all.extend(c.escape_debug());
        } else {
            all.push(c);
        }
        all
    })
}

/// Fields that are neither shown already nor useful at a terminal.
fn rest(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    const SAID: [&str; 5] = ["timestamp", "level", "target", "message", "trace_id"];
    fields.iter().filter(|(name, value)| !SAID.contains(&name.as_str()) && value.as_str() != Some(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_what_matters() {
        let line = r#"{"timestamp":"2026-11-23T03:20:11.123456Z","level":"warn","target":"holdfast::x","message":"it is late","trace_id":"1f","n":3,"error":"a\nb","code":""}"#;
        assert_eq!(format(line, false), r"03:20:11.123  WARN it is late n=3 error=a\nb");
        assert!(format(line, true).contains("\x1b[33m WARN\x1b[0m"));
        assert_eq!(format("not JSON", false), "not JSON");
        let line = r#"{"timestamp":"2026-11-23T03:20:11.123456Z","level":"info","message":"\"a\" it's \u001b[2Jb\u009b31mc\nERROR d\u202e"}"#;
        assert_eq!(format(line, false), "03:20:11.123  INFO \"a\" it's \\u{1b}[2Jb\\u{9b}31mc\\nERROR d\\u{202e}");
    }
}
