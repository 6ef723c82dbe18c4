//! Interprets the content streams of a page: which characters are painted where, and in which z-order.
//!
//! Forms, tiling patterns and annotation appearances are interpreted like the page itself. Nothing is dropped here:
//! glyphs carry the attributes by which `visible` decides.

mod marks;
mod paint;

use std::{borrow::Cow, rc::Rc, sync::LazyLock};

use pdf_oxide::{
    content::{Operator, TextElement, parse_content_stream},
    object::{Object, ObjectRef},
};

use self::marks::Mark;
use super::{
    super::{UnreadPart, UnreadWhat},
    depth::is_nested_too_deeply,
    figures::Figures,
    file::{Dict, File, number},
    font::Fonts,
    geometry::{Area, Matrix},
    layers::Layers,
    path::Path,
    scene::{Glyph, Scene, Seen},
    state::{Paint, State},
};

/// Maximum nesting of forms; deeper ones are cycles.
const DEEPEST: usize = 24;
/// Maximum operators per page, including repeatedly drawn forms.
const MAX_OPERATORS: usize = 4_000_000;
/// The library silently stops reading a stream after this many operators.
const MAX_OPERATORS_PER_STREAM: usize = 1_000_000;
/// Maximum characters per page: more than a book has.
const MAX_GLYPHS: usize = 1_000_000;

/// In a text array, a number after a string must be followed by a string or the end of the array; anything else is a
/// stray operator. The library drops the whole line, other readers skip the operator.
static STRAY: LazyLock<Option<regex::bytes::Regex>> =
    LazyLock::new(|| regex::bytes::Regex::new(r"(?-u)([)>]\s*)-?[0-9.]+\s+T[cwzs]\s*((?:-?[0-9.]+\s*)?[(<\]])").ok());

fn without_strays(data: &[u8]) -> Cow<'_, [u8]> {
    STRAY.as_ref().map_or(Cow::Borrowed(data), |stray| stray.replace_all(data, &b"$1 $2"[..]))
}

