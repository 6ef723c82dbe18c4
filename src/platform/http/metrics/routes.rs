//! Metrics by route template.

use std::{
    array,
    collections::HashMap,
    sync::{OnceLock, PoisonError, RwLock},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::{Method, Outcome, Surface};
use crate::telemetry::Latency;

/// Fewer buckets, because there are many routes: enough to tell slow from fast.
const ROUTE_BUCKETS: [f64; 11] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0];

/// Route label of requests that match no route.
const OTHER: &str = "other";

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

/// Metric handles of one method of one route, created at its first request.
#[derive(Debug)]
pub(super) struct OfRoute {
    /// In the order of [`Outcome::ALL`].
    pub(super) requests: Vec<Counter>,
    pub(super) first_byte: Latency,
}

/// In the order of [`Method::ALL`].
type Methods = [OnceLock<OfRoute>; Method::ALL.len()];

/// Metrics by route template; the router bounds their number.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) requests: Family<RouteRequestLabels, Counter>,
    pub(super) first_byte: Family<RouteLabels, Latency, fn() -> Latency>,
    known: RwLock<HashMap<String, Methods>>,
    /// For requests without a route, in the order of [`Surface::ALL`].
    other: Vec<Methods>,
}

fn no_methods() -> Methods {
    array::from_fn(|_| OnceLock::new())
}

impl Routes {
    pub(super) fn new() -> Self {
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

    /// Creates the series of requests without a route, for the generated reference.
    pub(super) fn create_other(&self) {
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

    /// Calls `observe` with the handles. For a known route this is one look-up without an allocation.
    pub(super) fn with(&self, surface: Surface, route: Option<&str>, method: Method, observe: impl FnOnce(&OfRoute)) {
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
