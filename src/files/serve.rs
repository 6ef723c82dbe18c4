//! Headers of downloads.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::{Bucket, Object, Sniffed, is_active};
use platform::http::disposition;

/// What a file of somebody may do where it is opened: nothing.
const POLICY: &str = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'";

/// The etag as a header has it.
pub fn etag_value(etag: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{etag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The headers of a download that is never shown inline, as on the console's own origin.
pub fn attachment(bucket: &Bucket, object: &Object) -> HeaderMap {
    let active = is_active(&object.content_type, Sniffed { media_type: "", active: object.sniffed == "text/html" });
    let octets = HeaderValue::from_static("application/octet-stream");
    let declared = HeaderValue::try_from(&object.content_type).ok().filter(|_| !active);
    let kind = declared.unwrap_or(octets);
    let default_cache = if bucket.public { "public, max-age=60" } else { "no-cache" };
    let cache = [object.headers.cache_control.as_deref(), Some(bucket.cache_control.as_str())];
    let cache = cache.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or(default_cache);
    let modified = object.created_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_LENGTH, HeaderValue::from(object.size)),
        (header::CONTENT_DISPOSITION, disposition("attachment", object.key.file_name())),
        (header::ETAG, etag_value(&object.etag)),
        (header::LAST_MODIFIED, HeaderValue::try_from(modified).unwrap_or(HeaderValue::from_static(""))),
        (header::CACHE_CONTROL, HeaderValue::try_from(cache).unwrap_or(HeaderValue::from_static("no-cache"))),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ])
}
