//! Error messages for invalid settings, in the terms of the person who writes them, never with a secret in them.

use std::path::Path;

/// A TOML syntax error. The parser's own message quotes the line, which may contain a password.
pub(super) fn of_syntax(file: &Path, text: &str, error: &toml::de::Error) -> String {
    let what = error.message().lines().next().unwrap_or("it is not TOML");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return what.to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(
        "line {line}, column {column}: {what} (see {}; the line is not shown, it may hold a secret)",
        file.display()
    )
}

/// A deserialisation error of the setting at `path`.
pub(super) fn of_value(path: &[String], message: &str) -> String {
    // The following lines repeat the setting's name.
    let message = message.lines().next().unwrap_or_default();
    if message == "invalid socket address syntax" {
        return "expected an address with a port, such as 127.0.0.1:8080".to_owned();
    }
    let (found, expected) = match message.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => (found, expected),
        // An unknown enum value would be quoted too.
        _ if is_secret(path) && message.starts_with("unknown variant") => return "is not understood".to_owned(),
        _ => return message.to_owned(),
    };
    let is_number = matches!(expected, "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize");
    let expected = match (is_number, unit(path)) {
        (true, Some(unit)) => format!("a whole number of {unit}, written without a unit"),
        (true, None) => "a whole number".to_owned(),
        (false, _) if expected == "a boolean" => "true or false".to_owned(),
        (false, _) => expected.to_owned(),
    };
    if is_secret(path) { format!("expected {expected}") } else { format!("{found}, expected {expected}") }
}

/// Unit of a setting, from the end of its name.
fn unit(path: &[String]) -> Option<&'static str> {
    let name = path.iter().rev().find(|part| part.parse::<usize>().is_err())?;
    let units = [
        ("bytes", "bytes"),
        ("mib", "MiB (1024 x 1024 bytes)"),
        ("milliseconds", "milliseconds"),
        ("ms", "milliseconds"),
        ("seconds", "seconds"),
        ("minutes", "minutes"),
        ("hours", "hours"),
        ("days", "days"),
    ];
    units.iter().find(|(end, _)| name.split('_').any(|word| word == *end)).map(|(_, unit)| *unit)
}

/// Whether the value at `path` is or may contain a secret, like the password in a database URL.
fn is_secret(path: &[String]) -> bool {
    let words = ["password", "passphrase", "secret", "token", "key", "url"];
    path.iter().any(|part| {
        let parts: Vec<&str> = part.split('_').collect();
        // `url_file` and similar settings name a file.
        parts.last() != Some(&"file") && parts.iter().any(|part| words.contains(part))
    })
}
