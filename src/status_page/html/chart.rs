//! Latency of 24 hours as two lines, and the same as a table.

use std::fmt::Write as _;

use crate::page::{Chart, ChartPoint};

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// Lines of the median and of the 95th percentile. Empty where nothing was measured.
pub fn svg(chart: &Chart, label: &str) -> String {
    let top = chart.points.iter().filter_map(|point| point.p95.or(point.median)).max().unwrap_or_default();
    if top <= 0 {
        return String::new();
    }
    let line = |pick: fn(&ChartPoint) -> Option<i32>| -> String {
        let step = WIDTH / chart.points.len().saturating_sub(1).max(1) as f64;
        let (mut path, mut begins) = (String::new(), true);
        for (index, point) in chart.points.iter().enumerate() {
            // Time without a measurement is a gap, not a line.
            let Some(value) = pick(point) else {
                begins = true;
                continue;
            };
            let y = HEIGHT - 2.0 - f64::from(value) / f64::from(top) * (HEIGHT - 4.0);
            let _ = write!(path, "{}{:.0} {y:.0}", if begins { 'M' } else { 'L' }, index as f64 * step);
            begins = false;
        }
        path
    };
    format!(
        r#"<svg class=c viewBox="0 0 600 120" role=img aria-label="{}"><path stroke="var(--u)" d="{}"/><path stroke="var(--p)" stroke-dasharray="4 3" d="{}"/></svg>"#,
        console::escape(label),
        line(|point| point.median),
        line(|point| point.p95),
    )
}

/// Every fourth point, an hour apart: time, median and 95th percentile in milliseconds.
pub fn rows(chart: &Chart) -> Vec<(&ChartPoint, String, String)> {
    let text = |us: Option<i32>| us.map_or_else(|| "–".to_owned(), |us| (us / 1000).to_string());
    chart.points.iter().step_by(4).map(|point| (point, text(point.median), text(point.p95))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_gap_is_no_line() {
        let point =
            |n: i64, median| ChartPoint { at: DateTime::from_timestamp(900 * n, 0).unwrap(), median, p95: median };
        let chart =
            Chart { name: "x".into(), points: vec![point(0, Some(1000)), point(1, None), point(2, Some(2000))] };
        let svg = svg(&chart, "a \"b\"");
        assert_eq!(svg.matches('M').count(), 4, "{svg}");
        assert!(!svg.contains('L') && svg.contains("&quot;b&quot;"), "{svg}");
        let nothing = Chart { name: "x".into(), points: vec![point(0, None)] };
        assert_eq!(super::svg(&nothing, ""), "");
    }
}