pub(super) struct Runner<'a> {
    pub(super) file: &'a File,
    pub(super) fonts: &'a Fonts,
    pub(super) layers: &'a Layers,
    pub(super) scene: Scene,
    /// Alternative texts from the structure elements that own the page's content.
    pub(super) figures: Figures<'a>,
    marks: Vec<Mark>,
    operators: usize,
    patterns: Vec<String>,
    /// The forms being interpreted; a recursive form is drawn once.
    running: Vec<ObjectRef>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(file: &'a File, fonts: &'a Fonts, layers: &'a Layers) -> Self {
        let (scene, figures, marks, patterns, running) = Default::default();
        Runner { file, fonts, layers, scene, figures, marks, operators: 0, patterns, running }
    }

    pub(super) fn problem(&mut self, problem: impl Into<UnreadPart>) {
        let problem = problem.into();
        if !self.scene.problems.contains(&problem) && self.scene.problems.len() < 20 {
            self.scene.problems.push(problem);
        }
    }

    pub(super) fn run(&mut self, data: &[u8], resources: &Dict, start: &State, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if is_nested_too_deeply(data) {
            return self.problem(UnreadWhat::Stream.with("it is nested too deeply"));
        }
        let operators = match parse_content_stream(&without_strays(data)) {
            Ok(operators) => operators,
            Err(error) => return self.problem(UnreadWhat::Stream.with(error)),
        };
        if operators.len() >= MAX_OPERATORS_PER_STREAM {
            self.problem(UnreadWhat::MuchContent);
        }
        let fonts = self.file.dict(resources, "Font");
        let mut scope = Scope {
            resources,
            fonts,
            state: start.clone(),
            stack: Vec::new(),
            path: Path::default(),
            depth,
            in_text: false,
        };
        let marks = self.marks.len();
        for operator in operators {
            self.operators += 1;
            if self.operators > MAX_OPERATORS {
                return self.problem(UnreadWhat::MuchContent);
            }
            self.step(&mut scope, operator);
        }
        while self.marks.len() > marks {
            self.end_mark();
        }
        // Decompression returns what it can of a damaged stream, without an error.
        if depth == 0 && scope.in_text {
            self.problem(UnreadWhat::BrokenText);
        }
    }

    fn step(&mut self, scope: &mut Scope<'_>, operator: Operator) {
        match operator {
            Operator::SaveState => {
                if scope.stack.len() < 512 {
                    scope.stack.push(scope.state.clone());
                }
            }
            Operator::RestoreState => {
                if let Some(state) = scope.stack.pop() {
                    scope.state = state;
                }
            }
            Operator::Tf { font, size } => {
                scope.state.font = self.fonts.get(self.file, &scope.fonts, &font);
                scope.state.size = size;
            }
            Operator::Tj { text } => self.show(&mut scope.state, &text),
            Operator::TJ { array } => self.show_all(&mut scope.state, &array),
            Operator::Quote { text } => {
                scope.state.next_line(0.0, -scope.state.leading);
                self.show(&mut scope.state, &text);
            }
            Operator::DoubleQuote { word_space, char_space, text } => {
                (scope.state.word_space, scope.state.char_space) = (word_space, char_space);
                scope.state.next_line(0.0, -scope.state.leading);
                self.show(&mut scope.state, &text);
            }
            Operator::SetExtGState { dict_name } => self.graphics_state(scope, &dict_name),
            Operator::SetFillColorSpace { name } => {
                let spaces = self.file.dict(scope.resources, "ColorSpace");
                scope.state.space = super::state::space(self.file, &spaces, &name);
                scope.state.pattern = None;
                scope.state.fill = scope.state.space.map_or(Paint::Unknown, |_| Paint::BLACK);
            }
            Operator::SetFillColorN { components, name } => {
                scope.state.pattern = name.map(|name| *name);
                scope.state.set_colour(&components);
            }
            Operator::Do { name } => self.external(scope, &name),
            Operator::InlineImage { .. } => self.picture(&scope.state),
            Operator::PaintShading { .. } => {
                let area = scope.state.clip;
                self.fill(&scope.state, area, Paint::Unknown, false);
            }
            Operator::BeginMarkedContent { tag } => self.begin_mark(&tag, None, scope.resources),
            Operator::BeginMarkedContentDict { tag, properties } => {
                self.begin_mark(&tag, Some(&properties), scope.resources);
            }
            Operator::EndMarkedContent => self.end_mark(),
            Operator::Fill | Operator::FillEvenOdd => self.paint(scope, true, false),
            Operator::FillStroke
            | Operator::FillStrokeEvenOdd
            | Operator::CloseFillStroke
            | Operator::CloseFillStrokeEvenOdd => self.paint(scope, true, true),
            Operator::Stroke | Operator::CloseAndStroke => self.paint(scope, false, true),
            Operator::EndPath => self.paint(scope, false, false),
            other => {
                match other {
                    Operator::BeginText => scope.in_text = true,
                    Operator::EndText => scope.in_text = false,
                    _ => {}
                }
                if !scope.path.step(&other, scope.state.matrix) {
                    scope.state.step(&other);
                }
            }
        }
    }

    fn show_all(&mut self, state: &mut State, array: &[TextElement]) {
        for element in array {
            match element {
                TextElement::String(text) => self.show(state, text),
                TextElement::Offset(offset) => {
                    let by = -offset / 1000.0 * state.size;
                    let vertical = state.font.as_ref().is_some_and(|font| font.vertical);
                    state.advance(if vertical { (0.0, by) } else { (by * state.scale, 0.0) });
                }
            }
        }
    }

    fn show(&mut self, state: &mut State, bytes: &[u8]) {
        let Some(font) = state.font.clone() else { return };
        let (hidden, artifact) = (self.is_hidden(), self.is_artifact());
        let seen = match state.mode {
            _ if hidden => Seen::Hidden,
            3 => Seen::NotPainted,
            // Some programs write the text layer of a scan in a transparent colour.
            _ if state.opacity() < 0.02 => Seen::NotPainted,
            _ => Seen::Painted,
        };
        let room = MAX_GLYPHS.saturating_sub(self.scene.glyphs.len());
        if bytes.len() > room {
            self.problem(UnreadWhat::ManyCharacters);
        }
        for (code, length) in font.codes(&bytes[..bytes.len().min(room)]) {
            let to_page = state.text_matrix.then(state.matrix);
            let (x, y) = to_page.apply(0.0, state.rise);
            let word = if length == 1 && code == 32 { state.word_space } else { 0.0 };
            let (advance, spacing, step, axis) = if font.vertical {
                let step = -(state.size + state.char_space + word);
                (-step * to_page.up(), state.char_space * to_page.up(), (0.0, step), (-to_page.0[2], -to_page.0[3]))
            } else {
                let own = font.width(code) * state.size;
                let step = (own + state.char_space + word) * state.scale;
                let across = to_page.across();
                let spacing = state.char_space * state.scale * across;
                let sign = if state.size * state.scale < 0.0 { -1.0 } else { 1.0 };
                (sign * step * across, sign * spacing, (step, 0.0), (sign * to_page.0[0], sign * to_page.0[1]))
            };
            let length = axis.0.hypot(axis.1).max(f32::MIN_POSITIVE);
            self.scene.glyphs.push(Glyph {
                text: font.unicode(code),
                x,
                y,
                direction: (axis.0 / length, axis.1 / length),
                advance,
                spacing,
                size: (state.size * font.height).abs() * to_page.up(),
                bold: font.bold || state.mode == 2,
                artifact,
                font: Rc::clone(&font),
                // Outlined text has its colour in the stroke.
                colour: if matches!(state.mode, 0 | 4) && state.pattern.is_none() {
                    state.fill
                } else {
                    Paint::Unknown
                },
                seen: if state.clip.contains(middle((x, y), to_page, state.size)) { seen } else { Seen::Hidden },
            });
            state.advance(step);
        }
    }

    fn graphics_state(&mut self, scope: &mut Scope<'_>, name: &str) {
        let dict = self.file.dict(&self.file.dict(scope.resources, "ExtGState"), name);
        if let Some(alpha) = number(&self.file.get(&dict, "ca")) {
            scope.state.alpha = alpha;
        }
        match self.file.get(&dict, "BM") {
            Object::Null => {}
            mode => scope.state.blends = !matches!(mode.as_name(), Some("Normal" | "Compatible")),
        }
        match self.file.get(&dict, "SMask") {
            Object::Null => {}
            mask => scope.state.masked = mask.as_name() != Some("None"),
        }
        if let [font, size] = self.file.array(&dict, "Font").as_slice() {
            let fonts = Dict::from([(String::new(), font.clone())]);
            scope.state.font = self.fonts.get(self.file, &fonts, "");
            scope.state.size = number(size).unwrap_or(scope.state.size);
        }
    }

    fn external(&mut self, scope: &mut Scope<'_>, name: &str) {
        let Some(entry) = self.file.dict(scope.resources, "XObject").remove(name) else { return };
        let target = self.file.resolve(&entry);
        let Some(dict) = target.as_dict() else {
            if target.is_null() {
                self.problem(UnreadWhat::MissingObject);
            }
            return;
        };
        let hidden = dict.get("OC").is_some_and(|layer| self.layers.hides(self.file, layer));
        match self.file.get(dict, "Subtype").as_name() {
            Some("Image") if !hidden => {
                self.picture(&scope.state);
                self.describe_owned(dict);
            }
            Some("Form") => {
                let mut state = scope.state.clone();
                state.group_alpha = state.opacity();
                state.alpha = 1.0;
                self.push_mark(Mark::of_form(hidden));
                self.form(&entry, dict, scope.resources, state, scope.depth + 1);
                self.end_mark();
            }
            _ => {}
        }
    }

    /// Interprets a form, pattern or appearance in the coordinates of `state`.
    pub(super) fn form(&mut self, entry: &Object, dict: &Dict, outer: &Dict, mut state: State, depth: usize) {
        let reference = entry.as_reference();
        if depth > DEEPEST || reference.is_some_and(|at| self.running.contains(&at)) {
            return;
        }
        let data = match self.file.unpack(entry) {
            Ok(unpacked) => {
                if let Some(damage) = unpacked.damage {
                    self.problem(UnreadWhat::DamagedContent.with(damage));
                }
                unpacked.data
            }
            Err(reason) => return self.problem(UnreadWhat::PackedStream.with(reason)),
        };
        self.running.extend(reference);
        // Repeatedly unpacking a form costs time, too.
        self.operators += 10 + data.len() / 16;
        if self.operators > MAX_OPERATORS {
            return self.problem(UnreadWhat::MuchContent);
        }
        state.matrix = Matrix::from_slice(&self.file.numbers(dict, "Matrix")).then(state.matrix);
        if let Some(area) = Area::of_corners(&self.file.numbers(dict, "BBox")) {
            state.clip_to(area.through(state.matrix), state.matrix.is_upright());
        }
        let own = self.file.get(dict, "Resources");
        let resources = own.as_dict().unwrap_or(outer);
        self.run(&data, resources, &state, depth);
        self.running.truncate(self.running.len() - usize::from(reference.is_some()));
    }
}

fn middle((x, y): (f32, f32), to_page: Matrix, size: f32) -> (f32, f32) {
    let m = to_page.0;
    (x + 0.25 * size * (m[0] + m[2]), y + 0.25 * size * (m[1] + m[3]))
}

/// A stream being interpreted.
struct Scope<'a> {
    resources: &'a Dict,
    fonts: Dict,
    state: State,
    stack: Vec<State>,
    path: Path,
    depth: usize,
    in_text: bool,
}
