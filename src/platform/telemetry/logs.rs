//! The process's logger: every line goes to standard output (JSON; pretty on a terminal), to the in-memory buffer of recent lines, and to
//! Loki if configured.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{
    config::Config,
    levels::{self, Filter, Levels},
    lines::{Line, Lines, Output},
    log_metrics::LogMetrics,
    loki::{self, Loki, Shipping},
    otlp::{self, Otlp},
    pretty,
    ring::Ring,
    trace_metrics::TraceMetrics,
};
use crate::{clock::Clock, http_client::HttpClients, ids, trace};

/// How long the process waits for Loki and the collector when it ends.
const FLUSH: Duration = Duration::from_secs(5);

/// The logger, as seen by the rest of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logger {
    /// The recent lines.
    pub recent: Arc<Ring>,
    /// The log filter.
    pub levels: Levels,
}

impl Logger {
    /// For a process without logging: a command, a test.
    pub fn detached(config: &Config) -> Self {
        Self {
            recent: Arc::new(Ring::new(config.recent_lines, config.recent_bytes)),
            levels: Levels::new(&config.log, Filter::new(Targets::new())),
        }
    }
}

/// Outputs of the logger.
pub struct Outputs {
    /// Receives a line without its line break.
    pub stdout: Box<dyn Fn(&Line) + Send + Sync>,
    pub recent: Arc<Ring>,
    pub loki: Option<Loki>,
    pub metrics: LogMetrics,
}

impl Output for Outputs {
    fn emit(&self, line: &Line) {
        self.metrics.written(line.level);
        (self.stdout)(line);
        self.recent.push(line);
        // Lines after the end of shipping (how many were lost) would only be counted as lost themselves.
        if let Some(loki) = self.loki.as_ref().filter(|loki| !loki.is_closed()) {
            loki.push(line);
        }
    }
}

/// Owns the shipping of lines and spans; [`Guard::flush`] sends what is left.
#[derive(Debug)]
pub struct Guard {
    pub logger: Logger,
    shipping: Option<Shipping>,
    spans: Option<otlp::Shipping>,
}

impl Guard {
    /// Sends what is buffered, waiting at most five seconds for each of the two; counts and logs the rest.
    pub async fn flush(self) {
        // Spans first: messages about them can still go to Loki.
        if let Some(spans) = self.spans
            && let lost @ 1.. = spans.close(FLUSH).await
        {
            tracing::warn!(spans = lost, "the collector has not taken the last spans: they are lost");
        }
        let Some(shipping) = self.shipping else { return };
        let lost @ 1.. = shipping.close(FLUSH).await else { return };
        tracing::warn!(lines = lost, "Loki has not taken the last log lines: they are on standard output only");
    }
}

/// Installs the process's logger. Call once, inside the runtime.
pub fn init(config: &Config) -> anyhow::Result<Guard> {
    let json = config.log_format.is_json();
    let metrics = LogMetrics::of_process();
    let (loki, shipping) = if config.loki_url.is_empty() {
        (None, None)
    } else {
        let loki = loki::Config {
            url: config.loki_url.clone(),
            access: config.loki_access(),
            environment: config.environment.clone(),
            metadata: config.loki_metadata,
            buffer_bytes: config.loki_buffer_bytes,
        };
        let (loki, shipping) = Loki::start(&loki, HttpClients::new()?.operator().clone(), metrics.clone());
        (Some(loki), Some(shipping))
    };
    let filter = Filter::new(levels::parse(&config.log)?);
    let recent = Arc::new(Ring::new(config.recent_lines, config.recent_bytes));
    let logger = Logger { recent: recent.clone(), levels: Levels::new(&config.log, filter.clone()) };
    let stdout: Box<dyn Fn(&Line) + Send + Sync> = if json { Box::new(write_json) } else { Box::new(write_pretty) };
    let lines = Lines::new(Outputs { stdout, recent, loki, metrics });
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    // Records from the crate `log` are filtered by our filter alone, which changes; the first filter set this limit once.
    log::set_max_level(log::LevelFilter::Trace);
    log_panics();
    Ok(Guard { logger, shipping, spans: export(config)? })
}

/// Starts trace export if configured.
fn export(config: &Config) -> anyhow::Result<Option<otlp::Shipping>> {
    let instance = ids::new_uuid(&Clock::system());
    let Some(config) = config.otlp(instance) else { return Ok(None) };
    let (otlp, shipping) = Otlp::start(&config, HttpClients::new()?.operator().clone(), TraceMetrics::of_process());
    trace::set_sample_ratio(config.sample_ratio);
    otlp.install();
    tracing::info!(url = config.url, ratio = config.sample_ratio, service_instance_id = %instance, "traces are sent");
    Ok(Some(shipping))
}

fn write_json(line: &Line) {
    let mut text = Vec::with_capacity(line.json.len() + 1);
    text.extend_from_slice(line.json.as_bytes());
    text.push(b'\n');
    // Standard output is closed: there is nowhere to report it.
    let _ = std::io::stdout().lock().write_all(&text);
}

fn write_pretty(line: &Line) {
    let _ = writeln!(std::io::stdout().lock(), "{}", pretty::format(&line.json, std::io::stdout().is_terminal()));
}

/// Logs panics as lines, instead of plain text among the JSON.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let what = panic.payload_as_str().unwrap_or("without a message");
        tracing::error!(target: "holdfast::panic", place, error = what, "panicked");
    }));
}
