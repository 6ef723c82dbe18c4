//! The painted content of a page: characters, filled shapes, images and rules, with attributes that affect visibility.

use std::rc::Rc;

use super::{super::UnreadPart, font::Font, geometry::Area, state::Paint};

/// A character on the page.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    /// `None` if the font has no mapping for it.
    pub(super) text: Option<Rc<str>>,
    pub(super) x: f32,
    pub(super) y: f32,
    /// Reading direction, a unit vector.
    pub(super) direction: (f32, f32),
    /// Length along the direction, including letter spacing.
    pub(super) advance: f32,
    /// Letter spacing only.
    pub(super) spacing: f32,
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) artifact: bool,
    pub(super) font: Rc<Font>,
    pub(super) colour: Paint,
    pub(super) seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Painted,
    /// Render mode 3, or transparent: the text layer of a scan, or hidden text.
    NotPainted,
    Hidden,
}

/// A filled area, painted after this many glyphs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    pub(super) area: Area,
    pub(super) colour: Paint,
    pub(super) after: usize,
    /// It is opaque and covers all of `area`.
    pub(super) covers: bool,
}

/// Alternative text of a figure.
#[derive(Debug)]
pub(super) struct Figure {
    /// Empty if its position is unknown.
    pub(super) area: Area,
    pub(super) text: String,
}

/// Everything painted on a page.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) fills: Vec<Fill>,
    pub(super) pictures: Vec<Area>,
    pub(super) figures: Vec<Figure>,
    /// Vertical lines: (x, bottom, top).
    pub(super) rules: Vec<(f32, f32, f32)>,
    /// Number of path segments of filled shapes: text drawn as outlines has many.
    pub(super) outlines: usize,
    /// Parts that could not be read.
    pub(super) problems: Vec<UnreadPart>,
}
