//! Runs the content streams of a page: which characters are painted where, over what and under what.
//!
//! Forms, tiling patterns and the appearances of annotations run as the page itself does. Nothing is left out here:
//! each glyph is marked with what speaks against its being seen, and `visible` judges.

use std::rc::Rc;

use pdf_oxide::{
    content::{Operator, TextElement, parse_content_stream},
    object::{Object, ObjectRef},
};

use super::{
    file::{Dict, File, number, text},
    font::{Font, Fonts},
    geometry::{Area, Matrix},
    layers::Layers,
    state::{Paint, State},
};

/// Forms in forms; deeper ones loop.
const DEEPEST: usize = 24;
/// Operators on one page, forms that are drawn again and again included.
const MOST_RULES: usize = 20_000;
const MOST_OPERATORS: usize = 4_000_000;

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

/// Everything that a page paints.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) fills: Vec<Fill>,
    pub(super) pictures: Vec<Area>,
    /// Vertical lines: place, bottom and top.
    pub(super) rules: Vec<(f32, f32, f32)>,
    /// Curves and lines of filled shapes: letters drawn as outlines have many.
    pub(super) outlines: usize,
    /// What could not be read, in words.
    pub(super) problems: Vec<String>,
}

impl std::fmt::Debug for Font {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// A piece of marked content.
#[derive(Default)]
struct Mark {
    hidden: bool,
    artifact: bool,
    actual_text: Option<String>,
    first_glyph: usize,
}

pub(super) struct Runner<'a> {
    pub(super) file: &'a File,
    pub(super) fonts: &'a Fonts,
    pub(super) layers: &'a Layers,
    pub(super) scene: Scene,
    marks: Vec<Mark>,
    operators: usize,
    patterns: Vec<String>,
    /// Forms that are running; one that draws itself is drawn once.
    running: Vec<ObjectRef>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(file: &'a File, fonts: &'a Fonts, layers: &'a Layers) -> Self {
        let (scene, marks, patterns, running) = Default::default();
        Runner { file, fonts, layers, scene, marks, operators: 0, patterns, running }
    }

    pub(super) fn problem(&mut self, problem: String) {
        if !self.scene.problems.contains(&problem) && self.scene.problems.len() < 20 {
            self.scene.problems.push(problem);
        }
    }

