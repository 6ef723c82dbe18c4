//! Buckets and objects as supabase's clients know them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::{Bucket, Object, Versioning, routes::version_id};

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn bucket(bucket: &Bucket) -> Value {
    let versioning = match bucket.versioning {
        Versioning::Off => "DISABLED",
        Versioning::On => "ENABLED",
        Versioning::Suspended => "SUSPENDED",
    };
    let types = (!bucket.allowed_types.is_empty()).then_some(&bucket.allowed_types);
    json!({
        "id": bucket.name, "name": bucket.name, "owner": bucket.created_by, "type": "STANDARD", "public": bucket.public,
        "file_size_limit": bucket.max_object_bytes, "allowed_mime_types": types, "versioning_status": versioning,
        "created_at": time(bucket.created_at), "updated_at": time(bucket.updated_at),
    })
}

fn cache_control(object: &Object) -> &str {
    object.headers.cache_control.as_deref().unwrap_or("no-cache")
}

/// What a list says of an object, as `name`.
pub(super) fn object(object: &Object, name: &str) -> Value {
    let (version, at) = (version_id(object.version()), time(object.created_at));
    json!({
        "name": name, "id": object.id, "version": version, "created_at": at, "updated_at": at, "last_accessed_at": at,
        "metadata": {
            "eTag": format!("\"{}\"", object.etag), "size": object.size, "mimetype": object.content_type,
            "cacheControl": cache_control(object), "lastModified": at, "contentLength": object.size, "httpStatusCode": 200,
        },
        "is_delete_marker": false, "is_versioned": !object.unversioned,
    })
}

/// A folder of a list.
pub(super) fn folder(name: &str) -> Value {
    json!({
        "name": name, "id": null, "created_at": null, "updated_at": null, "last_accessed_at": null, "metadata": null,
    })
}

pub(super) fn info(object: &Object, bucket: &Bucket) -> Value {
    let (version, at) = (version_id(object.version()), time(object.created_at));
    json!({
        "id": object.id, "version": version, "name": object.key.as_str(), "bucket_id": bucket.name,
        "size": object.size, "content_type": object.content_type, "cache_control": cache_control(object),
        "content_encoding": object.headers.content_encoding, "etag": format!("\"{}\"", object.etag), "metadata": object.metadata,
        "last_modified": at, "created_at": at, "updated_at": at, "is_versioned": !object.unversioned,
    })
}

/// `bucket/key`, as answers to writes have it.
pub(super) fn full_path(bucket: &Bucket, object: &Object) -> String {
    format!("{}/{}", bucket.name, object.key)
}
