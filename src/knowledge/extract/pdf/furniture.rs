//! Removes page numbers and running headers and footers, but only if the pages prove what they are.
//!
//! A page number is a number at the same place on several pages that increases with them. A running line is identical,
//! letter by letter, at the same place on several pages; its first occurrence is kept. Table cells are never removed,
//! nor the last words of a page.

use std::collections::{HashMap, HashSet};

use super::{
    super::{LeftOutKind, Report},
    layout::Page,
    table,
};

/// Share of a page's height, at top and bottom, where headers and footers are.
const MARGIN: f32 = 0.12;
/// Words beside a number that mark it as a page number.
const PAGE_WORDS: [&str; 24] = [
    "page",
    "pages",
    "p",
    "pg",
    "pp",
    "seite",
    "s",
    "стр",
    "страница",
    "с",
    "лист",
    "página",
    "pagina",
    "pág",
    "sida",
    "side",
    "strona",
    "str",
    "sivu",
    "oldal",
    "sayfa",
    "σελίδα",
    "页",
    "ページ",
];
/// From here on a number may be a year, an order or a room: a page number only if there are that many pages, or if
/// marked.
const FIRST_DOUBTFUL: i64 = 1000;
const JOINING_WORDS: [&str; 12] = ["of", "from", "из", "von", "de", "sur", "di", "av", "van", "z", "af", "第"];

/// A line of a page, left to right.
struct Line {
    fragments: Vec<usize>,
    y: f32,
}

/// An interpretation of a text as a page number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
struct Counter {
    /// The text without its number.
    template: String,
    roman: bool,
    /// Has other words, which are kept once.
    has_words: bool,
    /// Has a word for "page".
    says_page: bool,
    /// That word is unambiguous, unlike "с" in "с 2019" and "p" in "p 5".
    surely: bool,
}

pub(super) fn remove_furniture(pages: &mut [Page], report: &mut Report) {
    if pages.len() < 2 {
        return;
    }
    let numbers = page_numbers(pages);
    let lines: Vec<Vec<Line>> = pages.iter().map(lines).collect();
    let key = |page: usize, line: &Line| {
        let words = line.fragments.iter().filter(|at| !numbers.contains_key(&(page, **at)));
        let words: Vec<&str> = words.map(|at| pages[page].fragments[*at].text.trim()).collect();
        (words.join(" "), place(line.y, &pages[page]))
    };
    let mut seen: HashMap<(String, i32), Vec<usize>> = HashMap::new();
    for (page, lines) in lines.iter().enumerate() {
        for line in lines.iter().filter(|line| may_run(&pages[page], line)) {
            let key = key(page, line);
            if !key.0.is_empty() {
                seen.entry(key).or_default().push(page);
            }
        }
    }
    // The first page and chapter openings have none.
    let often = (pages.len() / 2).clamp(2, 3);
    let chains: HashMap<(String, i32), HashMap<usize, bool>> =
        seen.into_iter().map(|(key, on)| (key, chained(&on, often))).collect();
    let runs = |page: usize, line: &Line| chains.get(&key(page, line)).and_then(|on| on.get(&page)).copied();
    let mut drops: Vec<(usize, usize, LeftOutKind)> = Vec::new();
    for (page, lines) in lines.iter().enumerate() {
        let running: HashSet<usize> = (lines.iter().enumerate())
            .filter(|(_, line)| {
                may_run(&pages[page], line) && (key(page, line).0.is_empty() || runs(page, line).is_some())
            })
            .map(|(index, _)| index)
            .collect();
        let in_tables: HashSet<usize> = table::tables(&pages[page].fragments).into_iter().flatten().collect();
        let drop = |index: usize, drops: &mut Vec<(usize, usize, LeftOutKind)>| -> bool {
            let line = &lines[index];
            if !running.contains(&index) || line.fragments.iter().any(|at| in_tables.contains(at)) {
                return false;
            }
            let repeated = runs(page, line) == Some(true);
            for at in &line.fragments {
                match numbers.get(&(page, *at)) {
                    Some(kind) => drops.push((page, *at, *kind)),
                    None if repeated => drops.push((page, *at, LeftOutKind::RunningLine)),
                    None => {}
                }
            }
            true
        };
        // From the edges inwards, up to the first line that is kept.
        let top = (0..lines.len()).take_while(|index| drop(*index, &mut drops)).count();
        let bottom = (top..lines.len()).rev().take_while(|index| drop(*index, &mut drops)).count();
        for (index, line) in lines.iter().enumerate().take(lines.len() - bottom).skip(top) {
            let artifact = line.fragments.iter().all(|at| pages[page].fragments[*at].artifact);
            if artifact && drop(index, &mut drops) {
                continue;
            }
            // A page number beside words that are not a running line.
            for at in line.fragments.iter().filter(|at| !in_tables.contains(at)) {
                if let Some(kind) = numbers.get(&(page, *at)).filter(|_| line.fragments.len() > 1) {
                    drops.push((page, *at, *kind));
                }
            }
        }
    }
    remove(pages, &drops, report);
}

