//! `holdfast_http_*`

use std::{
    array,
    collections::HashMap,
    ops::Deref,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{
    label_enum,
    platform::{
        pools::Traffic,
        telemetry::{Latency, trace::Context},
    },
};

/// 1 ms to 60 s: an authenticated read is about 1 ms, an agent's answer may take a minute.
const LATENCY_BUCKETS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];

/// Coarser, since there are many routes: what tells a slow page from a quick one.
const ROUTE_BUCKETS: [f64; 11] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0];

/// The route of a request that none matches.
const OTHER: &str = "other";

/// 256 B (a small JSON object) to 256 MiB (a large upload).
const SIZE_BUCKETS: [f64; 8] = [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 1_048_576.0, 16_777_216.0, 268_435_456.0];

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

label_enum! {
    /// What became of the rest of a body whose request was answered before it was read.
    pub enum LeftBody {
        /// Read and thrown away: the connection goes on.
        Drained = "drained",
        /// Too large or too slow: the answer says that the connection ends.
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    pub surface: Surface,
    pub route: String,
    pub method: Method,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteRequestLabels {
    pub surface: Surface,
    pub route: String,
    pub method: Method,
    pub outcome: Outcome,
}

/// What one method of one route is observed with: the handles, made at its first request.
#[derive(Debug)]
struct OfRoute {
    /// In the order of [`Outcome::ALL`].
    requests: Vec<Counter>,
    first_byte: Latency,
}

/// In the order of [`Method::ALL`].
type Methods = [OnceLock<OfRoute>; Method::ALL.len()];

/// Observations by the template that a request's path matched: there are as many as the router has routes.
#[derive(Debug)]
struct Routes {
    requests: Family<RouteRequestLabels, Counter>,
    first_byte: Family<RouteLabels, Latency, fn() -> Latency>,
    known: RwLock<HashMap<String, Methods>>,
    /// For what no route matches, in the order of [`Surface::ALL`].
    other: Vec<Methods>,
}

fn no_methods() -> Methods {
    array::from_fn(|_| OnceLock::new())
}

impl Routes {
    fn new() -> Self {
        let histogram: fn() -> Latency = || Latency::new(ROUTE_BUCKETS);
        let routes = Self {
            requests: Family::default(),
            first_byte: Family::new_with_constructor(histogram),
            known: RwLock::default(),
            other: Surface::ALL.iter().map(|_| no_methods()).collect(),
        };
        let _ = routes.of(&routes.other[Surface::Console as usize], Surface::Console, OTHER, Method::Get);
        routes
    }

    /// Makes the series of what no route matches, for the reference.
    fn create_other(&self) {
        for &surface in Surface::ALL {
            for &method in Method::ALL {
                let _ = self.of(&self.other[surface as usize], surface, OTHER, method);
            }
        }
    }

    fn of<'a>(&self, methods: &'a Methods, surface: Surface, route: &str, method: Method) -> &'a OfRoute {
        methods[method as usize].get_or_init(|| {
            let labels = |outcome| RouteRequestLabels { surface, route: route.to_owned(), method, outcome };
            OfRoute {
                requests: Outcome::ALL
                    .iter()
                    .map(|&outcome| self.requests.get_or_create_owned(&labels(outcome)))
                    .collect(),
                first_byte: self.first_byte.get_or_create_owned(&RouteLabels {
                    surface,
                    route: route.to_owned(),
                    method,
                }),
            }
        })
    }

    /// Calls `observe` with the handles. A route that was seen before costs a look-up, and no allocation.
    fn with(&self, surface: Surface, route: Option<&str>, method: Method, observe: impl FnOnce(&OfRoute)) {
        let Some(route) = route else {
            return observe(self.of(&self.other[surface as usize], surface, OTHER, method));
        };
        if let Some(methods) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return observe(self.of(methods, surface, route, method));
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let methods = known.entry(route.to_owned()).or_insert_with(no_methods);
        observe(self.of(methods, surface, route, method));
    }
}

/// What a request of one surface is observed with: the handles, made once.
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

/// Cheap to clone: each request has one.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub requests: Family<RequestLabels, Counter>,
    /// In the order of [`Surface::ALL`].
    surfaces: Vec<Observations>,
    routes: Routes,
    /// Of the probe of the public address.
    pub(super) public: super::probe::Metrics,
    pub rate_limited: Family<LimitLabels, Counter>,
    pub left_bodies: Family<LeftLabels, Counter>,
    pub in_flight: Gauge,
    /// No metric: for work that makes room for requests, where they are counted anyway.
    pub traffic: Traffic,
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
            "From the request's head to the end of the response's body",
            Unit::Seconds,
            latency,
        );
        registry.register_with_unit(
            "first_byte",
            "From the request's head to the response's, or to its giving up: what an answer takes after its head is not in it",
            Unit::Seconds,
            first_byte,
        );
        registry.register_with_unit(
            "request_size",
            "Bodies of requests, as far as they were read",
            Unit::Bytes,
            received,
        );
        registry.register_with_unit("response_size", "Bodies of responses, as sent: compressed", Unit::Bytes, sent);
        metrics.describe(registry);
        Self(Arc::new(metrics))
    }
}

impl Inner {
    fn describe(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered, or given up by the client", self.requests.clone());
        registry.register(
            "route_requests",
            "Requests answered, or given up by the client, by the route that they matched; a route's series begin with its first request",
            self.routes.requests.clone(),
        );
        registry.register_with_unit(
            "route_first_byte",
            "From the request's head to the response's, by the route that it matched",
            Unit::Seconds,
            self.routes.first_byte.clone(),
        );
        registry.register("rate_limited", "Requests refused by a rate limit", self.rate_limited.clone());
        registry.register(
            "left_bodies",
            "Requests answered before their body was read: whether the rest was read, or the connection ended",
            self.left_bodies.clone(),
        );
        registry.register("requests_in_flight", "Requests being answered now", self.in_flight.clone());
        registry.register("panics", "Requests whose handler panicked: each is a bug", self.panics.clone());
        registry.register("connections", "Connections open now", self.connections.clone());
        registry.register(
            "max_connections",
            "Connections that may be open at a time (server.max_connections)",
            self.max_connections.clone(),
        );
        registry.register(
            "connections_rejected",
            "Connections closed because they sent no request in time",
            self.connections_rejected.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once because their address has as many as it may",
            self.connections_refused.clone(),
        );
    }

    pub(super) fn of(&self, surface: Surface) -> &Observations {
        &self.surfaces[surface as usize]
    }
    /// A request of a route ended. `route` is the template that it matched.
    /// Makes every label's values of the families by route, which otherwise begin with a request: for the reference.
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
