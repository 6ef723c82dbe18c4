//! A line for a person at a terminal: time, level, message, `name=value`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Formats a line; `colour` adds the terminal's codes.
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
    // Date and zone are known to who sits there.
    let time = text("timestamp").get(11..23).unwrap_or_default();
    let mut line = format!("{} {} {}", paint("2", time), paint(code, &format!("{level:>5}")), text("message"));
    for (name, value) in rest(&fields) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(line, " {}{}", paint("2", &format!("{name}=")), value.escape_debug());
    }
    line
}

/// What is neither said before nor of use at a terminal.
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
    }
}
