//! Log lines on their way: which fields they have, what is left out, and that none is lost without being counted.

mod content;
mod process;
mod searching;
mod shipping;

use holdfast::platform::{
    http_client::HttpClients,
    telemetry::{
        Level, LogMetrics,
        config::LokiAccess,
        lines::Line,
        loki::{Config, Loki as Exporter, Shipping},
    },
};

use crate::support::loki::Loki;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn traceparent() -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-01")
}

fn exporter(loki: &Loki, buffer_bytes: usize) -> (Exporter, Shipping, LogMetrics) {
    let metrics = LogMetrics::new();
    let (url, environment) = (loki.url(), "a \"b\"".to_owned());
    let config = Config { url, access: LokiAccess::default(), environment, metadata: true, buffer_bytes };
    let http = HttpClients::new().unwrap().operator().clone();
    let (exporter, shipping) = Exporter::start(&config, http, metrics.clone());
    (exporter, shipping, metrics)
}

/// A line with this number; `filler` makes it longer.
fn line(number: usize, level: Level, filler: &str) -> Line {
    let nanos = chrono::Utc::now().timestamp_nanos_opt().unwrap();
    Line { nanos, level, json: format!(r#"{{"n":{number},"filler":"{filler}"}}"#).into(), is_local: false }
}
