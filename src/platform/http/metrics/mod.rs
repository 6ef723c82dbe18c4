//! `holdfast_http_*`

mod routes;

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{label_enum, pools::Traffic, telemetry::Latency, trace::Context};
use routes::Routes;

/// 1 ms to 60 s: an authenticated read takes about 1 ms, an agent's answer up to a minute.
const LATENCY_BUCKETS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];

/// 256 B (a small JSON object) to 256 MiB (a large upload).
const SIZE_BUCKETS: [f64; 8] = [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 1_048_576.0, 16_777_216.0, 268_435_456.0];

label_enum! {
    /// Method of the request.
    pub enum Method { Get = "get", Post = "post", Put = "put", Patch = "patch", Delete = "delete", Other = "other" }
}

impl From<&axum::http::Method> for Method {
    fn from(method: &axum::http::Method) -> Self {
        match method.as_str() {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

label_enum! {
    /// Outcome of a request: its status class, or the client leaving first.
    pub enum Outcome {
        Ok = "ok",
        Redirect = "redirect",
        ClientError = "client_error",
        RateLimited = "rate_limited",
        ServerError = "server_error",
        Unavailable = "unavailable",
        Aborted = "aborted",
    }
}

label_enum! {
    /// Part of the public surface, by path prefix: a small fixed set, to bound the number of series.
    pub enum Surface {
        /// `/api/v1`
        Api = "api",
        /// `/v1`: OpenAI-compatible API.
        Openai = "openai",
        /// Console pages.
        Console = "console",
        Assets = "assets",
        Health = "health",
        /// Status pages and what other monitors read: for strangers, from memory.
        Status = "status",
    }
}

impl Surface {
    pub fn of(path: &str) -> Self {
        if is_status(path) {
            return Self::Status;
        }
        match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
            "api" => Self::Api,
            "v1" => Self::Openai,
            "assets" => Self::Assets,
            "healthz" | "readyz" => Self::Health,
            _ => Self::Console,
        }
    }
}

/// Paths of status pages, of Statuspage's and Gatus's APIs, and of pushes to monitors. None of them has a session.
fn is_status(path: &str) -> bool {
    const BELOW: [&str; 5] = ["/status", super::status::DOMAIN_PATH, "/api/v2", "/api/v1/endpoints", "/api/push"];
    let is_below =
        |start: &&str| path.strip_prefix(*start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/api/v1/config" || BELOW.iter().any(is_below)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub surface: Surface,
    pub method: Method,
    pub outcome: Outcome,
}

label_enum! {
    /// Which rate limit refused a request.
    pub enum LimitedBy { Address = "address", Principal = "principal" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    pub limit: LimitedBy,
}

label_enum! {
    /// What happened to the rest of a body whose request was answered before it was read.
    pub enum LeftBody {
        /// Read and discarded: the connection is kept.
        Drained = "drained",
        /// Too large or too slow: the response closes the connection.
        Closed = "closed",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LeftLabels {
    pub end: LeftBody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SurfaceLabels {
    pub surface: Surface,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MethodLabels {
    pub surface: Surface,
    pub method: Method,
}

/// Metric handles of one surface, created once.
#[derive(Debug)]
pub(super) struct Observations {
    /// In the order of [`Method::ALL`], then of [`Outcome::ALL`].
    requests: Vec<Vec<Counter>>,
    /// In the order of [`Method::ALL`].
    first_byte: Vec<Latency>,
    pub latency: Latency,
    pub received: Histogram,
    pub sent: Histogram,
}

impl Observations {
    pub fn requests(&self, method: Method, outcome: Outcome) -> &Counter {
        &self.requests[method as usize][outcome as usize]
    }

    pub fn first_byte(&self, method: Method) -> &Latency {
        &self.first_byte[method as usize]
    }
}

/// Cheap to clone: each request holds one.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub requests: Family<RequestLabels, Counter>,
    /// In the order of [`Surface::ALL`].
    surfaces: Vec<Observations>,
    routes: Routes,
    /// The self-probe of the public address.
    pub(super) public: super::probe::Metrics,
    pub rate_limited: Family<LimitLabels, Counter>,
    pub left_bodies: Family<LeftLabels, Counter>,
    pub in_flight: Gauge,
    /// Not a metric: background work yields to requests, which are counted here.
    pub traffic: Traffic,
    /// Not a metric: chooses which requests for status pages are logged.
    status_requests: AtomicU64,
    pub panics: Counter,
    pub connections: Gauge,
    pub max_connections: Gauge,
    pub connections_rejected: Counter,
    pub connections_refused: Counter,
}

impl Deref for Metrics {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let latency = Family::<SurfaceLabels, Latency, _>::new_with_constructor(|| Latency::new(LATENCY_BUCKETS));
        let first_byte = Family::<MethodLabels, Latency, _>::new_with_constructor(|| Latency::new(LATENCY_BUCKETS));
        let size = || Family::<SurfaceLabels, Histogram, _>::new_with_constructor(|| Histogram::new(SIZE_BUCKETS));
        let (received, sent) = (size(), size());
        let requests = Family::<RequestLabels, Counter>::default();
        let observations = |&surface| {
            let labels = SurfaceLabels { surface };
            let counter = |method, outcome| requests.get_or_create_owned(&RequestLabels { surface, method, outcome });
            let of_method = |&method| Outcome::ALL.iter().map(|&outcome| counter(method, outcome)).collect();
            Observations {
                requests: Method::ALL.iter().map(of_method).collect(),
                first_byte: Method::ALL
                    .iter()
                    .map(|&method| first_byte.get_or_create_owned(&MethodLabels { surface, method }))
                    .collect(),
                latency: latency.get_or_create_owned(&labels),
                received: received.get_or_create_owned(&labels),
                sent: sent.get_or_create_owned(&labels),
            }
        };
        let metrics = Inner {
            surfaces: Surface::ALL.iter().map(observations).collect(),
            requests,
            routes: Routes::new(),
            public: super::probe::Metrics::register(registry),
            rate_limited: Family::default(),
            left_bodies: Family::default(),
            in_flight: Gauge::default(),
            traffic: Traffic::default(),
            status_requests: AtomicU64::new(0),
            panics: Counter::default(),
            connections: Gauge::default(),
            max_connections: Gauge::default(),
            connections_rejected: Counter::default(),
            connections_refused: Counter::default(),
        };
        for &limit in LimitedBy::ALL {
            let _ = metrics.rate_limited.get_or_create(&LimitLabels { limit });
        }
        for &end in LeftBody::ALL {
            let _ = metrics.left_bodies.get_or_create(&LeftLabels { end });
        }
        registry.register_with_unit(
            "request_duration",
            "Time from the request header to the end of the response body",
            Unit::Seconds,
            latency,
        );
        registry.register_with_unit(
            "first_byte",
            "Time from the request header to the response header, or until the client gave up; excludes the response body",
            Unit::Seconds,
            first_byte,
        );
        registry.register_with_unit(
            "request_size",
            "Size of request bodies, as far as they were read",
            Unit::Bytes,
            received,
        );
        registry.register_with_unit(
            "response_size",
            "Size of response bodies as sent, after compression",
            Unit::Bytes,
            sent,
        );
        metrics.describe(registry);
        Self(Arc::new(metrics))
    }
}

impl Inner {
    fn describe(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered or abandoned by the client", self.requests.clone());
        registry.register(
            "route_requests",
            "Requests answered or abandoned by the client, by matched route; a route's series start with its first request",
            self.routes.requests.clone(),
        );
        registry.register_with_unit(
            "route_first_byte",
            "Time from the request header to the response header, by matched route",
            Unit::Seconds,
            self.routes.first_byte.clone(),
        );
        registry.register("rate_limited", "Requests refused by a rate limit", self.rate_limited.clone());
        registry.register(
            "left_bodies",
            "Requests answered before their body was read, by what was done with the rest: drained, or the connection closed",
            self.left_bodies.clone(),
        );
        registry.register("requests_in_flight", "Requests in progress", self.in_flight.clone());
        registry.register("panics", "Requests whose handler panicked; each is a bug", self.panics.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "max_connections",
            "Limit of open connections (server.max_connections)",
            self.max_connections.clone(),
        );
        registry.register(
            "connections_rejected",
            "Connections closed because no request arrived in time",
            self.connections_rejected.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once because their address reached its limit",
            self.connections_refused.clone(),
        );
    }

    /// Number of a request for a status page, from 0 on.
    pub(super) fn sampled(&self) -> u64 {
        self.status_requests.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn of(&self, surface: Surface) -> &Observations {
        &self.surfaces[surface as usize]
    }
    /// Creates the series by route with all label values, for the generated reference; otherwise they start with the first request.
    pub fn create_routes(&self) {
        self.routes.create_other();
    }

    pub(super) fn of_route(
        &self,
        (surface, route, method): (Surface, Option<&str>, Method),
        outcome: Outcome,
        first_byte: f64,
        context: &Context,
    ) {
        self.routes.with(surface, route, method, |observed| {
            observed.requests[outcome as usize].inc();
            observed.first_byte.observe_in(Some(context), first_byte);
        });
    }
}
