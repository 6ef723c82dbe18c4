//! Badges as SVG: two words on two colours. Pure.

use console::escape;

/// Half an em of Verdana at 11 px is near 3.8 px; this table has the widths in tenths of a pixel, for the characters from space to `~`.
const WIDTHS: [u16; 95] = [
    39, 43, 50, 90, 70, 118, 80, 30, 50, 50, 70, 90, 40, 50, 40, 50, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 50, 50,
    90, 90, 90, 60, 110, 75, 75, 77, 85, 70, 63, 85, 83, 46, 50, 76, 61, 93, 82, 87, 66, 87, 76, 75, 68, 81, 75, 109,
    75, 68, 75, 50, 50, 50, 90, 70, 70, 66, 69, 57, 69, 66, 39, 69, 70, 30, 38, 65, 30, 107, 70, 67, 69, 69, 47, 57,
    43, 70, 65, 90, 65, 65, 58, 70, 50, 70, 90,
];
/// Of other characters: Cyrillic letters are about as wide as a capital.
const OTHER: u16 = 80;
/// Left and right of each word, pixels.
const PADDING: u32 = 5;

/// Width of a text in pixels, as Verdana draws it at 11 px.
pub fn width(text: &str) -> u32 {
    let tenths: u32 = text
        .chars()
        .map(|c| {
            let index = (c as usize).checked_sub(32);
            u32::from(index.and_then(|index| WIDTHS.get(index)).copied().unwrap_or(OTHER))
        })
        .sum();
    tenths.div_ceil(10)
}

/// `label` on grey, `message` on `color`.
pub fn svg(label: &str, message: &str, color: &str) -> String {
    let (left, right) = (width(label) + 2 * PADDING, width(message) + 2 * PADDING);
    let (whole, middle_left, middle_right) = (left + right, left / 2, left + right / 2);
    let (label, message, color) = (escape(label), escape(message), escape(color));
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {message}"><title>{label}: {message}</title><clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath><g clip-path="url(#r)"><path fill="#444" d="M0 0h{left}v20H0z"/><path fill="{color}" d="M{left} 0h{right}v20H{left}z"/></g><g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"><text x="{middle_left}" y="14">{label}</text><text x="{middle_right}" y="14">{message}</text></g></svg>"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_and_names_are_escaped() {
        assert!(width("operational") > width("up") && width("Ж") == 8);
        let svg = svg("a<b>\"&", "up", "#1a7f37");
        assert!(svg.contains("a&lt;b&gt;&quot;&amp;: up") && !svg.contains("<b>"), "{svg}");
        assert!(svg.contains(r#"role="img""#) && svg.contains("<title>"), "{svg}");
    }
}
