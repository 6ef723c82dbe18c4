//! Styles: which paragraphs are headings, hidden, struck out or numbered by what they inherit.

use std::collections::HashMap;

use super::{look::is_shaded, xml::Element};

/// What a style says of itself; what it does not say it takes from the style that it is based on.
#[derive(Debug, Default, Clone)]
struct Style {
    name: String,
    based_on: Option<String>,
    /// Level of a heading, from 0; 9 is body text.
    outline: Option<u8>,
    look: Look,
    shaded: bool,
    numbering: Option<(Option<String>, Option<usize>)>,
}

/// What is said of the look of text; `None` where nothing is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Look {
    pub(super) hidden: Option<bool>,
    pub(super) struck: Option<bool>,
    pub(super) white: Option<bool>,
}

impl Look {
    /// Of the properties of a run (`w:rPr`).
    pub(super) fn of(properties: &Element) -> Self {
        let struck = [properties.toggle("strike"), properties.toggle("dstrike")];
        Look {
            hidden: properties.toggle("vanish"),
            struck: struck.into_iter().flatten().reduce(|one, other| one || other),
            white: properties.child_value("color").map(is_white),
        }
    }

    /// What is not said here, by `other`.
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
    /// The paragraph style of paragraphs that name none.
    default: Option<String>,
}

/// A chain of styles longer than this is a circle.
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

    /// The style and those it is based on, nearest first.
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

    /// Level of the heading, from 1, that a paragraph of this style is.
    pub(super) fn heading(&self, id: Option<&str>) -> Option<u8> {
        for (id, style) in self.chain(id) {
            if let Some(level) = style.and_then(|style| style.outline) {
                return (level < 9).then_some(level + 1);
            }
            // The name counts, not the id, which is translated; without the styles there is only the id.
            let name = style.map_or_else(|| id.to_lowercase(), |style| style.name.clone());
            if let Some(level) = heading_level(&name) {
                return Some(level);
            }
        }
        None
    }

    /// The style of the document's title, or one based on it.
    pub(super) fn is_title(&self, id: Option<&str>) -> bool {
        let titles = ["title", "titel", "titre", "título", "titolo", "tytuł", "название", "заголовок", "标题", "表題"];
        self.chain(id).any(|(id, style)| {
            let name = style.map_or_else(|| id.to_lowercase(), |style| style.name.clone());
            titles.contains(&name.as_str())
        })
    }

    /// How a paragraph of this style looks.
    pub(super) fn look(&self, id: Option<&str>) -> Look {
        self.chain(id).filter_map(|(_, style)| style).fold(Look::default(), |look, style| look.or(style.look))
    }

    /// A character style has no default.
    pub(super) fn look_of_run(&self, id: &str) -> Look {
        self.look(Some(id))
    }

    /// Whether the style puts a colour behind the text.
    pub(super) fn is_shaded(&self, id: Option<&str>) -> bool {
        self.chain(id).any(|(_, style)| style.is_some_and(|style| style.shaded))
    }

    /// The list that a style numbers its paragraphs in, and at which level.
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

    /// For a document whose lists are lost: whether the style is one of Word's own for lists.
    pub(super) fn is_list(&self, id: Option<&str>) -> bool {
        self.chain(id).any(|(id, style)| {
            let name = style.map_or_else(|| id.to_lowercase(), |style| style.name.clone()).replace(' ', "");
            name.starts_with("listbullet") || name.starts_with("listnumber")
        })
    }

    /// The style's id in the chain, for levels of lists that are tied to a style.
    pub(super) fn ids<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        self.chain(id).map(|(id, _)| id)
    }
}

pub(super) fn numbering(properties: &Element) -> (Option<String>, Option<usize>) {
    let level = properties.child_value("ilvl").and_then(|level| level.parse().ok());
    (properties.child_value("numId").map(str::to_owned), level)
}

/// "heading 2", and how other programs than Word name it in their languages.
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