fn remove(pages: &mut [Page], drops: &[(usize, usize, LeftOutKind)], report: &mut Report) {
    let mut by_page: HashMap<usize, HashMap<usize, LeftOutKind>> = HashMap::new();
    for (page, at, kind) in drops {
        by_page.entry(*page).or_default().insert(*at, *kind);
    }
    for (number, page) in pages.iter_mut().enumerate() {
        let Some(dropped) = by_page.get(&number) else { continue };
        // Never remove the last words of a page.
        if dropped.len() >= page.fragments.len() {
            continue;
        }
        let mut notes = Vec::new();
        let mut kept = Vec::with_capacity(page.fragments.len());
        for (at, fragment) in std::mem::take(&mut page.fragments).into_iter().enumerate() {
            match dropped.get(&at) {
                Some(kind) => {
                    report.leave_out(*kind, &fragment.text);
                    notes.extend(fragment.notes);
                }
                None => kept.push(fragment),
            }
        }
        if let Some(last) = kept.last_mut() {
            last.notes.extend(notes);
        }
        page.fragments = kept;
    }
}

fn place(y: f32, page: &Page) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "points on a page, in steps of four")]
    let step = ((y - page.bottom) / 4.0).round() as i32;
    step
}

fn may_run(page: &Page, line: &Line) -> bool {
    let margin = MARGIN * (page.top - page.bottom);
    let artifact = line.fragments.iter().all(|at| page.fragments[*at].artifact);
    artifact || line.y > page.top - margin || line.y < page.bottom + margin
}

/// Top to bottom. Rotated text is only a candidate if the file marks it as an artifact.
fn lines(page: &Page) -> Vec<Line> {
    let mut order: Vec<usize> =
        (0..page.fragments.len()).filter(|at| page.fragments[*at].angle == 0 || page.fragments[*at].artifact).collect();
    order.sort_by(|a, b| page.fragments[*b].y.total_cmp(&page.fragments[*a].y));
    let mut lines: Vec<Line> = Vec::new();
    for at in order {
        let fragment = &page.fragments[at];
        match lines.last_mut() {
            Some(line)
                if page.fragments[line.fragments[0]].angle == fragment.angle
                    && (line.y - fragment.y).abs() < 0.3 * fragment.size =>
            {
                line.fragments.push(at);
            }
            _ => lines.push(Line { fragments: vec![at], y: fragment.y }),
        }
    }
    for line in &mut lines {
        line.fragments.sort_by(|a, b| page.fragments[*a].left.total_cmp(&page.fragments[*b].left));
    }
    lines
}

/// The pages of `on` in runs of at least `often`, allowing gaps of one (left and right pages differ), each with whether
/// the page repeats an earlier one.
fn chained(on: &[usize], often: usize) -> HashMap<usize, bool> {
    let mut out = HashMap::new();
    let mut pages = on.to_vec();
    pages.dedup();
    for chain in pages.chunk_by(|before, after| after - before <= 2).filter(|chain| chain.len() >= often) {
        out.extend(chain.iter().enumerate().map(|(at, page)| (*page, at > 0)));
    }
    out
}

/// (page, fragment index, value) of texts with the same interpretation.
type Sequences = HashMap<(Counter, i32), Vec<(usize, usize, i64)>>;

