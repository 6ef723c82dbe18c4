//! Checks of the `Host` header.
//!
//! The ops port has no sign-in and trusts whatever reaches it. With DNS rebinding, a page in a browser on the same host can point a name of
//! its own at 127.0.0.1, and the browser treats the response as that page's. Such a request carries the page's public DNS name in `Host`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{Config, OpsConfig};
use crate::{
    crypto::{self, MasterKey},
    error::ApiError,
};

/// Suffixes of names that public DNS never resolves, so an attacker cannot own one.
const PRIVATE: [&str; 5] = [".localhost", ".local", ".internal", ".home.arpa", ".svc"];

/// The token that Holdfast's own commands send to the ops port: whoever can read the master key runs this installation.
pub fn ops_token(key: &MasterKey) -> String {
    crypto::hex(&key.derive("ops-port"))
}

/// Names accepted by the ops port.
#[derive(Clone, Debug)]
pub struct OpsHosts(Arc<[String]>);

impl OpsHosts {
    pub fn new(ops: &OpsConfig, server: &Config) -> Self {
        let public = server.base_url();
        let public = public.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
        let names = ops.hosts.iter().map(String::as_str).chain([public]);
        Self(names.map(|name| bare(name).to_ascii_lowercase()).collect())
    }

    fn has(&self, host: &str) -> bool {
        let name = bare(host).to_ascii_lowercase();
        name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || PRIVATE.iter().any(|end| name.ends_with(end))
            || self.0.contains(&name)
    }
}

/// The host without port, brackets and trailing dot.
pub(super) fn bare(host: &str) -> &str {
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    host.trim_end_matches('.')
}

/// Middleware of the ops port: refuses requests that a page in a browser may have sent.
pub async fn refuse_strangers(State(hosts): State<OpsHosts>, request: Request, next: Next) -> Response {
    // Machines send no `Origin`. Browsers send it with every cross-site request and with every request that may change something.
    if request.headers().contains_key(header::ORIGIN) {
        let text = "the ops port does not answer requests from pages in a browser (Origin)";
        return ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", text).into_response();
    }
    let header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("unreadable.invalid"));
    let host = request.uri().authority().map(Authority::as_str).or(header);
    if let Some(host) = host.filter(|host| !hosts.has(host)) {
        let text = format!("{host:?} is not a known name of the ops port: if it is one, add it to ops.hosts");
        return ApiError::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", text).into_response();
    }
    next.run(request).await
}

/// Refuses several `Host` headers (RFC 9112, 3.2): a proxy may have judged the request by another one than we would.
pub(super) async fn one_host(request: Request, next: Next) -> Response {
    if names_two_hosts(request.headers()) {
        return ApiError::bad_request("invalid_host", "the request has more than one Host header").into_response();
    }
    next.run(request).await
}

fn names_two_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_stranger_can_own_are_not_ours() {
        let server = Config { public_url: "https://AI.example.com/x".to_owned(), ..Config::default() };
        let ops = OpsConfig { hosts: vec!["metrics.example.com".to_owned()], ..OpsConfig::default() };
        let hosts = OpsHosts::new(&ops, &server);
        for ours in [
            "127.0.0.1:9464",
            "10.1.2.3",
            "[::1]:9464",
            "localhost:9464",
            "holdfast:9464",
            "holdfast.monitoring.svc.cluster.local:9464",
            "holdfast.monitoring.svc:9464",
            "ai.example.com",
            "Metrics.Example.com.:9464",
        ] {
            assert!(hosts.has(ours), "{ours}");
        }
        for strange in ["evil.example", "evil.example:9464", "127.0.0.1.evil.example", "local.evil.example", "a.b"] {
            assert!(!hosts.has(strange), "{strange}");
        }
    }
}
