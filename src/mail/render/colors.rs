//! Colours that can be read on each other (WCAG 2.2, relative luminance and contrast).

/// Contrast that small text needs (WCAG 2.2, level AA).
const READABLE: f64 = 4.5;
const WHITE: &str = "#ffffff";
const INK: &str = "#16191a";

/// `#rrggbb`
pub fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// White or nearly black, whichever is easier to read on `background`.
pub fn on(background: &str) -> &'static str {
    if contrast(background, WHITE) >= contrast(background, INK) { WHITE } else { INK }
}

/// The colour for links on white: `color`, or nearly black where that could not be read.
pub fn readable(color: &str) -> &str {
    if contrast(color, WHITE) >= READABLE { color } else { INK }
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(color: &str) -> f64 {
    let channel = |from: usize| {
        let digits = color.get(from..from + 2).unwrap_or_default();
        let value = f64::from(u8::from_str_radix(digits, 16).unwrap_or_default()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_be_read_on_every_colour() {
        assert_eq!((on("#0a756b"), on("#ffee00"), on("#000000"), on("#ffffff")), (WHITE, INK, WHITE, INK));
        assert_eq!((readable("#0a756b"), readable("#ffee00")), ("#0a756b", INK));
        for gray in 0..=255 {
            let color = format!("#{gray:02x}{gray:02x}{gray:02x}");
            assert!(contrast(&color, on(&color)) >= 4.1, "{color}");
        }
    }

    #[test]
    fn only_six_digits_are_a_colour() {
        assert!(is_color("#0A756b"));
        for other in ["", "#fff", "0a756b", "#0a756g", "#0a756b;", "red", "#ааа"] {
            assert!(!is_color(other), "{other}");
        }
    }
}
