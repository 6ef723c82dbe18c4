//! List numbers and bullets, counted as in Word.

use std::collections::{HashMap, HashSet};

use super::{super::numbers::number_in, styles::Styles, xml::Element};

const LEVELS: usize = 9;

#[derive(Debug, Clone)]
struct Level {
    start: u64,
    format: String,
    /// "%1.%2)": the template for the numbers of the levels.
    text: String,
    /// The level after which the count restarts; `Some(0)` means never.
    restart: Option<usize>,
    /// All numbers are decimal, regardless of their level's format.
    legal: bool,
    style: Option<String>,
}

#[derive(Debug, Default)]
struct List {
    scheme: String,
    /// Levels that this list overrides.
    levels: HashMap<usize, Level>,
    starts: HashMap<usize, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Numbering {
    schemes: HashMap<String, HashMap<usize, Level>>,
    lists: HashMap<String, List>,
    /// Counters per numbering scheme, which its lists share.
    counts: HashMap<String, [Option<u64>; LEVELS]>,
    /// Lists and levels whose start override has been applied.
    started: HashSet<(String, usize)>,
}

/// A paragraph's list level and label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) level: usize,
    /// "3.", "b)", "1.2.3", "-"; empty if the list shows none.
    pub(super) label: String,
}

impl Numbering {
    pub(super) fn read(root: Option<&Element>, styles: &Styles) -> Self {
        let mut numbering = Numbering::default();
        let elements = || root.into_iter().flat_map(Element::elements);
        // A scheme may just refer to a style, whose list has the actual scheme.
        let mut links: Vec<(String, String)> = Vec::new();
        for scheme in elements().filter(|e| &*e.name == "abstractNum") {
            let Some(id) = scheme.attribute("abstractNumId") else { continue };
            if let Some(style) = scheme.child_value("numStyleLink") {
                links.push((id.to_owned(), style.to_owned()));
            }
            let levels = scheme.elements().filter(|e| &*e.name == "lvl").filter_map(level);
            numbering.schemes.insert(id.to_owned(), levels.collect());
        }
        for list in elements().filter(|e| &*e.name == "num") {
            let Some(id) = list.attribute("numId") else { continue };
            let mut own =
                List { scheme: list.child_value("abstractNumId").unwrap_or("").to_owned(), ..List::default() };
            for change in list.elements().filter(|e| &*e.name == "lvlOverride") {
                let at = change.attribute("ilvl").and_then(|level| level.parse().ok()).unwrap_or(0);
                own.levels.extend(change.child("lvl").and_then(level));
                if let Some(start) = change.child_value("startOverride").and_then(|start| start.parse().ok()) {
                    own.starts.insert(at, start);
                }
            }
            numbering.lists.insert(id.to_owned(), own);
        }
        for (scheme, style) in links {
            let list = styles.numbering(Some(&style)).and_then(|(list, _)| numbering.lists.get(&list));
            if let Some(levels) = list.and_then(|list| numbering.schemes.get(&list.scheme)).cloned() {
                numbering.schemes.insert(scheme, levels);
            }
        }
        numbering
    }

    /// Counts a paragraph of the list `id`. `None` if there is no such list.
    pub(super) fn next(&mut self, id: &str, level: usize) -> Option<Item> {
        let level = level.min(LEVELS - 1);
        let list = self.lists.get(id)?;
        let scheme = self.schemes.get(&list.scheme)?;
        let find = |at: usize| list.levels.get(&at).or_else(|| scheme.get(&at));
        let this = find(level)?;
        let counts = self.counts.entry(list.scheme.clone()).or_default();
        let own_start = list.starts.get(&level).copied();
        let first_use = own_start.is_some() && self.started.insert((id.to_owned(), level));
        counts[level] = match (counts[level], own_start) {
            (_, Some(start)) if first_use => Some(start),
            (Some(count), _) => Some(count + 1),
            (None, start) => Some(start.unwrap_or(this.start)),
        };
        for (at, count) in counts.iter_mut().enumerate().skip(level + 1) {
            // By default a level restarts after any higher level.
            if find(at).is_none_or(|l| l.restart.is_none_or(|after| after > level)) {
                *count = None;
            }
        }
        if this.format == "bullet" {
            return Some(Item { level, label: "-".to_owned() });
        }
        let mut label = String::new();
        let mut rest = this.text.chars().peekable();
        while let Some(c) = rest.next() {
            let place = (c == '%').then(|| rest.peek().and_then(|c| c.to_digit(10))).flatten();
            let Some(place) = place.map(|p| p as usize).filter(|p| (1..=LEVELS).contains(p)) else {
                label.push(c);
                continue;
            };
            rest.next();
            let format = find(place - 1);
            // A skipped level counts as its start value.
            let number = counts[place - 1].unwrap_or_else(|| format.map_or(1, |f| f.start));
            label.push_str(&number_in(
                number,
                if this.legal { "decimal" } else { format.map_or("decimal", |f| &f.format) },
            ));
        }
        Some(Item { level, label: label.trim().to_owned() })
    }

    /// The list level linked to one of these styles.
    pub(super) fn level_of_style<'a>(&self, id: &str, mut styles: impl Iterator<Item = &'a str>) -> Option<usize> {
        let scheme = self.schemes.get(&self.lists.get(id)?.scheme)?;
        styles.find_map(|style| scheme.iter().find(|(_, l)| l.style.as_deref() == Some(style)).map(|(at, _)| *at))
    }
}

fn level(element: &Element) -> Option<(usize, Level)> {
    let at: usize = element.attribute("ilvl")?.parse().ok().filter(|at| *at < LEVELS)?;
    // A newer format is wrapped in an alternative with a fallback.
    let format = element.descendants().filter(|e| &*e.name == "numFmt").find_map(Element::value).unwrap_or("decimal");
    let level = Level {
        start: element.child_value("start").and_then(|start| start.parse().ok()).unwrap_or(0),
        format: format.to_owned(),
        text: element.child_value("lvlText").unwrap_or_default().to_owned(),
        restart: element.child_value("lvlRestart").and_then(|after| after.parse().ok()),
        legal: element.toggle("isLgl").unwrap_or(false),
        style: element.child_value("pStyle").map(str::to_owned),
    };
    Some((at, level))
}
