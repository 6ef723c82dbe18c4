//! The span of a request, named by OpenTelemetry's conventions for HTTP servers.

use axum::extract::{MatchedPath, Request};

use super::Config;
use crate::{
    telemetry::{Span, otlp::wire::Kind},
    trace::Context,
};

/// Known methods; anything else that a client sends is not used as a name.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// Starts the span.
pub(super) fn begin(config: &Config, request: &Request, context: &Context) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let method = METHODS.into_iter().find(|method| *method == request.method().as_str());
    let mut span = Span::whole(context, Kind::Server, || match (method.unwrap_or("HTTP"), route) {
        (method, Some(route)) => format!("{method} {route}"),
        (method, None) => method.to_owned(),
    });
    span.set("http.request.method", method.unwrap_or("_OTHER"));
    span.set("url.scheme", if config.is_https() { "https" } else { "http" });
    if let Some(route) = route {
        span.set("http.route", route);
    }
    span
}
