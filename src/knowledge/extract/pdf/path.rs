//! Path construction, before filling, stroking or clipping.

use pdf_oxide::content::Operator;

use super::geometry::{Area, Matrix};

/// The current path, in page coordinates.
pub(super) struct Path {
    pub(super) area: Area,
    pub(super) rectangles: Vec<Area>,
    pub(super) only_rectangles: bool,
    pub(super) curves: usize,
    pub(super) clips: bool,
    last: (f32, f32),
    /// Vertical lines: (x, bottom, top).
    pub(super) verticals: Vec<(f32, f32, f32)>,
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
    /// Returns false if the operator is not for path construction.
    pub(super) fn step(&mut self, operator: &Operator, matrix: Matrix) -> bool {
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
