//! Matrices and rectangles in page coordinates.

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix(pub(super) [f32; 6]);

impl Matrix {
    pub(super) const IDENTITY: Matrix = Matrix([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    pub(super) fn from_slice(numbers: &[f32]) -> Self {
        <[f32; 6]>::try_from(numbers).map_or(Self::IDENTITY, Matrix)
    }

    /// Applies `self` first, then `next`.
    #[expect(clippy::many_single_char_names, reason = "the standard's own names (ISO 32000-1, 8.3.3)")]
    pub(super) fn then(self, next: Matrix) -> Matrix {
        let ([a, b, c, d, e, f], [p, q, r, s, t, u]) = (self.0, next.0);
        Matrix([a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u])
    }

    #[expect(clippy::many_single_char_names, reason = "the standard's own names (ISO 32000-1, 8.3.3)")]
    pub(super) fn apply(self, x: f32, y: f32) -> (f32, f32) {
        let [a, b, c, d, e, f] = self.0;
        (a * x + c * y + e, b * x + d * y + f)
    }

    /// The length of a horizontal unit vector after the transformation.
    pub(super) fn across(self) -> f32 {
        self.0[0].hypot(self.0[1])
    }

    /// The length of a vertical unit vector after the transformation.
    pub(super) fn up(self) -> f32 {
        self.0[2].hypot(self.0[3])
    }

    /// Whether rectangles stay axis-aligned.
    pub(super) fn is_upright(self) -> bool {
        let [a, b, c, d, ..] = self.0;
        let small = 0.001 * (a.abs() + b.abs() + c.abs() + d.abs());
        (b.abs() <= small && c.abs() <= small) || (a.abs() <= small && d.abs() <= small)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) bottom: f32,
    pub(super) right: f32,
    pub(super) top: f32,
}

impl Area {
    pub(super) const EMPTY: Area = Area { left: f32::MAX, bottom: f32::MAX, right: f32::MIN, top: f32::MIN };
    pub(super) const EVERYTHING: Area = Area { left: f32::MIN, bottom: f32::MIN, right: f32::MAX, top: f32::MAX };

    /// `[x, y, x, y]`, any two opposite corners.
    pub(super) fn of_corners(numbers: &[f32]) -> Option<Self> {
        let [a, b, c, d] = numbers else { return None };
        Some(Area { left: a.min(*c), bottom: b.min(*d), right: a.max(*c), top: b.max(*d) })
    }

    pub(super) fn add(&mut self, (x, y): (f32, f32)) {
        self.left = self.left.min(x);
        self.right = self.right.max(x);
        self.bottom = self.bottom.min(y);
        self.top = self.top.max(y);
    }

    pub(super) fn through(self, matrix: Matrix) -> Area {
        let mut out = Area::EMPTY;
        for (x, y) in
            [(self.left, self.bottom), (self.right, self.bottom), (self.left, self.top), (self.right, self.top)]
        {
            out.add(matrix.apply(x, y));
        }
        out
    }

    pub(super) fn common(self, other: Area) -> Area {
        Area {
            left: self.left.max(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.min(other.right),
            top: self.top.min(other.top),
        }
    }

    /// The bounding box of both.
    pub(super) fn around(self, other: Area) -> Area {
        Area {
            left: self.left.min(other.left),
            bottom: self.bottom.min(other.bottom),
            right: self.right.max(other.right),
            top: self.top.max(other.top),
        }
    }

    pub(super) fn mirrored(self) -> Area {
        Area { left: -self.right, right: -self.left, ..self }
    }

    pub(super) fn contains(&self, (x, y): (f32, f32)) -> bool {
        x >= self.left && x <= self.right && y >= self.bottom && y <= self.top
    }

    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f32 {
        self.top - self.bottom
    }

    pub(super) fn size(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }
}
