//! The graphics state of a content stream, as far as it affects text.

use std::rc::Rc;

use pdf_oxide::content::Operator;

use super::{
    file::{Dict, File},
    font::Font,
    geometry::{Area, Matrix},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Paint {
    /// Red, green and blue, 0 to 1.
    Colour([f32; 3]),
    /// A pattern, image or spot colour.
    Unknown,
}

impl Paint {
    pub(super) const BLACK: Paint = Paint::Colour([0.0; 3]);
    pub(super) const WHITE: Paint = Paint::Colour([1.0; 3]);

    /// Whether text of one colour is unreadable on the other.
    pub(super) fn is_like(self, other: Paint) -> bool {
        match (self, other) {
            (Paint::Colour(a), Paint::Colour(b)) => a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.04),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) matrix: Matrix,
    /// The page's matrix, which patterns are based on.
    pub(super) base: Matrix,
    pub(super) clip: Area,
    /// `clip` is exact rather than a bounding box.
    pub(super) clip_is_exact: bool,
    pub(super) fill: Paint,
    pub(super) pattern: Option<String>,
    /// Number of colour components, if the colour space is known.
    pub(super) space: Option<usize>,
    pub(super) alpha: f32,
    pub(super) group_alpha: f32,
    pub(super) blends: bool,
    pub(super) masked: bool,
    pub(super) line_width: f32,
    pub(super) font: Option<Rc<Font>>,
    pub(super) size: f32,
    pub(super) char_space: f32,
    pub(super) word_space: f32,
    pub(super) scale: f32,
    pub(super) leading: f32,
    pub(super) rise: f32,
    pub(super) mode: u8,
    pub(super) text_matrix: Matrix,
    pub(super) line_matrix: Matrix,
}

impl Default for State {
    fn default() -> Self {
        State {
            matrix: Matrix::IDENTITY,
            base: Matrix::IDENTITY,
            clip: Area::EVERYTHING,
            clip_is_exact: true,
            fill: Paint::BLACK,
            pattern: None,
            space: Some(1),
            alpha: 1.0,
            group_alpha: 1.0,
            blends: false,
            masked: false,
            line_width: 1.0,
            font: None,
            size: 0.0,
            char_space: 0.0,
            word_space: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
            mode: 0,
            text_matrix: Matrix::IDENTITY,
            line_matrix: Matrix::IDENTITY,
        }
    }
}

impl State {
    pub(super) fn opacity(&self) -> f32 {
        self.alpha * self.group_alpha
    }

    pub(super) fn clip_to(&mut self, area: Area, exact: bool) {
        self.clip = self.clip.common(area);
        self.clip_is_exact &= exact;
    }

    pub(super) fn next_line(&mut self, x: f32, y: f32) {
        self.line_matrix = Matrix([1.0, 0.0, 0.0, 1.0, x, y]).then(self.line_matrix);
        self.text_matrix = self.line_matrix;
    }

    pub(super) fn advance(&mut self, (x, y): (f32, f32)) {
        self.text_matrix = Matrix([1.0, 0.0, 0.0, 1.0, x, y]).then(self.text_matrix);
    }

    pub(super) fn set_colour(&mut self, components: &[f32]) {
        self.fill = match (components, self.space) {
            ([gray], Some(1)) => Paint::Colour([*gray; 3]),
            ([r, g, b], Some(3)) => Paint::Colour([*r, *g, *b]),
            ([c, m, y, k], Some(4)) => Paint::Colour([c, m, y].map(|ink| (1.0 - ink) * (1.0 - k))),
            _ => Paint::Unknown,
        };
    }

    fn set_device_colour(&mut self, components: &[f32]) {
        self.space = Some(components.len());
        self.pattern = None;
        self.set_colour(components);
    }

    pub(super) fn step(&mut self, operator: &Operator) {
        match *operator {
            Operator::BeginText => (self.text_matrix, self.line_matrix) = (Matrix::IDENTITY, Matrix::IDENTITY),
            Operator::Td { tx, ty } => self.next_line(tx, ty),
            Operator::TD { tx, ty } => {
                self.leading = -ty;
                self.next_line(tx, ty);
            }
            Operator::TStar => self.next_line(0.0, -self.leading),
            Operator::Tm { a, b, c, d, e, f } => {
                self.text_matrix = Matrix([a, b, c, d, e, f]);
                self.line_matrix = self.text_matrix;
            }
            Operator::Tc { char_space } => self.char_space = char_space,
            Operator::Tw { word_space } => self.word_space = word_space,
            Operator::Tz { scale } => self.scale = scale / 100.0,
            Operator::TL { leading } => self.leading = leading,
            Operator::Tr { render } => self.mode = render,
            Operator::Ts { rise } => self.rise = rise,
            Operator::Cm { a, b, c, d, e, f } => self.matrix = Matrix([a, b, c, d, e, f]).then(self.matrix),
            Operator::SetFillGray { gray } => self.set_device_colour(&[gray]),
            Operator::SetFillRgb { r, g, b } => self.set_device_colour(&[r, g, b]),
            Operator::SetFillCmyk { c, m, y, k } => self.set_device_colour(&[c, m, y, k]),
            Operator::SetFillColor { ref components } => self.set_colour(components),
            Operator::SetLineWidth { width } => self.line_width = width,
            _ => {}
        }
    }
}

/// Number of components of a gray, RGB or CMYK colour space.
pub(super) fn space(file: &File, spaces: &Dict, name: &str) -> Option<usize> {
    let device = |name: &str| match name {
        "DeviceGray" | "CalGray" | "G" => Some(1),
        "DeviceRGB" | "CalRGB" | "RGB" => Some(3),
        "DeviceCMYK" | "CMYK" => Some(4),
        _ => None,
    };
    if let Some(components) = device(name) {
        return Some(components);
    }
    let space = spaces.get(name).map(|space| file.resolve(space))?;
    if let Some(name) = space.as_name() {
        return device(name);
    }
    let array = space.as_array()?;
    let family = file.resolve(array.first()?);
    if family.as_name()? == "ICCBased" {
        let profile = file.resolve(array.get(1)?);
        let components = file.get(profile.as_dict()?, "N").as_integer()?;
        return usize::try_from(components).ok().filter(|n| matches!(n, 1 | 3 | 4));
    }
    device(family.as_name()?)
}
