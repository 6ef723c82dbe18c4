//! Errors as supabase's clients read them: `{statusCode, error, message, code}`.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use serde_json::{Value, json};

use platform::error::ResponseError;

/// Layer: problems become errors of this API. Around the whole server it also reaches those that are raised before a route.
pub async fn map_errors(request: Request, next: Next) -> Response {
    let original = request.extensions().get::<axum::extract::OriginalUri>().map(|uri| uri.0.path().to_owned());
    let path = original.unwrap_or_else(|| request.uri().path().to_owned());
    let response = next.run(request).await;
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let Some(error) = response.extensions().get::<ResponseError>().filter(|_| is_problem && is_ours(&path)) else {
        return response;
    };
    let body = body(response.status(), &error.code, &error.detail).to_string();
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, body.into())
}

/// Whether the path is one of this API.
fn is_ours(path: &str) -> bool {
    let below =
        |path: &str| path.strip_prefix("/storage/v1").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let of_organisation = || {
        let rest = path.strip_prefix("/o/")?;
        rest.find('/').map(|slash| below(&rest[slash..]))
    };
    below(path) || of_organisation().unwrap_or(false)
}

fn body(status: StatusCode, code: &str, detail: &str) -> Value {
    let (name, theirs) = names(code);
    json!({"statusCode": status.as_u16().to_string(), "error": name, "message": detail, "code": theirs})
}

/// `error` and `code` of storage-api for a code of ours; what it does not have keeps its name.
fn names(code: &str) -> (&str, &str) {
    match code {
        "bucket_not_found" => ("Bucket not found", "NoSuchBucket"),
        "object_not_found" => ("not_found", "NoSuchKey"),
        "version_not_found" => ("not_found", "NoSuchVersion"),
        "upload_not_found" | "upload_ended" => ("not_found", "NoSuchUpload"),
        "object_exists" => ("Duplicate", "KeyAlreadyExists"),
        "bucket_exists" => ("Duplicate", "ResourceAlreadyExists"),
        "not_empty" => ("InvalidRequest", "BucketNotEmpty"),
        "unauthorized" | "invalid_api_key" => ("Unauthorized", "InvalidJWT"),
        "forbidden" | "csrf_refused" => ("Unauthorized", "AccessDenied"),
        "token_expired" | "token_invalid" | "token_used" => ("InvalidJWT", "InvalidJWT"),
        "payload_too_large" | "quota_exceeded" => ("Payload too large", "EntityTooLarge"),
        "type_refused" => ("invalid_mime_type", "InvalidMimeType"),
        "key_invalid" => ("InvalidKey", "InvalidKey"),
        "range_not_satisfiable" => ("InvalidRange", "InvalidRange"),
        "rate_limited" => ("SlowDown", "SlowDown"),
        "internal" | "object_damaged" => ("Internal", "InternalError"),
        other => (other, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_api_get_its_errors() {
        for path in ["/storage/v1", "/storage/v1/object/a/b", "/o/acme/storage/v1/bucket"] {
            assert!(is_ours(path), "{path}");
        }
        for path in ["/storage/v12", "/o/acme", "/o/storage/v1x", "/api/v1/buckets", "/o/a/b/storage/v1"] {
            assert!(!is_ours(path), "{path}");
        }
        let error = body(StatusCode::NOT_FOUND, "object_not_found", "no such object");
        assert_eq!(
            error,
            json!({"statusCode": "404", "error": "not_found", "message": "no such object", "code": "NoSuchKey"})
        );
    }
}
