//! Texts that fit. Cut before they are escaped, so that no sign of an escape is lost, and at whole characters.

/// So many characters at most, the last one a sign that something is missing.
pub fn cut(text: &str, most: usize) -> String {
    cut_by(text, most, |_| 1)
}

/// In UTF-16 units, as Telegram counts.
pub fn cut_utf16(text: &str, most: usize) -> String {
    cut_by(text, most, char::len_utf16)
}

/// In bytes.
pub fn cut_bytes(text: &str, most: usize) -> String {
    cut_by(text, most, char::len_utf8)
}

fn cut_by(text: &str, most: usize, size: impl Fn(char) -> usize) -> String {
    if text.chars().map(&size).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(size('…'));
    let mut short: String = text
        .chars()
        .take_while(|c| {
            let fits = size(*c) <= left;
            left = left.saturating_sub(size(*c));
            fits
        })
        .collect();
    if most >= size('…') {
        short.push('…');
    }
    short
}

pub fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A line, whatever the name had.
pub fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The three signs that HTML and Slack's mrkdwn have.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Markdown as Mattermost, Discord and Teams read it: each sign that could mean something stands for itself.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '!' | '|' | '>' | '<' | '~'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
        if c == '@' {
            // Nobody is called by the name of a monitor.
            escaped.push('\u{200b}');
        }
    }
    escaped
}
