//! Subjects and plain text, as mail programs can show them.

use platform::names::tidy;

/// Longer subjects are cut off: nobody sees more, and some servers refuse long headers.
const LONGEST_SUBJECT: usize = 250;

/// One line without control characters, so that it is one header.
pub fn one_line(text: &str) -> String {
    let line = tidy(text);
    let line = line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_SUBJECT {
        return line;
    }
    let mut cut: String = line.chars().take(LONGEST_SUBJECT - 1).collect();
    cut.push('…');
    cut
}

/// Without the blank lines that conditions leave behind: at most one between two paragraphs, none around the text.
pub fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if blank {
            out.push('\n');
        }
        blank = false;
        out.push_str(line);
        out.push('\n');
    }
    out
}
