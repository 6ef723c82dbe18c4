//! Where the S3 API answers, and the way of a request through it.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, OriginalUri, Request, State},
    http::{HeaderMap, Method, Uri, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::any,
};
use secrecy::SecretString;
use tower::ServiceExt as _;

use crate::{
    S3Error,
    canonical::Query,
    cors,
    errors::{CORS_FORBIDDEN, NO_SUCH_BUCKET},
    gate::{Address, Admitted, dummy},
    host,
    operation::{Operation, is_form, resolve},
    ops::{self, Cx, set},
};
use files::Files;
use platform::http::{Finished, RateLimiter, RequestId};

/// Wrong signatures of an address in a minute.
const FAILURES: u32 = 60;

/// What the S3 API is told of the installation.
#[derive(Clone, Debug)]
pub struct S3Config {
    pub region: String,
    /// Names of hosts whose own buckets are hosts: `<bucket>.<host>`; in lower case, without port.
    pub hosts: Vec<String>,
}

/// What a request needs to know of the place where it came in.
#[derive(Debug)]
pub(crate) struct Settings {
    pub region: String,
    pub hosts: Vec<String>,
    /// Path in front of buckets.
    prefix: &'static str,
    /// As clients know it: a proxy may ask us under another name.
    pub public_host: String,
    /// The path that a proxy takes away.
    pub public_path: String,
}

#[derive(Clone)]
pub(crate) struct S3 {
    pub files: Files,
    pub settings: Arc<Settings>,
    pub failures: RateLimiter,
    pub by_key: RateLimiter,
    /// Signs in the place of keys that are not there.
    pub dummy: SecretString,
}

/// With buckets at the root: for a port of its own.
pub fn router(files: Files, config: S3Config) -> Router {
    made("", files, config)
}

/// Below a path of the main port.
pub fn mounted(prefix: &'static str, files: Files, config: S3Config) -> Router {
    Router::new().nest(prefix, made(prefix, files, config))
}

fn made(prefix: &'static str, files: Files, config: S3Config) -> Router {
    let (public_host, public_path) = split(files.public_url());
    let settings = Settings { region: config.region, hosts: config.hosts, prefix, public_host, public_path };
    let of_key = files.config().requests_per_minute;
    let s3 = S3 {
        settings: Arc::new(settings),
        failures: RateLimiter::new(FAILURES, FAILURES),
        by_key: RateLimiter::new(of_key, of_key),
        dummy: dummy(),
        files,
    };
    Router::new().fallback(any(answer)).with_state(s3)
}

/// Leads requests for the S3 API's own hosts to it, whatever their path; all others stay with `main`.
pub fn by_host(main: Router, s3: Router, hosts: Vec<String>) -> Router {
    if hosts.is_empty() {
        return main;
    }
    let led = Led { s3, hosts: hosts.into() };
    Router::new().fallback_service(main).layer(from_fn_with_state(led, lead))
}

#[derive(Clone)]
struct Led {
    s3: Router,
    hosts: Arc<[String]>,
}

async fn lead(State(led): State<Led>, mut request: Request, next: Next) -> Response {
    if !host::is_ours(host::asked(request.uri(), request.headers()), &led.hosts) {
        return next.run(request).await;
    }
    request.extensions_mut().remove::<MatchedPath>();
    match led.s3.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Host and path of an address, without a slash at its end.
fn split(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    (host.to_owned(), path.trim_end_matches('/').to_owned())
}

/// Whether an endpoint for this installation's own objects is this installation: it could not start, because it would wait for itself.
pub fn is_itself(endpoint: &str, listen: &str, public_url: &str, hosts: &[String]) -> bool {
    let (host, path) = split(&endpoint.to_ascii_lowercase());
    let (public, below) = split(&public_url.to_ascii_lowercase());
    let port = |host: &str| host.rsplit_once(':').map(|(_, port)| port.to_owned());
    let is_here = |name: &str| {
        let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0" | "[::]")
    };
    let is_listener = !listen.is_empty()
        && port(&host).is_some()
        && port(&host) == port(listen)
        && (is_here(&host) || host == listen.to_ascii_lowercase());
    let is_public = host == public && path.starts_with(&format!("{below}/s3"));
    is_listener || is_public || host::is_ours(&host, hosts)
}

async fn answer(State(s3): State<S3>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |original| original.0.clone());
    let served = Box::pin(s3.serve(&parts, &uri, body)).await;
    let mut response = served.unwrap_or_else(|error| error.response(uri.path(), &id));
    set(response.headers_mut(), "x-amz-request-id", &id);
    set(response.headers_mut(), "x-amz-id-2", "holdfast");
    // As it is: a compressed answer has another length and another etag than clients compare.
    response.extensions_mut().insert(Finished);
    response
}

impl S3 {
    async fn serve(&self, parts: &Parts, uri: &Uri, body: Body) -> Result<Response, S3Error> {
        let (asked, path) = (host::asked(uri, &parts.headers), uri.path());
        let below = path.strip_prefix(self.settings.prefix).unwrap_or(path);
        let target = host::target(asked, &self.settings.hosts, below)?;
        let query = Query::parse(uri.query().unwrap_or_default())?;
        if parts.method == Method::OPTIONS {
            return self.preflight(target.bucket.as_deref(), &parts.headers).await;
        }
        let is_post = parts.method == Method::POST && target.bucket.is_some() && target.key.is_none();
        if is_post && is_form(&parts.headers) && !parts.headers.contains_key(header::AUTHORIZATION) {
            return self.post(parts, target, body).await;
        }
        let address = Address { host: asked, path, query };
        let Admitted { who, headers, query, body } = self.admit(parts, address, body).await?;
        let operation = resolve(&parts.method, &target, &query, &headers)?;
        let cx = Cx { files: self.files.clone(), settings: self.settings.clone(), who, target, query, headers };
        self.run(operation, &cx, &parts.method, body).await
    }

    async fn run(
        &self,
        operation: Operation,
        cx: &Cx,
        method: &Method,
        body: crate::body::Body,
    ) -> Result<Response, S3Error> {
        let mut response = ops::run(operation, cx, body).await.inspect_err(|error| {
            tracing::debug!(operation = operation.name(), code = error.code, "a request of the S3 API was refused");
        })?;
        if let (Some(origin), Some(name)) = (cx.header("origin"), &cx.target.bucket)
            && let Ok(bucket) = self.files.bucket(&cx.who, name).await
        {
            cors::tell(&cors::stored(&bucket.cors), origin, method.as_str(), response.headers_mut());
        }
        Ok(response)
    }

    /// A browser asks without a key: the rules of all buckets of this name are looked at, and say nothing else of them.
    async fn preflight(&self, bucket: Option<&str>, headers: &HeaderMap) -> Result<Response, S3Error> {
        let name = bucket.ok_or_else(|| NO_SUCH_BUCKET.error())?;
        let mut refused = CORS_FORBIDDEN.error();
        for rules in self.files.cors_of(name).await? {
            match cors::preflight(&cors::stored(&rules), headers) {
                Ok(response) => return Ok(response),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}