    pub(super) fn run(&mut self, data: &[u8], resources: &Dict, start: &State, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let operators = match parse_content_stream(data) {
            Ok(operators) => operators,
            Err(error) => return self.problem(format!("a stream that could not be understood ({error})")),
        };
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
            if self.operators > MOST_OPERATORS {
                return self.problem("a page with more content than is read".to_owned());
            }
            self.step(&mut scope, operator);
        }
        while self.marks.len() > marks {
            self.end_mark();
        }
        // Unpacking gives what it can of a damaged stream and does not say that the rest is missing.
        if depth == 0 && scope.in_text {
            self.problem("its content ends in the middle of a text: the rest may be damaged".to_owned());
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
        let hidden = self.marks.iter().any(|mark| mark.hidden);
        let artifact = self.marks.iter().any(|mark| mark.artifact);
        let seen = match state.mode {
            _ if hidden => Seen::Hidden,
            3 => Seen::NotPainted,
            // Some programs write the text layer of a scan in a transparent colour.
            _ if state.opacity() < 0.02 => Seen::NotPainted,
            _ => Seen::Painted,
        };
        for (code, length) in font.codes(bytes) {
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
                self.problem("an object that the file does not have".to_owned());
            }
            return;
        };
        let hidden = dict.get("OC").is_some_and(|layer| self.layers.hides(self.file, layer));
        match self.file.get(dict, "Subtype").as_name() {
            Some("Image") if !hidden => self.picture(&scope.state),
            Some("Form") => {
                let mut state = scope.state.clone();
                state.group_alpha = state.opacity();
                state.alpha = 1.0;
                self.marks.push(Mark { hidden, ..Mark::default() });
                self.form(&entry, dict, scope.resources, state, scope.depth + 1);
                self.end_mark();
            }
            _ => {}
        }
    }

    /// A form, pattern or appearance, in the coordinates of `state`.
    pub(super) fn form(&mut self, entry: &Object, dict: &Dict, outer: &Dict, mut state: State, depth: usize) {
        let reference = entry.as_reference();
        if depth > DEEPEST || reference.is_some_and(|at| self.running.contains(&at)) {
            return;
        }
        let data = match self.file.data(entry) {
            Ok(data) => data,
            Err(reason) => return self.problem(format!("a stream that could not be unpacked ({reason})")),
        };
        self.running.extend(reference);
        // Unpacking the same form again and again is work too.
        self.operators += 10 + data.len() / 16;
        if self.operators > MOST_OPERATORS {
            return self.problem("a page with more content than is read".to_owned());
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

    fn picture(&mut self, state: &State) {
        if self.marks.iter().any(|mark| mark.hidden) {
            return;
        }
        let unit = Area { left: 0.0, bottom: 0.0, right: 1.0, top: 1.0 };
        let area = unit.through(state.matrix).common(state.clip);
        if area.size() > 0.0 {
            self.scene.pictures.push(area);
            self.fill(state, area, Paint::Unknown, false);
        }
    }

    fn paint(&mut self, scope: &mut Scope<'_>, fills: bool, strokes: bool) {
        let path = std::mem::take(&mut scope.path);
        let hidden = self.marks.iter().any(|mark| mark.hidden);
        if (fills || strokes) && !hidden && self.scene.rules.len() < MOST_RULES {
            let thin = |area: &Area| area.width() < 2.5 && area.height() > 5.0;
            let edges = path.rectangles.iter().flat_map(|area| match (thin(area), strokes) {
                (true, _) => vec![(area.left, area.bottom, area.top)],
                (false, true) => vec![(area.left, area.bottom, area.top), (area.right, area.bottom, area.top)],
                (false, false) => Vec::new(),
            });
            self.scene.rules.extend(edges);
            // A filled shape of lines is a rule where it is thin.
            if strokes || thin(&path.area) {
                self.scene.rules.extend(&path.verticals);
            }
        }
        if fills && !hidden {
            self.scene.outlines += path.curves;
            if let Some(pattern) = scope.state.pattern.clone() {
                self.fill(&scope.state, path.area, Paint::Unknown, false);
                self.tiling(scope, &pattern);
            } else if path.only_rectangles {
                for area in &path.rectangles {
                    self.fill(&scope.state, *area, scope.state.fill, true);
                }
            } else {
                self.fill(&scope.state, path.area, Paint::Unknown, false);
            }
        }
        if strokes && !hidden && scope.state.line_width * scope.state.matrix.up() > 3.0 {
            self.fill(&scope.state, path.area, Paint::Unknown, false);
        }
        if path.clips {
            let exact = path.only_rectangles && path.rectangles.len() == 1;
            scope.state.clip_to(path.area, exact);
        }
    }

    fn fill(&mut self, state: &State, area: Area, colour: Paint, whole: bool) {
        let area = area.common(state.clip);
        if area.width() < 2.0 || area.height() < 2.0 || state.opacity() < 0.02 {
            return;
        }
        let solid = state.opacity() > 0.98 && !state.blends && !state.masked;
        let covers = whole && solid && state.clip_is_exact && colour != Paint::Unknown;
        let colour = if covers { colour } else { Paint::Unknown };
        self.scene.fills.push(Fill { area, colour, after: self.scene.glyphs.len(), covers });
    }

    /// Text within a tiling pattern, once.
    fn tiling(&mut self, scope: &Scope<'_>, name: &str) {
        let Some(entry) = self.file.dict(scope.resources, "Pattern").remove(name) else { return };
        let target = self.file.resolve(&entry);
        let Object::Stream { dict, .. } = &target else { return };
        let key = format!("{entry:?}");
        if self.patterns.len() >= 50 || key.len() > 200 || self.patterns.contains(&key) {
            return;
        }
        self.patterns.push(key);
        let state =
            State { matrix: scope.state.base, base: scope.state.base, clip: scope.state.clip, ..State::default() };
        self.form(&entry, dict, scope.resources, state, scope.depth + 1);
    }

    fn begin_mark(&mut self, tag: &str, properties: Option<&Object>, resources: &Dict) {
        let mut mark = Mark { artifact: tag == "Artifact", first_glyph: self.scene.glyphs.len(), ..Mark::default() };
        let named = properties
            .and_then(Object::as_name)
            .map(|name| self.file.dict(resources, "Properties").get(name).cloned().unwrap_or(Object::Null));
        if let Some(properties) = named.as_ref().or(properties) {
            mark.hidden = tag == "OC" && self.layers.hides(self.file, properties);
            if let Some(dict) = self.file.resolve(properties).as_dict() {
                mark.actual_text = text(&self.file.get(dict, "ActualText"));
            }
        }
        self.marks.push(mark);
    }

    fn end_mark(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        let Some(actual) = mark.actual_text else { return };
        let first = mark.first_glyph.min(self.scene.glyphs.len());
        let glyphs = &mut self.scene.glyphs[first..];
        // The words for these glyphs; a text far longer than they are is something else than what a viewer shows.
        if glyphs.is_empty() || actual.chars().count() > 4 * glyphs.len() + 4 {
            return;
        }
        let actual = actual.trim_end_matches('\u{ad}');
        if let [first, rest @ ..] = glyphs {
            first.text = Some(Rc::from(actual));
            // One glyph as wide as all of them.
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
}

fn middle((x, y): (f32, f32), to_page: Matrix, size: f32) -> (f32, f32) {
    let m = to_page.0;
    (x + 0.25 * size * (m[0] + m[2]), y + 0.25 * size * (m[1] + m[3]))
}

/// A stream that is running.
struct Scope<'a> {
    resources: &'a Dict,
    fonts: Dict,
    state: State,
    stack: Vec<State>,
    path: Path,
    depth: usize,
    in_text: bool,
}

/// The path under construction, on the page.
struct Path {
    area: Area,
    rectangles: Vec<Area>,
    only_rectangles: bool,
    curves: usize,
    clips: bool,
    last: (f32, f32),
    /// Vertical lines: place, bottom and top.
    verticals: Vec<(f32, f32, f32)>,
}

impl Default for Path {
    fn default() -> Self {
        Path {
            area: Area::EMPTY,
            rectangles: Vec::new(),
            only_rectangles: true,
            curves: 0,
            clips: false,
            last: (0.0, 0.0),
            verticals: Vec::new(),
        }
    }
}

impl Path {
    /// False for operators that build no path.
    fn step(&mut self, operator: &Operator, matrix: Matrix) -> bool {
        match *operator {
            Operator::MoveTo { x, y } => {
                self.last = matrix.apply(x, y);
                self.area.add(self.last);
            }
            Operator::LineTo { x, y } => {
                self.only_rectangles = false;
                self.curves += 1;
                let (from, to) = (self.last, matrix.apply(x, y));
                if (from.0 - to.0).abs() < 0.5 && (from.1 - to.1).abs() > 5.0 {
                    self.verticals.push((to.0, from.1.min(to.1), from.1.max(to.1)));
                }
                self.last = to;
                self.area.add(to);
            }
            Operator::CurveTo { x3, y3, .. }
            | Operator::CurveToV { x3, y3, .. }
            | Operator::CurveToY { x3, y3, .. } => {
                self.only_rectangles = false;
                self.curves += 1;
                self.area.add(matrix.apply(x3, y3));
            }
            Operator::Rectangle { x, y, width, height } => {
                let corners = [x, y, x + width, y + height];
                let area = Area::of_corners(&corners).unwrap_or(Area::EMPTY).through(matrix);
                self.only_rectangles &= matrix.is_upright();
                self.area.add((area.left, area.bottom));
                self.area.add((area.right, area.top));
                self.rectangles.push(area);
            }
            Operator::ClosePath => {}
            Operator::ClipNonZero | Operator::ClipEvenOdd => self.clips = true,
            _ => return false,
        }
        true
    }
}
