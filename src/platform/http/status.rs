//! The surface of status pages: names of hosts that belong to pages, and answers that are finished.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Uri, header, uri::PathAndQuery},
};
use tower::ServiceExt as _;

/// What stands before the path of a request to a page's own host. Nothing else of this program is found there.
pub const DOMAIN_PATH: &str = "/status-domain";

/// There is nothing at this address.
const NOWHERE: &str = "/status-domain/-";

/// Knows which names of hosts belong to a status page. Room `status_page` does, from memory.
pub trait HostSurface: Send + Sync {
    /// `host`: in lower case, without a port.
    fn claims(&self, host: &str) -> bool;
}

/// Request extension: the host of the request, which belongs to a status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedHost(pub String);

/// Response extension: it is compressed by whoever made it, or is not to be.
#[derive(Clone, Copy, Debug)]
pub struct Finished;

/// Leads requests to hosts of pages below [`DOMAIN_PATH`], before a route is looked for.
pub(super) fn lead(routes: Router, hosts: Arc<dyn HostSurface>) -> Router {
    let led = routes.map_request(move |mut request: Request| {
        // Nobody else may say that a host is claimed.
        request.extensions_mut().remove::<ClaimedHost>();
        if let Some(host) = host(&request).filter(|host| hosts.claims(host)) {
            // An address that is too long with the path in front of it must not lead to the console.
            *request.uri_mut() = below(request.uri()).unwrap_or_else(|| Uri::from_static(NOWHERE));
            request.extensions_mut().insert(ClaimedHost(host));
        }
        request
    });
    Router::new().fallback_service(led)
}

/// The host that is asked: of the address (HTTP/2), else of the header.
fn host(request: &Request) -> Option<String> {
    let of_header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().host().or_else(of_header)?;
    Some(super::hosts::bare(host).to_ascii_lowercase())
}

/// The address with [`DOMAIN_PATH`] in front of its path.
fn below(uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{DOMAIN_PATH}{path}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, response::Response, routing::get};
    use http_body_util::BodyExt as _;

    use super::*;

    struct One;

    impl HostSurface for One {
        fn claims(&self, host: &str) -> bool {
            host == "status.example.com"
        }
    }

    async fn ask(host: &str, path: &str) -> String {
        let routes = Router::new()
            .route("/", get(async || "console"))
            .route("/status-domain/", get(async |request: Request| shown(&request)))
            .route("/status-domain/{*rest}", get(async |request: Request| shown(&request)));
        let request = Request::builder().uri(path).header(header::HOST, host).body(Body::empty()).unwrap();
        let response: Response = lead(routes, Arc::new(One)).oneshot(request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn shown(request: &Request) -> String {
        let host = request.extensions().get::<ClaimedHost>().map(|host| host.0.clone());
        format!("{} {}", host.unwrap_or_default(), request.uri())
    }

    #[tokio::test]
    async fn a_host_of_a_page_has_nothing_but_the_page() {
        assert_eq!(ask("localhost:8080", "/").await, "console");
        assert_eq!(ask("Status.Example.com:443", "/").await, "status.example.com /status-domain/");
        assert_eq!(ask("status.example.com", "/api/v1/x?y=1").await, "status.example.com /status-domain/api/v1/x?y=1");
        assert_eq!(ask("localhost", "/status-domain/x").await, " /status-domain/x", "it is not claimed by its path");
        let long = format!("/{}", "a".repeat(65_530));
        assert_eq!(ask("status.example.com", &long).await, "status.example.com /status-domain/-");
    }
}
