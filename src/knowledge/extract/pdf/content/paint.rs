//! Shapes and images: the areas they cover, and rules that separate cells.

use pdf_oxide::object::Object;

use super::{
    super::{
        geometry::Area,
        scene::Fill,
        state::{Paint, State},
    },
    Runner, Scope,
};

/// Maximum rules per page; a drawing has more.
const MAX_RULES: usize = 20_000;

impl Runner<'_> {
    pub(super) fn picture(&mut self, state: &State) {
        if self.is_hidden() {
            return;
        }
        let unit = Area { left: 0.0, bottom: 0.0, right: 1.0, top: 1.0 };
        let area = unit.through(state.matrix).common(state.clip);
        if area.size() > 0.0 {
            self.scene.pictures.push(area);
            self.fill(state, area, Paint::Unknown, false);
        }
    }

    pub(super) fn paint(&mut self, scope: &mut Scope<'_>, fills: bool, strokes: bool) {
        let path = std::mem::take(&mut scope.path);
        let hidden = self.is_hidden();
        if (fills || strokes) && !hidden && self.scene.rules.len() < MAX_RULES {
            let thin = |area: &Area| area.width() < 2.5 && area.height() > 5.0;
            let edges = path.rectangles.iter().flat_map(|area| match (thin(area), strokes) {
                (true, _) => vec![(area.left, area.bottom, area.top)],
                (false, true) => vec![(area.left, area.bottom, area.top), (area.right, area.bottom, area.top)],
                (false, false) => Vec::new(),
            });
            self.scene.rules.extend(edges);
            // A thin filled shape is a rule.
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

    pub(super) fn fill(&mut self, state: &State, area: Area, colour: Paint, whole: bool) {
        let area = area.common(state.clip);
        if area.width() < 2.0 || area.height() < 2.0 || state.opacity() < 0.02 {
            return;
        }
        let solid = state.opacity() > 0.98 && !state.blends && !state.masked;
        let covers = whole && solid && state.clip_is_exact && colour != Paint::Unknown;
        let colour = if covers { colour } else { Paint::Unknown };
        self.scene.fills.push(Fill { area, colour, after: self.scene.glyphs.len(), covers });
    }

    /// Interprets the text within a tiling pattern, once.
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
}
