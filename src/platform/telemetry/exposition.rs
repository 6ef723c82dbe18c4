//! Formats of a scrape: `OpenMetrics` 1.0 with exemplars, and the Prometheus text format 0.0.4.
//!
//! prometheus-client only writes `OpenMetrics`, and appends a full stop to each help text.

use axum::http::{HeaderMap, header};

/// Format that the scraper asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// `OpenMetrics` for clients that name it in `Accept`, otherwise the text format: for curl and `promtool check metrics`.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let named =
            |value: &header::HeaderValue| value.to_str().is_ok_and(|v| v.contains("application/openmetrics-text"));
        if headers.get_all(header::ACCEPT).iter().any(named) { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Converts the output of prometheus-client to this format.
    pub(super) fn write(self, encoded: &str) -> String {
        let mut out = String::with_capacity(encoded.len());
        match self {
            Self::OpenMetrics => encoded.lines().for_each(|line| push(&mut out, &[without_full_stop(line)])),
            Self::Prometheus => prometheus(encoded, &mut out),
        }
        out
    }
}

fn push(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
    out.push('\n');
}

fn without_full_stop(line: &str) -> &str {
    if line.starts_with("# HELP ") { line.strip_suffix('.').unwrap_or(line) } else { line }
}

/// In the text format, families of counters and infos carry the suffix of their samples; units, the end mark and exemplars do not exist.
fn prometheus(encoded: &str, out: &mut String) {
    let mut help = "";
    for line in encoded.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            push(out, &[line.split_once(" # ").map_or(line, |(sample, _)| sample)]);
            continue;
        };
        if comment.starts_with("HELP ") {
            // The name depends on the type, which follows.
            help = without_full_stop(line);
        } else if let Some((name, kind)) = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            let text = help.splitn(4, ' ').nth(3).unwrap_or_default();
            push(out, &["# HELP ", name, suffix, " ", text]);
            push(out, &["# TYPE ", name, suffix, " ", kind]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCODED: &str = "# HELP holdfast_x_seconds How long. It took.\n# TYPE holdfast_x_seconds histogram\n\
        # UNIT holdfast_x_seconds seconds\nholdfast_x_seconds_bucket{le=\"1.0\"} 3 # {trace_id=\"ab\"} 0.5\n\
        # HELP holdfast_y Counted.\n# TYPE holdfast_y counter\nholdfast_y_total{a=\"b\"} 1\n\
        # HELP holdfast_build Which.\n# TYPE holdfast_build info\nholdfast_build_info{version=\"1\"} 1\n# EOF\n";

    #[test]
    fn openmetrics_keeps_everything_but_the_full_stops() {
        let expected = ENCODED.replace("took.", "took").replace("Counted.", "Counted").replace("Which.", "Which");
        assert_eq!(Format::OpenMetrics.write(ENCODED), expected);
    }

    #[test]
    fn the_older_text_names_families_by_their_samples() {
        assert_eq!(
            Format::Prometheus.write(ENCODED),
            "# HELP holdfast_x_seconds How long. It took\n# TYPE holdfast_x_seconds histogram\n\
             holdfast_x_seconds_bucket{le=\"1.0\"} 3\n# HELP holdfast_y_total Counted\n# TYPE holdfast_y_total counter\n\
             holdfast_y_total{a=\"b\"} 1\n# HELP holdfast_build_info Which\n# TYPE holdfast_build_info gauge\n\
             holdfast_build_info{version=\"1\"} 1\n"
        );
    }

    #[test]
    fn who_names_openmetrics_gets_it() {
        let asked = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, header::HeaderValue::from_static(accept));
            Format::accepted(&headers)
        };
        let prometheus_2_45 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(asked(prometheus_2_45), Format::OpenMetrics);
        assert_eq!(asked("*/*"), Format::Prometheus);
        assert_eq!(asked("text/plain;version=0.0.4"), Format::Prometheus);
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Prometheus);
    }
}
