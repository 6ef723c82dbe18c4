//! `holdfast_http_*`

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, exemplar::HistogramWithExemplars, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::label_enum;

/// 1 ms to 60 s: an authenticated read is about 1 ms, an agent's answer may take a minute.
const LATENCY_BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0];

label_enum! {
    /// The request's method.
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
    /// How a request ended: its status class, or the client going away first.
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
    /// Which part of the surface was asked: few and fixed, so that the number of series is.
    pub enum Surface {
        /// `/api/v1`
        Api = "api",
        /// `/v1`: the OpenAI-compatible one.
        Openai = "openai",
        /// Pages.
        Console = "console",
        Assets = "assets",
        Health = "health",
    }
}

impl Surface {
    pub fn of(path: &str) -> Self {
        match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
            "api" => Self::Api,
            "v1" => Self::Openai,
            "assets" => Self::Assets,
            "healthz" | "readyz" => Self::Health,
            _ => Self::Console,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub surface: Surface,
    pub method: Method,
    pub outcome: Outcome,
}

label_enum! {
    /// Whose rate limit refused a request.
    pub enum LimitedBy { Address = "address", Principal = "principal" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    pub limit: LimitedBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SurfaceLabels {
    pub surface: Surface,
}

/// On the latency histogram's buckets: one trace that fell into each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TraceLabels {
    pub trace_id: String,
}

type Latency = Family<SurfaceLabels, HistogramWithExemplars<TraceLabels>, fn() -> HistogramWithExemplars<TraceLabels>>;

#[derive(Clone, Debug)]
pub struct Metrics {
    pub requests: Family<RequestLabels, Counter>,
    pub latency: Latency,
    pub rate_limited: Family<LimitLabels, Counter>,
    pub in_flight: Gauge,
    pub connections: Gauge,
    pub connections_rejected: Counter,
    pub connections_refused: Counter,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(|| HistogramWithExemplars::new(LATENCY_BUCKETS.into_iter())),
            rate_limited: Family::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            connections_rejected: Counter::default(),
            connections_refused: Counter::default(),
        };
        for &surface in Surface::ALL {
            let _ = metrics.latency.get_or_create(&SurfaceLabels { surface });
            for outcome in [Outcome::Ok, Outcome::ClientError, Outcome::ServerError, Outcome::Unavailable] {
                for method in [Method::Get, Method::Post] {
                    let _ = metrics.requests.get_or_create(&RequestLabels { surface, method, outcome });
                }
            }
        }
        for &limit in LimitedBy::ALL {
            let _ = metrics.rate_limited.get_or_create(&LimitLabels { limit });
        }
        registry.register("requests", "Requests answered, or given up by the client", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From the request's head to the end of the response's body",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register("rate_limited", "Requests refused by a rate limit", metrics.rate_limited.clone());
        registry.register("requests_in_flight", "Requests being answered now", metrics.in_flight.clone());
        registry.register("connections", "Connections open now", metrics.connections.clone());
        registry.register(
            "connections_rejected",
            "Connections closed because they sent no request in time",
            metrics.connections_rejected.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once because their address has as many as it may",
            metrics.connections_refused.clone(),
        );
        metrics
    }
}
