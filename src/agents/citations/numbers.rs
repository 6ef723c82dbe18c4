//! The content of a mark's brackets: `1`, `1, 2`, `1-3`, `^1`, `1†source`, `Source 1`, `источники 1 и 2`.

/// Sources named by a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub numbers: Vec<u32>,
    /// Only numbers in square brackets: ambiguous, the context decides.
    pub bare: bool,
}

/// Longest range, `[1-30]`.
const WIDEST: u32 = 30;

const WORDS: [&str; 24] = [
    "citations",
    "citation",
    "cite",
    "sources",
    "source",
    "src",
    "references",
    "reference",
    "refs",
    "ref",
    "documents",
    "document",
    "docs",
    "doc",
    "passages",
    "passage",
    "источники",
    "источника",
    "источник",
    "документы",
    "документ",
    "ссылка",
    "ист",
    "сноска",
];

pub(super) fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '【' => '】',
        '［' => '］',
        '〔' => '〕',
        _ => ']',
    }
}

/// The sources named inside a bracket; `None` if it is something else.
pub(super) fn read(inside: &str, open: char) -> Option<Named> {
    let lower = inside.trim().to_lowercase();
    // `1†source`, `1†L3-L9`, `1‡handbook.md`, `1↑source`
    let (list, daggered) = match lower.find(['†', '‡', '↑']) {
        Some(at) => (&lower[..at], true),
        None => (lower.as_str(), false),
    };
    let (list, located) = without_place(list.trim());
    let mut numbers = Vec::new();
    let mut worded = false;
    for item in list
        .split([',', ';', '、', '，', '；', '&'])
        .flat_map(|item| item.split(" and "))
        .flat_map(|item| item.split(" и "))
    {
        let (item, word) = without_word(item.trim());
        worded |= word;
        range(item, &mut numbers)?;
    }
    // Parentheses number many things: there a word such as "source" is needed.
    if numbers.is_empty() || (open == '(' && !worded) {
        return None;
    }
    Some(Named { numbers, bare: open == '[' && !worded && !daggered && !located })
}

/// `source 1` -> `1`, and whether there was such a word.
fn without_word(item: &str) -> (&str, bool) {
    for word in WORDS {
        let Some(rest) = item.strip_prefix(word) else { continue };
        let number = rest.trim_start_matches(['.', ':', '№', '#', ' ', '\u{a0}', '-', '_']);
        // "source1", but not "sourced 1".
        if number.starts_with(is_digit) {
            return (number, true);
        }
    }
    let number = item.trim_start_matches('№').trim_start();
    (item.strip_prefix('^').unwrap_or(number), number.len() < item.len())
}

/// `1, p. 3` -> `1`, and whether a position in the source was given.
fn without_place(list: &str) -> (&str, bool) {
    let Some((first, place)) = list.split_once([',', ':']) else { return (list, false) };
    let place = place.trim();
    let named = ["pp.", "p.", "pp ", "p ", "page", "с.", "стр", "section", "раздел", "§", "line", "строк"];
    if named.iter().any(|name| place.starts_with(name)) { (first.trim_end(), true) } else { (list, false) }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || ('０'..='９').contains(&c)
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim().trim_matches('^');
    if text.is_empty() || text.chars().count() > 4 || !text.chars().all(is_digit) {
        return None;
    }
    text.chars().try_fold(0_u32, |n, c| {
        let digit = c.to_digit(10).or_else(|| (c as u32).checked_sub('０' as u32))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// `3` or `1-3`.
fn range(item: &str, numbers: &mut Vec<u32>) -> Option<()> {
    let mut push = |n: u32| {
        if !numbers.contains(&n) {
            numbers.push(n);
        }
    };
    match item.split_once(['-', '–', '—', '‑']) {
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to)?);
            if from >= to || to - from >= WIDEST {
                return None;
            }
            (from..=to).for_each(&mut push);
        }
        None => push(number(item)?),
    }
    Some(())
}
