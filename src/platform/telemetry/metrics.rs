//! The registry, and `/metrics`.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    http::{HeaderMap, header},
    response::IntoResponse,
};
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode, encode_registry},
    },
    metrics::info::Info,
    registry::Registry,
};

pub use super::process::resident_bytes;
use super::{cgroup, exposition::Format, process};

/// Declares an enum of label values: a closed `snake_case` set, so that the number of series is bounded.
///
/// `label_enum! { /// How it ended. pub enum Outcome { Ok = "ok", Failed = "failed" } }`; `Outcome::ALL` creates the
/// series at zero.
#[macro_export]
macro_rules! label_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        $crate::enum_texts! { $name { $($variant = $text),+ } }
    };
}

/// A label's value in the reference of metrics, where the real ones come from the configuration.
pub const ANY: &str = "*";

/// Refreshes gauges that are read rather than counted, just before a scrape.
type Refresh = Box<dyn Fn() + Send + Sync>;

/// The process's metrics. Clones share the registry.
#[derive(Clone)]
pub struct Telemetry {
    registry: Arc<Mutex<Registry>>,
    /// `process_*` without our prefix: the standard names of process metrics.
    standard: Arc<Mutex<Registry>>,
    refresh: Arc<Mutex<Vec<Refresh>>>,
    /// Size of the last scrape, to allocate the next.
    length: Arc<AtomicUsize>,
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
        let telemetry = Self {
            registry: Arc::new(Mutex::new(registry)),
            standard: Arc::new(Mutex::new(Registry::with_prefix("process"))),
            refresh: Arc::default(),
            length: Arc::default(),
        };
        process::register(&telemetry);
        cgroup::register(&telemetry);
        telemetry
    }

    /// Lets a capability register its families below `holdfast_<capability>`.
    pub fn register<T>(&self, capability: &str, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix(capability))
    }

    /// Registers metrics that have the same name in every program.
    pub(super) fn register_standard(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.standard.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Runs `refresh` before each scrape; it must not block.
    pub fn on_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(refresh));
    }

    /// The whole registry as `OpenMetrics` text.
    pub fn encode(&self) -> String {
        self.encode_as(Format::OpenMetrics)
    }

    /// The whole registry.
    pub fn encode_as(&self, format: Format) -> String {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|refresh| refresh());
        let mut text = String::with_capacity(self.length.load(Ordering::Relaxed));
        {
            // Writing to a String does not fail.
            let _ = encode_registry(&mut text, &self.standard.lock().unwrap_or_else(PoisonError::into_inner));
            let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = encode(&mut text, &registry);
        }
        self.length.store(text.len() + text.len() / 8, Ordering::Relaxed);
        format.write(&text)
    }

    /// The response to a scrape, in the format that it accepts.
    pub fn response(&self, request: &HeaderMap) -> impl IntoResponse + use<> {
        let format = Format::accepted(request);
        ([(header::CONTENT_TYPE, format.content_type())], self.encode_as(format))
    }
}
