//! Front matter: YAML between `---`, or TOML between `+++`.
//!
//! Elsewhere in a file such lines are rules, for example between slides or changelog entries.

/// The front matter of a file, and where the text after it starts.
pub(super) struct FrontMatter<'a> {
    /// The lines between the delimiters.
    pub(super) lines: &'a str,
    pub(super) title: Option<String>,
    /// Byte offset of the text after it.
    pub(super) end: usize,
}

pub(super) fn find(text: &str) -> Option<FrontMatter<'_>> {
    let (first, rest) = text.split_once('\n')?;
    let mark = first.trim_end();
    if mark != "---" && mark != "+++" {
        return None;
    }
    let start = text.len() - rest.len();
    let mut at = start;
    for line in rest.split_inclusive('\n') {
        let closes = line.trim_end() == mark || (mark == "---" && line.trim_end() == "...");
        if closes {
            let lines = &text[start..at];
            let separator = if mark == "---" { ':' } else { '=' };
            return has_keys(lines, separator).then(|| FrontMatter {
                lines,
                title: title(lines, separator),
                end: at + line.len(),
            });
        }
        at += line.len();
    }
    None
}

/// The first line that is not a comment has a key; every other unindented line has a key or is a list item.
fn has_keys(lines: &str, separator: char) -> bool {
    let mut any = false;
    for line in lines.lines().map(str::trim_end) {
        if line.is_empty() {
            // A rule followed by an empty line: this is text.
            if !any {
                return false;
            }
        } else if key(line, separator).is_some() {
            any = true;
        } else if line.starts_with('#') || (any && line.starts_with([' ', '\t', '-', '[', ']', '}', '"', '\''])) {
        } else {
            return false;
        }
    }
    any
}

/// `key: value` or `key = value` at the start of a line.
fn key(line: &str, separator: char) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(separator)?;
    let key = key.trim_end();
    let name = key.trim_matches(['"', '\'']);
    let is_name = !name.is_empty()
        && name.chars().count() <= 60
        && name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '/' | ':'));
    // YAML requires a space after the colon: `http://example.org` is not a key.
    let parted = separator != ':' || value.is_empty() || value.starts_with([' ', '\t']);
    (is_name && parted).then(|| (name, value.trim()))
}

fn title(lines: &str, separator: char) -> Option<String> {
    let mut lines = lines.lines();
    let value = loop {
        match key(lines.next()?, separator) {
            Some((name, value)) if name.eq_ignore_ascii_case("title") => break value,
            _ => {}
        }
    };
    let folded = matches!(value, "" | ">" | "|" | ">-" | "|-" | ">+" | "|+");
    if folded {
        let more = lines.take_while(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty()).map(str::trim);
        return Some(more.collect::<Vec<_>>().join(" "));
    }
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        // Strip a comment after the value.
        return Some(value.split(" #").next().unwrap_or(value).trim().to_owned());
    };
    let inner = &value[1..];
    let end = inner
        .char_indices()
        .find(|(at, c)| *c == quote && !inner[..*at].ends_with('\\'))
        .map_or(inner.len(), |(at, _)| at);
    Some(inner[..end].replace("\\\"", "\""))
}
