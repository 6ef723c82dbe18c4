//! Marked content (ISO 32000-1, 14.6): hidden content, replacement text, alternative text of figures.

use std::rc::Rc;

use pdf_oxide::object::Object;

use super::{
    super::{
        file::{Dict, text},
        geometry::Area,
        scene::Figure,
    },
    Runner,
};

/// Maximum described figures per page.
const MAX_FIGURES: usize = 1000;

/// A marked-content sequence.
#[derive(Default)]
pub(super) struct Mark {
    pub(super) hidden: bool,
    pub(super) artifact: bool,
    is_figure: bool,
    actual_text: Option<String>,
    /// Alternative text.
    alternative: Option<String>,
    /// Marked-content id, by which a structure element owns it.
    number: Option<i64>,
    first_glyph: usize,
    first_picture: usize,
    first_fill: usize,
}

impl Mark {
    pub(super) fn of_form(hidden: bool) -> Self {
        Mark { hidden, ..Mark::default() }
    }
}

impl Runner<'_> {
    pub(super) fn begin_mark(&mut self, tag: &str, properties: Option<&Object>, resources: &Dict) {
        let mut mark = Mark {
            artifact: tag == "Artifact",
            is_figure: matches!(tag, "Figure" | "Formula"),
            first_glyph: self.scene.glyphs.len(),
            first_picture: self.scene.pictures.len(),
            first_fill: self.scene.fills.len(),
            ..Mark::default()
        };
        let named = properties
            .and_then(Object::as_name)
            .map(|name| self.file.dict(resources, "Properties").get(name).cloned().unwrap_or(Object::Null));
        if let Some(properties) = named.as_ref().or(properties) {
            mark.hidden = tag == "OC" && self.layers.hides(self.file, properties);
            if let Some(dict) = self.file.resolve(properties).as_dict() {
                mark.actual_text = text(&self.file.get(dict, "ActualText"));
                mark.alternative = text(&self.file.get(dict, "Alt"));
                mark.number = self.file.get(dict, "MCID").as_integer();
            }
        }
        self.push_mark(mark);
    }

    /// Content nested in hidden content is hidden too.
    pub(super) fn push_mark(&mut self, mut mark: Mark) {
        mark.hidden |= self.is_hidden();
        mark.artifact |= self.is_artifact();
        self.marks.push(mark);
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.marks.last().is_some_and(|mark| mark.hidden)
    }

    pub(super) fn is_artifact(&self) -> bool {
        self.marks.last().is_some_and(|mark| mark.artifact)
    }

    pub(super) fn end_mark(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        self.describe(&mark);
        let Some(actual) = mark.actual_text else { return };
        let first = mark.first_glyph.min(self.scene.glyphs.len());
        let glyphs = &mut self.scene.glyphs[first..];
        // Replacement text; if it is far longer than the glyphs, it is not what a viewer shows.
        if glyphs.is_empty() || actual.chars().count() > 4 * glyphs.len() + 4 {
            return;
        }
        let actual = actual.trim_end_matches('\u{ad}');
        if let [first, rest @ ..] = glyphs {
            first.text = Some(Rc::from(actual));
            // Replace them by one glyph of the total width.
            if let Some(last) = rest.last() {
                let along = (last.x - first.x) * first.direction.0 + (last.y - first.y) * first.direction.1;
                if along >= 0.0 {
                    first.advance = along + last.advance;
                    first.spacing = last.spacing;
                }
            }
        }
        self.scene.glyphs.truncate(first + 1);
    }

    /// Records the alternative text of a figure that has been drawn.
    fn describe(&mut self, mark: &Mark) {
        let drew = self.scene.pictures.len() > mark.first_picture;
        let wrote = self.scene.glyphs.len() > mark.first_glyph;
        let enough = self.scene.figures.len() >= MAX_FIGURES;
        if enough || mark.hidden || mark.artifact || wrote && !drew && !mark.is_figure {
            return;
        }
        let own = mark.alternative.clone().or_else(|| mark.actual_text.clone().filter(|_| drew && !wrote));
        let owner = || mark.number.and_then(|number| self.figures.of_content(self.file, number));
        let Some(text) = own.or_else(owner).filter(|text| text.chars().any(char::is_alphanumeric)) else { return };
        let fills = self.scene.fills.iter().skip(mark.first_fill).map(|fill| fill.area);
        let glyphs = self.scene.glyphs.iter().skip(mark.first_glyph);
        let places = glyphs.map(|glyph| Area { left: glyph.x, bottom: glyph.y, right: glyph.x, top: glyph.y });
        let pictures = self.scene.pictures.iter().skip(mark.first_picture).copied();
        let area = pictures.chain(fills).chain(places).fold(Area::EMPTY, Area::around);
        self.scene.figures.push(Figure { area, text });
    }

    /// Like `describe`, for an image owned by a structure element as a whole.
    pub(super) fn describe_owned(&mut self, dict: &Dict) {
        if let (Some(text), Some(area)) = (self.figures.of_object(self.file, dict), self.scene.pictures.last()) {
            self.scene.figures.push(Figure { area: *area, text });
        }
    }
}
