//! Which part of a picture becomes which size: arithmetic, without pixels.

use image::metadata::Orientation;

use crate::{Fit, ImageError, Limit, Limits, Options, Rect};

/// A JPEG is decoded at least this many times as large as it is needed, so that it stays sharp.
const SPARE: u32 = 2;

/// What is done with a picture. Sizes are as it is seen, turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The part of the picture that is seen.
    pub region: Rect,
    /// Its size in the variant.
    pub width: u32,
    pub height: u32,
    /// The size of the variant, where there is a border.
    pub canvas: Option<(u32, u32)>,
}

impl Plan {
    /// Of a picture of this size, as it is seen.
    pub fn new((width, height): (u32, u32), options: &Options, limits: &Limits) -> Result<Self, ImageError> {
        let whole = Rect { x: 0, y: 0, width, height };
        let region = match options.crop {
            Some(crop) => part(crop, whole).ok_or(ImageError::Crop { width, height })?,
            None => whole,
        };
        let plan = match (options.width, options.height) {
            (None, None) => Self { region, width: region.width, height: region.height, canvas: None },
            (Some(width), None) => by_one_side(region, width, region.width, options.enlarge),
            (None, Some(height)) => by_one_side(region, height, region.height, options.enlarge),
            (Some(width), Some(height)) => by_both(region, (width, height), options),
        };
        let pixels = u64::from(plan.width) * u64::from(plan.height);
        if plan.width.max(plan.height) > limits.side {
            return Err(ImageError::refused(Limit::Side, limits.side));
        }
        if pixels > limits.pixels {
            return Err(ImageError::refused(Limit::Pixels, limits.pixels));
        }
        Ok(plan)
    }

    /// The size of the variant.
    pub fn size(&self) -> (u32, u32) {
        self.canvas.unwrap_or((self.width, self.height))
    }

    /// The same before the picture is turned.
    pub fn stored(&self, orientation: Orientation, (width, height): (u32, u32)) -> Self {
        let Rect { x, y, width: w, height: h } = self.region;
        // Distances from the right and lower edges of the stored picture.
        let (right, below) =
            (|begin: u32, side: u32| width - begin - side, |begin: u32, side: u32| height - begin - side);
        let (x, y) = match orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::Rotate90 => (y, below(x, w)),
            Orientation::Rotate180 => (right(x, w), below(y, h)),
            Orientation::Rotate270 => (right(y, h), x),
            Orientation::FlipHorizontal => (right(x, w), y),
            Orientation::FlipVertical => (x, below(y, h)),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate270FlipH => (right(y, h), below(x, w)),
        };
        if lies(orientation) {
            Self { region: Rect { x, y, width: h, height: w }, width: self.height, height: self.width, ..*self }
        } else {
            Self { region: Rect { x, y, width: w, height: h }, ..*self }
        }
    }

    /// How large the whole stored picture must be decoded at least.
    pub fn least(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let wider = u64::from(self.width) * u64::from(self.region.height);
        let higher = u64::from(self.height) * u64::from(self.region.width);
        let (by, of) =
            if wider >= higher { (self.width, self.region.width) } else { (self.height, self.region.height) };
        let side = |side: u32| scaled(side, by.saturating_mul(SPARE), of).min(side);
        (side(width), side(height))
    }

    /// The region in a picture that was decoded smaller.
    pub fn scaled(&self, stored: (u32, u32), decoded: (u32, u32)) -> Self {
        if stored == decoded {
            return *self;
        }
        let Rect { x, y, width, height } = self.region;
        let along = |begin: u32, side: u32, stored: u32, decoded: u32| {
            let begin = (u64::from(begin) * u64::from(decoded) / u64::from(stored.max(1))).min(u64::from(decoded) - 1);
            let begin = u32::try_from(begin).unwrap_or_default();
            (begin, scaled(side, decoded, stored).min(decoded - begin))
        };
        let (x, width) = along(x, width, stored.0, decoded.0);
        let (y, height) = along(y, height, stored.1, decoded.1);
        Self { region: Rect { x, y, width, height }, ..*self }
    }
}

/// Whether width and height change places.
pub(crate) fn lies(orientation: Orientation) -> bool {
    use Orientation as O;
    matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH)
}

/// A size as it is seen.
pub(crate) fn turned((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    if lies(orientation) { (height, width) } else { (width, height) }
}

/// `side * by / of`, rounded; at least 1.
fn scaled(side: u32, by: u32, of: u32) -> u32 {
    let of = u64::from(of.max(1));
    let scaled = (u64::from(side) * u64::from(by) + of / 2) / of;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

/// What of `part` lies in the picture.
fn part(part: Rect, whole: Rect) -> Option<Rect> {
    let side = |begin: u32, side: u32, whole: u32| {
        let left = whole.checked_sub(begin)?;
        Some(side.min(left)).filter(|side| *side > 0)
    };
    let width = side(part.x, part.width, whole.width)?;
    let height = side(part.y, part.height, whole.height)?;
    Some(Rect { width, height, ..part })
}

fn by_one_side(region: Rect, asked: u32, has: u32, enlarge: bool) -> Plan {
    let side = if enlarge { asked } else { asked.min(has) };
    let (width, height) = (scaled(region.width, side, has), scaled(region.height, side, has));
    Plan { region, width, height, canvas: None }
}

fn by_both(region: Rect, (width, height): (u32, u32), options: &Options) -> Plan {
    let capped = |region: Rect| {
        if options.enlarge { (width, height) } else { (width.min(region.width), height.min(region.height)) }
    };
    // The region is wider than the size that is asked for.
    let (wide, high) = (u64::from(region.width) * u64::from(height), u64::from(region.height) * u64::from(width));
    match options.fit {
        Fit::Fill => {
            let (width, height) = capped(region);
            Plan { region, width, height, canvas: None }
        }
        Fit::Cover => {
            let mut seen = region;
            if wide > high {
                seen.width = scaled(region.height, width, height).min(region.width);
                seen.x += (region.width - seen.width) * u32::from(options.focus.x) / 100;
            } else {
                seen.height = scaled(region.width, height, width).min(region.height);
                seen.y += (region.height - seen.height) * u32::from(options.focus.y) / 100;
            }
            let (width, height) = capped(seen);
            Plan { region: seen, width, height, canvas: None }
        }
        Fit::Contain | Fit::Inside => {
            let inside = if wide > high {
                by_one_side(region, width, region.width, options.enlarge)
            } else {
                by_one_side(region, height, region.height, options.enlarge)
            };
            let canvas = (options.fit == Fit::Contain).then_some((width, height));
            // Rounding may be one pixel more than there is room for.
            Plan { width: inside.width.min(width), height: inside.height.min(height), canvas, ..inside }
        }
    }
}
