//! Fields of forms.

use chrono::{DateTime, NaiveDateTime, Utc};

/// Whether a box was ticked.
pub(super) fn is_on(field: &str) -> bool {
    !field.is_empty()
}

/// An `<input type="datetime-local">`, in UTC; `None`: empty. Err: it cannot be read.
pub(super) fn time(field: &str) -> Result<Option<DateTime<Utc>>, ()> {
    let field = field.trim();
    if field.is_empty() {
        return Ok(None);
    }
    let read = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let found = read.iter().find_map(|form| NaiveDateTime::parse_from_str(field, form).ok());
    found.map(|time| Some(time.and_utc())).ok_or(())
}

/// A whole number; `None`: empty. Err: it is none.
pub(super) fn number<T: std::str::FromStr>(field: &str) -> Result<Option<T>, ()> {
    let field = field.trim();
    if field.is_empty() { Ok(None) } else { field.parse().map(Some).map_err(|_| ()) }
}

/// `name=value` lines, as metadata and tags are written; Err with the line that is none.
pub(super) fn pairs(field: &str) -> Result<std::collections::BTreeMap<String, String>, String> {
    let lines = field.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once('=').ok_or_else(|| line.to_owned())?;
            let name = name.trim();
            if name.is_empty() { Err(line.to_owned()) } else { Ok((name.to_owned(), value.trim().to_owned())) }
        })
        .collect()
}

/// As [`pairs`] reads them.
pub(super) fn lines(pairs: &std::collections::BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat()
}

/// Words between commas or white space.
pub(super) fn words(field: &str) -> Vec<String> {
    let words = field.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_refused() {
        assert_eq!(time(""), Ok(None));
        assert_eq!(time("2026-11-30T12:05").unwrap().unwrap().to_rfc3339(), "2026-11-30T12:05:00+00:00");
        assert_eq!(time("tomorrow"), Err(()));
        assert_eq!((number::<i64>(" "), number("12"), number::<i64>("1.5")), (Ok(None), Ok(Some(12_i64)), Err(())));
        let read = pairs("a=1\n\n b = x=y \r\n").unwrap();
        assert_eq!(lines(&read), "a=1\nb=x=y\n");
        assert_eq!((pairs("a"), pairs("=1")), (Err("a".to_owned()), Err("=1".to_owned())));
        assert_eq!(words("image/*, text/plain\napplication/pdf"), ["image/*", "text/plain", "application/pdf"]);
    }
}
