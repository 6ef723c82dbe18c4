//! Decides which painted characters a reader can see.
//!
//! Invisible text is the usual vector for prompt injection. It is removed only if it is provably invisible: on a hidden
//! layer, not painted, fully transparent, outside of the page or clipping area, in the colour of its background,
//! covered by something opaque, or microscopically small. The text layer of a scan (render mode 3 over an image) is
//! also invisible, but it is the text of that page.

use std::collections::HashMap;

use super::{
    geometry::Area,
    scene::{Fill, Glyph, Scene, Seen},
    state::Paint,
};

/// Points; letters of this size are a quarter of a millimetre high.
const MIN_GLYPH_SIZE: f32 = 1.0;
/// Maximum shapes per page, largest first; a drawing has more.
const MAX_FILLS: usize = 1000;
/// Number of outlines above which a page shows its text as shapes.
pub(super) const MANY_OUTLINES: usize = 300;

/// Sets `seen` of every glyph to `Painted` or `Hidden`.
pub(super) fn judge(scene: &mut Scene, page: Area) {
    // On very small paper a small letter is not small.
    let min_size = MIN_GLYPH_SIZE.min(page.height().min(page.width()) / 300.0);
    let drawing = scene.outlines > MANY_OUTLINES && scene.glyphs.iter().all(|glyph| glyph.seen != Seen::Painted);
    let fills = large(&mut scene.fills);
    for (index, glyph) in scene.glyphs.iter_mut().enumerate() {
        let at = middle(glyph);
        let out_of_sight = !page.contains(at) || glyph.size < min_size;
        glyph.seen = match glyph.seen {
            Seen::Hidden => Seen::Hidden,
            _ if out_of_sight => Seen::Hidden,
            // The text layer of a scan, whose visible letters are pixels or shapes.
            Seen::NotPainted if drawing || scene.pictures.iter().any(|picture| picture.contains(at)) => Seen::Painted,
            Seen::NotPainted => Seen::Hidden,
            Seen::Painted if is_lost(glyph, at, index, fills) => Seen::Hidden,
            Seen::Painted => Seen::Painted,
        };
    }
}

fn middle(glyph: &Glyph) -> (f32, f32) {
    let along = (0.5 * (glyph.advance - glyph.spacing)).clamp(0.0, glyph.size);
    let up = 0.3 * glyph.size;
    let (dx, dy) = glyph.direction;
    (glyph.x + along * dx - up * dy, glyph.y + along * dy + up * dx)
}

/// In the colour of its background, or covered.
fn is_lost(glyph: &Glyph, at: (f32, f32), index: usize, fills: &[Fill]) -> bool {
    let mut background = Paint::WHITE;
    for fill in fills.iter().filter(|fill| fill.area.contains(at)) {
        if fill.after <= index {
            background = fill.colour;
        } else if fill.covers {
            return true;
        }
    }
    glyph.colour.is_like(background)
}

fn large(fills: &mut Vec<Fill>) -> &[Fill] {
    if fills.len() > MAX_FILLS {
        let mut sizes: Vec<f32> = fills.iter().map(|fill| fill.area.size()).collect();
        sizes.sort_unstable_by(f32::total_cmp);
        let least = sizes[sizes.len() - MAX_FILLS];
        fills.retain(|fill| fill.area.size() >= least);
        fills.truncate(2 * MAX_FILLS);
    }
    fills
}

/// Removes glyphs drawn twice at one place for bold type or shadows; returns the removed characters.
pub(super) fn remove_duplicates(glyphs: &mut Vec<Glyph>) -> String {
    let mut places: HashMap<(i32, i32, Option<char>), Vec<usize>> = HashMap::new();
    let mut doubles = vec![false; glyphs.len()];
    let mut text = String::new();
    for (index, glyph) in glyphs.iter().enumerate() {
        let first = glyph.text.as_ref().and_then(|text| text.chars().next()).filter(|c| !c.is_whitespace());
        let Some(first) = first else { continue };
        #[expect(clippy::cast_possible_truncation, reason = "points on a page, in cells of four")]
        let (column, row) = ((glyph.x / 4.0).floor() as i32, (glyph.y / 4.0).floor() as i32);
        let near = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (column + dx, row + dy, Some(first))));
        let same = |other: &usize| {
            let other = &glyphs[*other];
            let away = (other.x - glyph.x).abs().max((other.y - glyph.y).abs());
            // Two equal narrow letters in a word are further apart.
            away < (0.12 * glyph.size).min(0.4 * glyph.advance.abs()).min(3.0)
                && (other.size - glyph.size).abs() < 0.1 * glyph.size
                && other.text == glyph.text
        };
        if near.into_iter().any(|place| places.get(&place).is_some_and(|there| there.iter().any(same))) {
            doubles[index] = true;
            text.extend(glyph.text.iter().flat_map(|text| text.chars()));
        } else {
            places.entry((column, row, Some(first))).or_default().push(index);
        }
    }
    let mut index = 0;
    glyphs.retain(|_| {
        index += 1;
        !doubles[index - 1]
    });
    text
}