/// The fragments, by page and index, that are proven page numbers.
fn page_numbers(pages: &[Page]) -> HashMap<(usize, usize), LeftOutKind> {
    let mut found = Sequences::new();
    for (number, page) in pages.iter().enumerate() {
        let lines = lines(page);
        let outermost = [0, 1, lines.len().saturating_sub(2), lines.len().saturating_sub(1)];
        for (index, line) in lines.iter().enumerate() {
            if !may_run(page, line) && !outermost.contains(&index) {
                continue;
            }
            for at in &line.fragments {
                for (counter, value) in counters(page.fragments[*at].text.trim()) {
                    found.entry((counter, place(line.y, page))).or_default().push((number, *at, value));
                }
            }
        }
    }
    let mut out = HashMap::new();
    for ((counter, _), places) in found {
        let mut offsets: HashMap<i64, HashSet<usize>> = HashMap::new();
        let offset = |page: usize, value: i64| value - i64::try_from(page).unwrap_or(0);
        for (page, _, value) in &places {
            offsets.entry(offset(*page, *value)).or_default().insert(*page);
        }
        let Some((usual, on)) = offsets.into_iter().max_by_key(|(usual, on)| (on.len(), -usual.abs())) else {
            continue;
        };
        // With only two pages the number must match the page itself: years also increase from page to page, and removed
        // text is lost.
        let most = i64::try_from(pages.len()).unwrap_or(i64::MAX);
        let large = places.iter().any(|(.., value)| *value >= FIRST_DOUBTFUL);
        if large && !counter.surely && !(-most..=most).contains(&usual) {
            continue;
        }
        let shown = on.len() >= 3 || (on.len() == 2 && pages.len() <= 3 && (usual == 1 || counter.says_page));
        if !shown || on.len() * 2 < places.iter().map(|(page, ..)| page).collect::<HashSet<_>>().len() {
            continue;
        }
        let first = on.iter().min().copied();
        for (page, at, value) in places {
            if offset(page, value) != usual {
                continue;
            }
            let kind = if counter.has_words { LeftOutKind::RunningLine } else { LeftOutKind::PageNumber };
            if !counter.has_words || Some(page) != first {
                out.insert((page, at), kind);
            }
        }
    }
    out
}

/// The possible interpretations of a text as a page number.
fn counters(text: &str) -> Vec<(Counter, i64)> {
    if text.is_empty() || text.chars().count() > 80 {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + c.len_utf8(),
            _ => runs.push((at, at + c.len_utf8())),
        }
    }
    for (start, end) in runs.iter().copied().filter(|(start, end)| end - start <= 4) {
        let (before, after) = (&text[..start], &text[end..]);
        // Part of another number: 1.5, 2/2026 without a total, 12:30.
        if before.ends_with(['.', ',', ':']) || after.starts_with(['.', ',', ':']) && after.len() > 1 {
            continue;
        }
        if let (Some(counter), Ok(value)) = (counter(before, after, runs.len(), false), text[start..end].parse()) {
            out.push((counter, value));
        }
    }
    if runs.is_empty() {
        let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
        let (before, word) = bare.rsplit_once(' ').unwrap_or(("", bare));
        if let (Some(value), Some(counter)) = (roman(word), counter(before, "", 1, true)) {
            out.push((counter, value));
        }
    }
    out
}

fn counter(before: &str, after: &str, numbers: usize, roman: bool) -> Option<Counter> {
    let around = format!("{before} {after}").to_lowercase();
    let words = around.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let (mut says_page, mut surely, mut has_words) = (false, false, false);
    for word in words {
        match word {
            word if PAGE_WORDS.contains(&word) => {
                says_page = true;
                surely |= word.chars().count() > 2 || matches!(word, "pg" | "pp" | "页");
            }
            word if JOINING_WORDS.contains(&word) => {}
            _ => has_words = true,
        }
    }
    // The page number may be followed by the total.
    let total = numbers == 2 && !has_words;
    let fits = numbers == 1 || says_page || total;
    let template = format!("{}#{}", before.trim(), after.trim());
    (fits && (!has_words || says_page)).then_some(Counter { template, roman, has_words, says_page, surely })
}

fn roman(word: &str) -> Option<i64> {
    let word = word.to_lowercase();
    if word.is_empty() || word.len() > 8 {
        return None;
    }
    let value = |c: char| match c {
        'i' => Some(1),
        'v' => Some(5),
        'x' => Some(10),
        'l' => Some(50),
        'c' => Some(100),
        _ => None,
    };
    let values: Vec<i64> = word.chars().map(value).collect::<Option<_>>()?;
    let sum =
        values.iter().enumerate().map(|(at, v)| if values.get(at + 1).is_some_and(|next| next > v) { -v } else { *v });
    Some(sum.sum())
}
