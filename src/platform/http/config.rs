//! `[server]` and `[ops]`

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigErrors, secret};

/// The public HTTP server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the console and the API.
    pub listen: SocketAddr,
    /// Base URL for browsers and clients, e.g. `https://ai.example.com`; empty: `http://<listen>`.
    #[serde(serialize_with = "secret::masked_url")]
    pub public_url: String,
    /// Interval of the self-probe of `public_url`, seconds; 0: off. Off too while `public_url` is empty.
    pub probe_seconds: u64,
    /// Networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is trusted. Their `X-Request-Id` is accepted unchanged.
    pub trusted_proxies: Vec<String>,
    /// Origins of other sites (`https://app.example.com`) whose pages may call `/v1` (CORS); none by default.
    pub cors_origins: Vec<String>,
    /// Concurrent connections; more wait in the kernel's accept queue.
    pub max_connections: u32,
    /// Concurrent connections per client address; more are closed at once. Trusted proxies are exempt.
    pub max_connections_per_address: u32,
    /// Time for a client to send the request header, seconds.
    pub header_timeout_seconds: u64,
    /// Time from the last byte of the request to the start of the response, seconds.
    pub request_timeout_seconds: u64,
    /// Largest body of a JSON request, bytes; uploads have their own limit in `[knowledge]`, `/v1` has its own in `[llm]`.
    pub max_body_bytes: usize,
    /// Memory for request bodies buffered by all requests together, bytes; large requests beyond it get 503. Uploads do not count: they are
    /// streamed to the object store.
    pub max_buffered_bytes: usize,
    /// Longest pause of a client while it sends a body or reads a stream, seconds.
    pub body_idle_seconds: u64,
    /// Minimum upload rate after that pause, bytes per second of waiting for the client; with the size limits it bounds the duration of an
    /// upload.
    pub body_min_bytes_per_second: u32,
    /// Sustained requests per minute from one address.
    pub requests_per_minute: u32,
    /// Burst of requests from one address.
    pub request_burst: u32,
    /// Sustained requests per minute to `/api/v1` and `/v1` by one API key or person; each process counts separately.
    pub principal_requests_per_minute: u32,
    /// Burst of requests by one API key or person.
    pub principal_request_burst: u32,
    /// How long a shutdown waits for running requests and jobs, seconds.
    pub grace_seconds: u64,
    /// `max-age` of `Strict-Transport-Security`, sent when `public_url` is https, seconds; 0: not sent. Applies to all ports of the host.
    pub hsts_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            probe_seconds: 60,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            max_connections: 4096,
            max_connections_per_address: 256,
            header_timeout_seconds: 10,
            request_timeout_seconds: 300,
            max_body_bytes: 2 * 1024 * 1024,
            max_buffered_bytes: 256 * 1024 * 1024,
            body_idle_seconds: 30,
            body_min_bytes_per_second: 8192,
            requests_per_minute: 6000,
            request_burst: 1000,
            principal_requests_per_minute: 3000,
            principal_request_burst: 500,
            grace_seconds: 25,
            hsts_seconds: 31_536_000,
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("max_connections", self.max_connections, 1, 1_000_000);
        errors.range("max_connections_per_address", self.max_connections_per_address, 1, 1_000_000);
        errors.range("header_timeout_seconds", self.header_timeout_seconds, 1, 300);
        errors.range("request_timeout_seconds", self.request_timeout_seconds, 1, 3600);
        errors.range("max_body_bytes", self.max_body_bytes, 1024, 1 << 30);
        errors.range("max_buffered_bytes", self.max_buffered_bytes, self.max_body_bytes, 1 << 40);
        errors.range("body_idle_seconds", self.body_idle_seconds, 1, 600);
        errors.range("body_min_bytes_per_second", self.body_min_bytes_per_second, 1, 100_000_000);
        errors.range("principal_requests_per_minute", self.principal_requests_per_minute, 1, 10_000_000);
        errors.range("principal_request_burst", self.principal_request_burst, 1, 1_000_000);
        errors.range("requests_per_minute", self.requests_per_minute, 1, 10_000_000);
        errors.range("request_burst", self.request_burst, 1, 1_000_000);
        errors.range("probe_seconds", self.probe_seconds, 0, 3600);
        errors.range("grace_seconds", self.grace_seconds, 1, 600);
        errors.range("hsts_seconds", self.hsts_seconds, 0, 126_144_000);
        for proxy in self.trusted_proxies.iter().filter(|p| p.parse::<IpNet>().is_err()) {
            errors.push("trusted_proxies", format!("{proxy:?} is not a network such as 10.0.0.0/8"));
        }
        for origin in self.cors_origins.iter().filter(|origin| !super::cors::is_origin(origin)) {
            errors.push(
                "cors_origins",
                format!(
                    "{origin:?} is not a single origin such as https://app.example.com, without a path or trailing slash"
                ),
            );
        }
        if !self.public_url.is_empty() {
            match self.public_url.parse::<axum::http::Uri>() {
                Ok(uri) if uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")) => {}
                _ => errors.push("public_url", "expected an address such as https://ai.example.com"),
            }
        }
    }

    /// `public_url`, or the listening address, without a trailing slash.
    pub fn base_url(&self) -> String {
        if self.public_url.is_empty() {
            format!("http://{}", self.listen)
        } else {
            self.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// `trusted_proxies`, parsed; skips entries that validation has reported.
    pub fn trusted_networks(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().filter_map(|p| p.parse().ok()).collect()
    }

    /// Whether browsers connect over TLS: cookies are then `Secure`.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Name of the session cookie: with the `__Host-` prefix over https, plain otherwise. Browsers share cookies between all ports of a
    /// host, so at a non-default port the name contains the port: otherwise two appliances on one host would sign each other's users out.
    pub fn session_cookie(&self) -> String {
        let url = self.base_url();
        let (prefix, usual) = if self.is_https() { ("__Host-", 443) } else { ("", 8080) };
        let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        // An IPv6 address without a port ends in a bracket.
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.unwrap_or(if self.is_https() { 443 } else { 80 });
        if port == usual { format!("{prefix}{SESSION_COOKIE}") } else { format!("{prefix}{SESSION_COOKIE}_{port}") }
    }
}

/// Name of the session cookie at the default port.
const SESSION_COOKIE: &str = "holdfast_session";

/// Operations listener: metrics and health. Keep it on an internal network.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`.
    pub listen: SocketAddr,
    /// Public DNS names under which this port is reached. Addresses, single-label names, private domains (`.local`, `.internal`, `.svc`)
    /// and the host of `server.public_url` are always allowed; requests for any other name are refused, because a page in a browser may
    /// have sent them.
    pub hosts: Vec<String>,
}

impl OpsConfig {
    /// Address for commands on the same host.
    pub fn local(&self) -> SocketAddr {
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        address
    }
}

impl Default for OpsConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9464)), hosts: Vec::new() }
    }
}
