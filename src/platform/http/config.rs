//! `[server]` and `[ops]`

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::platform::config::{ConfigErrors, secret};

/// The public HTTP server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the console and the API.
    pub listen: SocketAddr,
    /// How browsers and clients reach it, e.g. `https://ai.example.com`; empty takes `http://<listen>`.
    #[serde(serialize_with = "secret::masked_url")]
    pub public_url: String,
    /// How often `public_url` is asked from here whether it answers, seconds; 0: never. Where it is empty nothing is asked.
    pub probe_seconds: u64,
    /// Proxies whose `X-Forwarded-For` is believed, as networks (`10.0.0.0/8`). Their `X-Request-Id` is taken as it is.
    pub trusted_proxies: Vec<String>,
    /// Origins of other sites (`https://app.example.com`) whose pages may call `/v1`; none by default.
    pub cors_origins: Vec<String>,
    /// Connections open at a time; more wait in the kernel's queue.
    pub max_connections: u32,
    /// Connections that one address may have open; more are closed at once. Trusted proxies may have any number.
    pub max_connections_per_address: u32,
    /// A client must have sent its request's head within this, seconds.
    pub header_timeout_seconds: u64,
    /// A request must have begun to be answered this long after the last byte of it arrived, seconds.
    pub request_timeout_seconds: u64,
    /// Largest body of a JSON request, bytes; uploads have their own limit in `[knowledge]`, `/v1` has its own in `[llm]`.
    pub max_body_bytes: usize,
    /// Bodies that are held in memory, all together, bytes; beyond that large requests are answered 503. Uploads are not: they go to
    /// the store as they come.
    pub max_buffered_bytes: usize,
    /// A client may pause for this long while it sends a body, or while it reads a stream, seconds.
    pub body_idle_seconds: u64,
    /// Slowest body after that time, bytes a second of waiting for it: with the size limits it bounds how long an upload takes.
    pub body_min_bytes_per_second: u32,
    /// Requests a minute from one address, sustained.
    pub requests_per_minute: u32,
    /// Requests at once from one address.
    pub request_burst: u32,
    /// Requests a minute to `/api/v1` and `/v1` by one API key or person, sustained; each process counts for itself.
    pub principal_requests_per_minute: u32,
    /// Requests at once by one API key or person.
    pub principal_request_burst: u32,
    /// How long a shutdown waits for running requests and jobs, seconds.
    pub grace_seconds: u64,
    /// Where `public_url` is https, browsers are told to reach this host by nothing else for so long (`Strict-Transport-Security`),
    /// seconds; 0 says nothing. It holds for all ports of the host.
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
                    "{origin:?} is not one origin such as https://app.example.com, without a path or a slash at its end"
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

    /// `public_url`, or the listening address, without a slash at the end.
    pub fn base_url(&self) -> String {
        if self.public_url.is_empty() {
            format!("http://{}", self.listen)
        } else {
            self.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// `trusted_proxies`, read; what validation reported is left out.
    pub fn trusted_networks(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().filter_map(|p| p.parse().ok()).collect()
    }

    /// Whether browsers come over TLS: cookies are `Secure` then.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The name of the session's cookie: `__Host-` where the transport is encrypted, plain otherwise. A browser keeps
    /// cookies by host and not by port, so an appliance at an unusual port has a name of its own: two on one host
    /// would sign each other's people out.
    pub fn session_cookie(&self) -> String {
        let url = self.base_url();
        let (prefix, usual) = if self.is_https() { ("__Host-", 443) } else { ("", 8080) };
        let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        // An IPv6 address without a port ends with a bracket.
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.unwrap_or(if self.is_https() { 443 } else { 80 });
        if port == usual { format!("{prefix}{SESSION_COOKIE}") } else { format!("{prefix}{SESSION_COOKIE}_{port}") }
    }
}

/// The name of the session's cookie at the usual port.
const SESSION_COOKIE: &str = "holdfast_session";

/// The port for machines: metrics and health. Keep it inside.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`.
    pub listen: SocketAddr,
    /// Names in the public DNS by which it is reached. Addresses, names without a dot, those of private domains (`.local`, `.internal`,
    /// `.svc`) and the host of `server.public_url` are known; a request for another name is refused, since a page in a browser
    /// may have caused it.
    pub hosts: Vec<String>,
}

impl OpsConfig {
    /// Where a command on the same host reaches it.
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
