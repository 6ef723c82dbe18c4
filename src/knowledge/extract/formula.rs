//! Formulas as one readable line: "(a + b)/c", "x^2", "sqrt(x)", "sum_(i=1)^n". Used for Word's formulas, `MathML`, and
//! superscript and subscript text.

/// Adds brackets unless it is a single number, name or bracketed group.
pub(super) fn group(text: &str) -> String {
    let text = text.trim();
    if is_simple(text) { text.to_owned() } else { format!("({text})") }
}

fn is_simple(text: &str) -> bool {
    let number = |c: char| c.is_alphanumeric() || matches!(c, '.' | ',' | '\'' | '°' | '%' | '∞' | '…');
    text.chars().all(number) || text.chars().count() == 1 || is_bracketed(text)
}

/// Whether the first bracket closes only at the end.
fn is_bracketed(text: &str) -> bool {
    if !(text.starts_with('(') && text.ends_with(')')) {
        return false;
    }
    let mut depth = 0i32;
    text.char_indices().all(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth > 0 || at + c.len_utf8() == text.len()
    })
}

pub(super) fn fraction(above: &str, below: &str) -> String {
    format!("{}/{}", group(above), group(below))
}

/// `base` with a subscript and a superscript; either may be empty.
pub(super) fn scripts(base: &str, below: &str, above: &str) -> String {
    let mut out = base.trim().to_owned();
    for (sign, text) in [('_', below), ('^', above)] {
        if !text.trim().is_empty() {
            out.push(sign);
            out.push_str(&group(text));
        }
    }
    out
}

pub(super) fn root(degree: &str, of: &str) -> String {
    let of = of.trim();
    if degree.trim().is_empty() { format!("sqrt({of})") } else { format!("root({}, {of})", degree.trim()) }
}

/// A matrix, by rows.
pub(super) fn matrix(rows: &[Vec<String>]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.trim()).collect::<Vec<_>>().join(", "))
        .filter(|row| !row.is_empty())
        .collect();
    format!("[{}]", rows.join("; "))
}

/// Superscript in running text: "10" and "2" must not become 102, while "1st" and a trade mark stay one word. `before`:
/// the character before it.
pub(super) fn raised(before: Option<char>, text: &str) -> String {
    script('^', before, text)
}

/// Subscript: "H2O" stays one word, but a number's base is separated from it.
pub(super) fn lowered(before: Option<char>, text: &str) -> String {
    let text_is_number = text.trim().starts_with(|c: char| c.is_ascii_digit());
    match before {
        Some(c) if c.is_ascii_digit() && text_is_number => script('_', before, text),
        _ => text.to_owned(),
    }
}

fn script(sign: char, before: Option<char>, text: &str) -> String {
    let inner = text.trim();
    let stands_alone = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, ')' | ']' | '|'));
    let has_number = inner.chars().any(|c| c.is_ascii_digit());
    let is_sign = inner.starts_with(['-', '−', '+', '–']);
    // x^n, but 1st, Mme, n° and ™.
    let is_power =
        before.is_some_and(char::is_alphabetic) && matches!(inner, "n" | "k" | "m" | "i" | "j" | "x" | "y" | "T");
    if inner.is_empty() || stands_alone || inner.starts_with(['[', '(', '^']) || !(has_number || is_sign || is_power) {
        return text.to_owned();
    }
    let inner =
        if is_sign && inner.chars().skip(1).all(char::is_alphanumeric) { inner.to_owned() } else { group(inner) };
    // Keep the surrounding white space outside.
    let start = &text[..text.len() - text.trim_start().len()];
    let end = &text[text.trim_end().len()..];
    format!("{start}{sign}{inner}{end}")
}
