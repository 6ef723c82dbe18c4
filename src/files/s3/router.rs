//! Where the S3 API answers.

use axum::{Router, extract::State, http::Method, routing::any};

use crate::S3Error;
use files::Files;

/// What the S3 API is told of the installation.
#[derive(Clone, Debug)]
pub struct S3Config {
    pub region: String,
}

#[derive(Clone)]
struct S3 {
    files: Files,
    config: S3Config,
}

/// With buckets at the root: for a port of its own.
pub fn router(files: Files, config: S3Config) -> Router {
    Router::new().fallback(any(answer)).with_state(S3 { files, config })
}

/// Below a path of the main port.
pub fn mounted(prefix: &'static str, files: Files, config: S3Config) -> Router {
    Router::new().nest(prefix, router(files, config))
}

async fn answer(State(s3): State<S3>, method: Method) -> S3Error {
    tracing::debug!(region = s3.config.region, address = s3.files.public_url(), %method, "a request of S3, which is not served yet");
    S3Error::not_implemented("this installation has no S3 API yet: use /api/v1/buckets")
}
