//! Styles: resolves which paragraphs are headings, hidden, struck out or numbered, with inheritance.

use std::collections::HashMap;

use super::{look::is_shaded, xml::Element};

/// A style's own properties; missing ones are inherited.
#[derive(Debug, Default, Clone)]
struct Style {
    name: String,
    based_on: Option<String>,
    /// Heading level from 0; 9 is body text.
    outline: Option<u8>,
    look: Look,
    shaded: bool,
    numbering: Option<(Option<String>, Option<usize>)>,
}

/// Text formatting; `None` if not set.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Look {
    pub(super) hidden: Option<bool>,
    pub(super) struck: Option<bool>,
    pub(super) white: Option<bool>,
}

impl Look {
    /// From run properties (`w:rPr`).
    pub(super) fn of(properties: &Element) -> Self {
        let struck = [properties.toggle("strike"), properties.toggle("dstrike")];
        Look {
            hidden: properties.toggle("vanish"),
            struck: struck.into_iter().flatten().reduce(|one, other| one || other),
            white: properties.child_value("color").map(is_white),
        }
    }

    /// Fills unset properties from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Look {
            hidden: self.hidden.or(other.hidden),
            struck: self.struck.or(other.struck),
            white: self.white.or(other.white),
        }
    }
}

fn is_white(colour: &str) -> bool {
    let bright =
        |at: usize| colour.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).is_some_and(|c| c > 0xf9);
    colour.len() == 6 && bright(0) && bright(2) && bright(4)
}

#[derive(Debug, Default)]
pub(super) struct Styles {
    by_id: HashMap<String, Style>,
    /// The style of paragraphs without a style.
    default: Option<String>,
}

/// A longer inheritance chain is a cycle.
const LONGEST_CHAIN: usize = 32;

impl Styles {
    pub(super) fn read(root: Option<&Element>) -> Self {
        let mut styles = Styles::default();
        for element in root.into_iter().flat_map(Element::elements).filter(|e| &*e.name == "style") {
            let Some(id) = element.attribute("styleId") else { continue };
            let paragraph = element.child("pPr");
            let style = Style {
                name: element.child_value("name").unwrap_or_default().to_lowercase(),
                based_on: element.child_value("basedOn").map(str::to_owned),
                outline: paragraph.and_then(|p| p.child_value("outlineLvl")).and_then(|level| level.parse().ok()),
                look: element.child("rPr").map(Look::of).unwrap_or_default(),
                shaded: paragraph.is_some_and(is_shaded) || element.child("rPr").is_some_and(is_shaded),
                numbering: paragraph.and_then(|p| p.child("numPr")).map(numbering),
            };
            let is_default = matches!(element.attribute("default"), Some("1" | "true" | "on"));
            if is_default && element.attribute("type") == Some("paragraph") {
                styles.default = Some(id.to_owned());
            }
            styles.by_id.insert(id.to_owned(), style);
        }
        styles
    }

    /// The style and its ancestors, nearest first.
    fn chain<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = (&'a str, Option<&'a Style>)> {
        let mut next = id.or(self.default.as_deref());
        let mut steps = 0;
        std::iter::from_fn(move || {
            let id = next.filter(|_| steps < LONGEST_CHAIN)?;
            steps += 1;
            let style = self.by_id.get(id);
            next = style.and_then(|style| style.based_on.as_deref());
            Some((id, style))
        })
    }

    /// Heading level, from 1, of a paragraph with this style.
    pub(super) fn heading(&self, id: Option<&str>) -> Option<u8> {
        for (id, style) in self.chain(id) {
            if let Some(level) = style.and_then(|style| style.outline) {
                return (level < 9).then_some(level + 1);
            }
            // Match by name, because ids are translated; without a style definition there is only the id.
            let name = style.map_or_else(|| id.to_lowercase(), |style| style.name.clone());
            if let Some(level) = heading_level(&name) {
                return Some(level);
            }
        }
        None
    }

    /// Whether it is the title style or based on it.
    pub(super) fn is_title(&self, id: Option<&str>) -> bool {
        let titles = ["title", "titel", "titre", "título", "titolo", "tytuł", "название", "заголовок", "标题", "表題"];
        self.chain(id).any(|(id, style)| {
            let name = style.map_or_else(|| id.to_lowercase(), |style| style.name.clone());
            titles.contains(&name.as_str())
        })
    }

    /// The text formatting of a paragraph with this style.
    pub(super) fn look(&self, id: Option<&str>) -> Look {
        self.chain(id).filter_map(|(_, style)| style).fold(Look::default(), |look, style| look.or(style.look))
    }

    /// Unlike paragraphs, runs have no default style.
    pub(super) fn look_of_run(&self, id: &str) -> Look {
        self.look(Some(id))
    }

    /// Whether the style sets a background colour.
    pub(super) fn is_shaded(&self, id: Option<&str>) -> bool {
        self.chain(id).any(|(_, style)| style.is_some_and(|style| style.shaded))
    }

    /// The list and level that a style assigns to its paragraphs.
    pub(super) fn numbering(&self, id: Option<&str>) -> Option<(String, Option<usize>)> {
        let mut level = None;
        for (_, style) in self.chain(id) {
            let Some((list, own_level)) = style.and_then(|style| style.numbering.as_ref()) else { continue };
            level = level.or(*own_level);
            if let Some(list) = list {
                return Some((list.clone(), level));
            }
        }
        None
    }

    /// Whether it is one of Word's built-in list styles; for documents with missing list definitions.
    pub(super) fn is_list(&self, id: Option<&str>) -> bool {
        self.chain(id).any(|(id, style)| {
            let name = style.map_or_else(|| id.to_lowercase(), |style| style.name.clone()).replace(' ', "");
            name.starts_with("listbullet") || name.starts_with("listnumber")
        })
    }

    /// The style ids in the chain, for list levels linked to a style.
    pub(super) fn ids<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        self.chain(id).map(|(id, _)| id)
    }
}

pub(super) fn numbering(properties: &Element) -> (Option<String>, Option<usize>) {
    let level = properties.child_value("ilvl").and_then(|level| level.parse().ok());
    (properties.child_value("numId").map(str::to_owned), level)
}

/// "heading 2", and localised names written by other programs.
fn heading_level(name: &str) -> Option<u8> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let level: u8 = name[stem.len()..].parse().ok().filter(|level| (1..=9).contains(level))?;
    let words = [
        "heading",
        "überschrift",
        "berschrift",
        "titre",
        "título",
        "titulo",
        "titolo",
        "titel",
        "kop",
        "rubrik",
        "overskrift",
        "otsikko",
        "nagłówek",
        "nagwek",
        "nadpis",
        "címsor",
        "cmsor",
        "başlık",
        "balk",
        "заголовок",
        "titlu",
        "naslov",
        "επικεφαλίδα",
        "見出し",
        "标题",
        "標題",
        "제목",
        "כותרת",
        "عنوان",
        "tiêu đề",
    ];
    words.contains(&stem.trim()).then_some(level)
}
