//! Small charts, rendered on the server: sparkline and bars. Colours and sizes come from the stylesheet (`.spark`, `.bars`), so they follow
//! the theme.

use std::fmt::Write;

use super::format::{Html, escape};

const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 28.0;

/// Filled line chart of `values` (oldest first), labelled `label` for screen readers. Empty for fewer than two values.
pub fn sparkline(values: &[f64], label: &str) -> Html {
    if values.len() < 2 {
        return Html::new();
    }
    let top = values.iter().copied().fold(0.0, f64::max);
    let step = WIDTH / (values.len() - 1) as f64;
    let mut line = String::new();
    for (index, value) in values.iter().enumerate() {
        let y = if top > 0.0 { HEIGHT - 2.0 - value.max(0.0) / top * (HEIGHT - 4.0) } else { HEIGHT - 2.0 };
        let _ = write!(line, "{}{:.1} {y:.1}", if index == 0 { "M" } else { "L" }, index as f64 * step);
    }
    format!(
        r#"<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"><path class="spark-area" d="{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z"/><path class="spark-line" d="{line}"/></svg>"#,
        escape(label)
    )
}

/// Bar chart of `values` (oldest first), scaled to the highest; a zero stays visible as a base line.
pub fn bars(values: &[f64], label: &str) -> Html {
    if values.is_empty() {
        return Html::new();
    }
    let top = values.iter().copied().fold(0.0, f64::max);
    let slot = WIDTH / values.len() as f64;
    let mut rects = String::new();
    for (index, value) in values.iter().enumerate() {
        let height = if top > 0.0 { (value.max(0.0) / top * HEIGHT).max(1.0) } else { 1.0 };
        let _ = write!(
            rects,
            r#"<rect x="{:.2}" y="{:.2}" width="{:.2}" height="{height:.2}"/>"#,
            index as f64 * slot,
            HEIGHT - height,
            slot * 0.7
        );
    }
    format!(
        r#"<svg class="bars" role="img" aria-label="{}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{rects}</svg>"#,
        escape(label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_scale_to_their_tallest_value() {
        let svg = sparkline(&[0.0, 5.0, 10.0], "Tokens & more");
        assert!(svg.contains("M0.0 26.0L50.0 14.0L100.0 2.0") && svg.contains("Tokens &amp; more"), "{svg}");
        assert!(sparkline(&[1.0], "x").is_empty());
        assert!(bars(&[0.0, 4.0], "x").contains(r#"height="28.00""#));
        assert!(!bars(&[0.0, 0.0], "x").contains("NaN"));
    }
}
