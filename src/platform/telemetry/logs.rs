//! Log lines: JSON on standard output (pretty on a terminal), and to Loki.
//!
//! Loki gets the labels {service, env, level} only; ids are inside the line. A line that cannot be delivered is
//! counted, never silent.

use std::{io::IsTerminal as _, time::Duration};

use prometheus_client::{metrics::counter::Counter, registry::Registry};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::config::{Config, LogFormat};

/// Keeps the exporter; [`Guard::flush`] sends what is left.
#[derive(Default)]
pub struct Guard {
    loki: Option<tracing_loki::BackgroundTaskController>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Guard {
    /// Sends what is buffered, waiting at most five seconds.
    pub async fn flush(self) {
        if let (Some(controller), Some(task)) = (self.loki, self.task) {
            controller.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
    }
}

/// `holdfast_log_*`
#[derive(Clone, Debug)]
pub struct LogMetrics {
    pub lost: Counter,
}

impl LogMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let lost = Counter::default();
        registry.register("lines_lost", "Log lines that could not be delivered to Loki", lost.clone());
        Self { lost }
    }
}

/// Installs the process's logger. Call once, inside the runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "the exporter outlives the tracker: it carries the last lines of the shutdown"
)]
pub fn init(config: &Config) -> anyhow::Result<Guard> {
    let filter = EnvFilter::try_new(&config.log)?
        // Their own chatter at `info` is about their insides.
        .add_directive("lance=warn".parse()?)
        .add_directive("lancedb=warn".parse()?)
        .add_directive("sqlx::postgres::notice=warn".parse()?);
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stdout().is_terminal(),
    };
    let stdout = if json {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        tracing_subscriber::fmt::layer().compact().with_target(false).boxed()
    };
    let registry = tracing_subscriber::registry().with(filter).with(stdout);
    if config.loki_url.is_empty() {
        registry.try_init()?;
        return Ok(Guard::default());
    }
    let (layer, controller, task) = tracing_loki::builder()
        .label("service", "holdfast")?
        .label("env", config.environment.clone())?
        .build_controller_url(config.loki_url.parse()?)?;
    registry.with(layer).try_init()?;
    Ok(Guard { loki: Some(controller), task: Some(tokio::spawn(task)) })
}
