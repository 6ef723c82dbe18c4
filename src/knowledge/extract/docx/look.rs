//! Formatting that affects a run's meaning: invisible or struck out.

use super::{inline::Line, reader::Reader, styles::Look, xml::Element};

/// Smaller text is not readable; half points.
const SMALLEST: u32 = 4;

impl Reader<'_, '_> {
    /// Hidden, too small, or white on the white page.
    pub(super) fn is_unseen(&self, properties: Option<&Element>, line: &Line) -> bool {
        let look = self.look(properties, line);
        let size = properties.and_then(|p| p.child_value("sz")).and_then(|size| size.parse::<u32>().ok());
        let is_shaded = || line.shaded || properties.is_some_and(|p| p.child("highlight").is_some() || is_shaded(p));
        look.hidden == Some(true)
            || size.is_some_and(|size| size < SMALLEST)
            || look.white == Some(true) && self.plain_ground && !is_shaded()
    }

    pub(super) fn is_struck(&self, properties: Option<&Element>, line: &Line) -> bool {
        self.look(properties, line).struck == Some(true)
    }

    /// The run's own formatting, else its style's, else the paragraph style's.
    fn look(&self, properties: Option<&Element>, line: &Line) -> Look {
        let style = properties.and_then(|p| p.child_value("rStyle")).map(|style| self.styles.look_of_run(style));
        let own = properties.map(Look::of).unwrap_or_default();
        own.or(style.unwrap_or_default()).or(line.look)
    }
}

/// Whether these properties set a background colour.
pub(super) fn is_shaded(properties: &Element) -> bool {
    properties.child("shd").is_some_and(|shading| {
        let plain = |value: Option<&str>| matches!(value, None | Some("auto" | "nil" | "clear" | "FFFFFF" | "ffffff"));
        !plain(shading.attribute("fill")) || !plain(shading.value()) || shading.attribute("themeFill").is_some()
    })
}
