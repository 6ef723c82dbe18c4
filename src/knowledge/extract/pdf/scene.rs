//! What a page paints: characters, filled shapes, pictures and lines, each with what tells whether it is seen.

use std::rc::Rc;

use super::{super::UnreadPart, font::Font, geometry::Area, state::Paint};

/// A character as it stands on the page.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    /// `None` where the font does not tell which character it is.
    pub(super) text: Option<Rc<str>>,
    pub(super) x: f32,
    pub(super) y: f32,
    /// Direction of reading, length 1.
    pub(super) direction: (f32, f32),
    /// Length along the direction, spacing between letters included.
    pub(super) advance: f32,
    /// The spacing alone.
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
    /// Render mode 3, or transparent: the text layer of a scan, or a text that nobody is to see.
    NotPainted,
    Hidden,
}

/// What is painted over a part of the page, `after` so many glyphs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    pub(super) area: Area,
    pub(super) colour: Paint,
    pub(super) after: usize,
    /// It covers all of `area`, and what lies below does not shine through.
    pub(super) covers: bool,
}

/// What the file says that a figure shows.
#[derive(Debug)]
pub(super) struct Figure {
    /// Empty where nothing tells where it is.
    pub(super) area: Area,
    pub(super) text: String,
}

/// Everything that a page paints.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) fills: Vec<Fill>,
    pub(super) pictures: Vec<Area>,
    pub(super) figures: Vec<Figure>,
    /// Vertical lines: place, bottom and top.
    pub(super) rules: Vec<(f32, f32, f32)>,
    /// Curves and lines of filled shapes: letters drawn as outlines have many.
    pub(super) outlines: usize,
    /// What could not be read.
    pub(super) problems: Vec<UnreadPart>,
}
