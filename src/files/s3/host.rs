//! Which bucket and key an address names: by its path, or by its host and its path.

use axum::http::{HeaderMap, Uri, header};

use crate::{
    canonical::decoded,
    errors::{INVALID_BUCKET_NAME, INVALID_URI, S3Error},
};

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// `None`: all buckets.
    pub bucket: Option<String>,
    /// `None`: the bucket itself.
    pub key: Option<String>,
}

/// The host that was asked, as it stands in the request: of the address in HTTP/2.
pub(crate) fn asked<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let of_header = || headers.get(header::HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(axum::http::uri::Authority::as_str).or_else(of_header).unwrap_or_default()
}

/// Without port and trailing dot, in lower case.
fn bare(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether the host is one of `hosts`, or a bucket of one of them.
pub(crate) fn is_ours(host: &str, hosts: &[String]) -> bool {
    let host = bare(host);
    hosts.iter().any(|ours| bucket_of(&host, ours).is_some())
}

/// The bucket whose host it is; empty: the host itself.
fn bucket_of<'a>(host: &'a str, ours: &str) -> Option<&'a str> {
    let rest = host.strip_suffix(ours)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.').filter(|bucket| !bucket.is_empty()) }
}

/// `path`: as it came, without the prefix of the surface.
pub(crate) fn target(host: &str, hosts: &[String], path: &str) -> Result<Target, S3Error> {
    let host = bare(host);
    let of_host = hosts.iter().find_map(|ours| bucket_of(&host, ours)).filter(|bucket| !bucket.is_empty());
    let path = path.strip_prefix('/').unwrap_or(path);
    if let Some(bucket) = of_host {
        let key = decoded(path)?;
        return Ok(Target { bucket: Some(named(bucket.to_owned())?), key: Some(key).filter(|key| !key.is_empty()) });
    }
    // `//bucket` is asked for by programs that join an address with a slash at its end and a path.
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Ok(Target::default());
    }
    Ok(Target { bucket: Some(named(decoded(bucket)?)?), key: Some(decoded(key)?).filter(|key| !key.is_empty()) })
}

fn named(bucket: String) -> Result<String, S3Error> {
    if bucket.contains('\0') {
        return Err(INVALID_URI.error());
    }
    // By ids, the API finds buckets; S3 has names only.
    if bucket.len() > 63 || uuid::Uuid::try_parse(&bucket).is_ok() {
        return Err(INVALID_BUCKET_NAME.error());
    }
    Ok(bucket)
}
