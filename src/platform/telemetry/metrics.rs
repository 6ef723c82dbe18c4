//! The registry, and `/metrics` in `OpenMetrics` text.

use std::sync::{Arc, Mutex};

use axum::{http::header, response::IntoResponse};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

/// Content type of `OpenMetrics` 1.0: prometheus-client encodes that, exemplars included.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Declares an enum of label values: a closed set, `snake_case` on the wire, so that the number of series is bounded.
///
/// `label_enum! { /// How it ended. pub enum Outcome { Ok = "ok", Failed = "failed" } }`; `Outcome::ALL` creates the
/// series at zero.
#[macro_export]
macro_rules! label_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl prometheus_client::encoding::EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                std::fmt::Write::write_str(encoder, self.as_str())
            }
        }
    };
}

/// Refreshes gauges that are read rather than counted, just before a scrape.
type Refresh = Box<dyn Fn() + Send + Sync>;

/// The process's metrics. Clones share the registry.
#[derive(Clone)]
pub struct Telemetry {
    registry: Arc<Mutex<Registry>>,
    refresh: Arc<Mutex<Vec<Refresh>>>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

impl Telemetry {
    /// An empty registry with `holdfast_build_info` and the process's own figures.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("holdfast");
        registry.register("build", "Which Holdfast this is", Info::new(Build { version: env!("CARGO_PKG_VERSION") }));
        let telemetry = Self { registry: Arc::new(Mutex::new(registry)), refresh: Arc::default() };
        telemetry.register_process();
        telemetry
    }

    /// Lets a capability register its families below `holdfast_<capability>`.
    pub fn register<T>(&self, capability: &str, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        register(registry.sub_registry_with_prefix(capability))
    }

    /// Runs `refresh` before each scrape; it must not block.
    pub fn on_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Box::new(refresh));
    }

    /// The whole registry as `OpenMetrics` text.
    pub fn encode(&self) -> String {
        self.refresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().for_each(|refresh| refresh());
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing to a String does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// The response to a scrape.
    pub fn response(&self) -> impl IntoResponse + use<> {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.encode())
    }

    fn register_process(&self) {
        let (memory, descriptors, cpu) =
            (Gauge::<i64>::default(), Gauge::<i64>::default(), Gauge::<f64, std::sync::atomic::AtomicU64>::default());
        self.register("process", |registry| {
            registry.register_with_unit(
                "resident_memory",
                "Resident memory of this process",
                Unit::Bytes,
                memory.clone(),
            );
            registry.register("open_file_descriptors", "Open file descriptors of this process", descriptors.clone());
            registry.register_with_unit(
                "cpu",
                "Processor time used by this process since its start",
                Unit::Seconds,
                cpu.clone(),
            );
        });
        self.on_scrape(move || {
            if let Some(bytes) = resident_bytes() {
                memory.set(bytes);
            }
            if let Ok(dir) = std::fs::read_dir("/proc/self/fd") {
                descriptors.set(i64::try_from(dir.count()).unwrap_or(i64::MAX));
            }
            if let Some(seconds) = cpu_seconds() {
                cpu.set(seconds);
            }
        });
    }
}

/// Resident memory of this process, bytes (`/proc/self/statm`, second field, in pages).
pub fn resident_bytes() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * i64::try_from(rustix::param::page_size()).ok()?)
}

/// Processor time of this process, seconds (`/proc/self/stat`, fields 14 and 15, in clock ticks).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold spaces.
    let ticks: u64 =
        stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
