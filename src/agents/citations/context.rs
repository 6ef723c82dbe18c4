//! Context that shows a bracket to be no citation: an identifier before it, an operator, a word such as "interval", an
//! enclosing list.

use std::ops::Range;

use super::numbers::Named;

/// The range including the outer brackets of `[[1]]`.
pub(super) fn whole(text: &str, range: Range<usize>) -> Range<usize> {
    let doubled = text[range.clone()].starts_with('[')
        && text[..range.start].ends_with('[')
        && text[range.end..].starts_with(']');
    if doubled { range.start - 1..range.end + 1 } else { range }
}

/// Whether the mark may be a citation in its context. `after_mark`: directly after another citation.
pub(super) fn allows(text: &str, range: &Range<usize>, named: &Named, after_mark: bool) -> bool {
    let (before, after) = (line_before(text, range.start), &text[range.end..]);
    if before.ends_with('\\') || is_definition(before, after) {
        return false;
    }
    if !named.bare {
        return true;
    }
    let is_index = !after_mark && follows_an_identifier(before);
    let is_one_of_several = named.numbers.len() > 1 && is_a_set(before);
    let is_other = after.starts_with('(') || is_in_list(before) || is_index || is_operand(before, after);
    !is_other && !is_one_of_several
}

/// How far back the context of a mark is read, bytes: a line may be megabytes long with a mark at every third of them.
const LOOK_BACK: usize = 500;

/// The line before `at`, at most [`LOOK_BACK`] of it.
fn line_before(text: &str, at: usize) -> &str {
    let mut from = at.saturating_sub(LOOK_BACK);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let near = &text[from..at];
    near.rsplit('\n').next().unwrap_or(near)
}

/// `[1]: handbook.md` and `[^1]: the note` at the start of a line.
fn is_definition(before: &str, after: &str) -> bool {
    before.trim_matches([' ', '>']).is_empty() && after.starts_with(':')
}

/// `[[1, 2], [3, 4]]`: an open bracket without words before.
fn is_in_list(before: &str) -> bool {
    let mut depth = 0_usize;
    for (at, c) in before.char_indices().rev() {
        match c {
            ']' => depth += 1,
            '[' if depth == 0 => return !before[at..].chars().any(char::is_alphabetic),
            '[' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// Short identifiers that are not words of a natural language.
const IDENTIFIERS: [&str; 30] = [
    "arr", "array", "lst", "argv", "args", "params", "vals", "nums", "vec", "buf", "idx", "tmp", "ptr", "str", "df",
    "obj", "cfg", "src", "dst", "env", "elem", "elems", "mat", "dict", "tuple", "cols", "xs", "ys", "len", "kwargs",
];

/// Endings of file and host names mentioned in text: `handbook.md[1]`, `example.org[2]`.
const ENDINGS: [&str; 36] = [
    "md", "txt", "pdf", "doc", "docx", "odt", "rtf", "html", "htm", "csv", "xml", "json", "yaml", "yml", "toml", "ini",
    "conf", "cfg", "log", "sh", "py", "js", "ts", "rs", "go", "java", "sql", "exe", "com", "org", "net", "io", "ru",
    "de", "eu", "dev",
];

/// `arr[1]`, `my_list[1]`, `x[1]`, `sys.argv[1]`, `f(x)[1]`, `rows[0][1]`, `https://example.org/a[1]`
fn follows_an_identifier(before: &str) -> bool {
    let Some(last) = before.chars().next_back() else { return false };
    if last == ')' {
        let call =
            before.rfind('(').is_some_and(|at| before[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        return call;
    }
    if last == ']' {
        return true;
    }
    let word = before
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | ',' | ';' | '*' | '"'))
        .next()
        .unwrap_or_default();
    if word.contains("://") {
        return true;
    }
    let name = word.rsplit(['.', ':', '>']).next().unwrap_or_default();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$')) {
        return false;
    }
    let letters: Vec<char> = name.chars().collect();
    let one = letters.len() == 1 && letters[0].is_ascii_alphabetic();
    // "PostgreSQL[1]" and "JavaScript[2]" are proper names, not identifiers.
    let camel = letters[0].is_ascii_lowercase()
        && letters.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    let dotted = word.len() > name.len()
        && word[..word.len() - name.len()].ends_with('.')
        && letters[0].is_ascii_lowercase()
        && !ENDINGS.contains(&name);
    let mixed = letters[0].is_ascii_lowercase() && letters.len() < 8 && letters.iter().any(char::is_ascii_digit);
    one || camel
        || dotted
        || mixed
        || name.contains(['_', '$'])
        || IDENTIFIERS.contains(&name.to_ascii_lowercase().as_str())
}

/// `ports = [1, 2]`, `[1] + x`, `"a": [1]`, `x ∈ [1, 2]`, `[1].length`
fn is_operand(before: &str, after: &str) -> bool {
    let operator = |c: char| matches!(c, '=' | '+' | '/' | '<' | '≤' | '≥' | '∈' | '∉' | '⊂' | '∪' | '∩' | '×' | '≈');
    // An asterisk directly at the mark is emphasis.
    let product = before.ends_with(" * ");
    let (before, after) = (before.trim_end(), after.trim_start_matches(' '));
    if product || before.ends_with(operator) || before.ends_with("\":") || before.trim_start() == "return" {
        return true;
    }
    let method =
        after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '_'));
    let assigned = after.starts_with(['=', '+', '∪', '∩', '×', '∈', '≤', '≥']);
    assigned || (method && !after.starts_with(". "))
}

/// "values in the range [1, 5]", "отрезок [1, 2]"
fn is_a_set(before: &str) -> bool {
    const SETS: [&str; 22] = [
        "range",
        "interval",
        "intervals",
        "list",
        "array",
        "vector",
        "tuple",
        "set",
        "values",
        "ports",
        "numbers",
        "matrix",
        "between",
        "диапазон",
        "диапазоне",
        "интервал",
        "интервале",
        "отрезок",
        "отрезке",
        "список",
        "массив",
        "вектор",
    ];
    let mut words = before.split_whitespace().rev();
    let last = words.next().unwrap_or_default().trim_end_matches(':').to_lowercase();
    let variable = || words.clone().next().is_some_and(|word| word.chars().count() == 1);
    SETS.contains(&last.as_str()) || (matches!(last.as_str(), "in" | "в" | "на") && variable())
}
