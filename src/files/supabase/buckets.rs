//! `/bucket`

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    shapes,
    who::{InBucket, Who},
};
use crate::{ADMIN, Bucket, BucketChange, Files, FilesError, LifecycleRule, NewBucket, Noncurrent, READ, Versioning};
use platform::{
    error::ApiError,
    http::{Json, Path, Query, Slice},
};

/// More than anybody asks for at once: `files.buckets_per_org` is below.
const MOST: i64 = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Listed {
    limit: Option<usize>,
    offset: usize,
    search: String,
    sort_column: String,
    sort_order: String,
}

pub(super) async fn list(
    State(files): State<Files>,
    who: Who,
    Query(query): Query<Listed>,
) -> Result<Json<Vec<Value>>, ApiError> {
    who.principal.require(READ)?;
    let search = Some(query.search.as_str()).filter(|search| !search.is_empty());
    let mut found = files.list_buckets(&who.caller, search, &Slice::first(MOST)).await?;
    match query.sort_column.as_str() {
        "" | "id" | "name" => found.sort_by(|a, b| a.name.cmp(&b.name)),
        "created_at" => found.sort_by_key(|bucket| bucket.created_at),
        "updated_at" => found.sort_by_key(|bucket| bucket.updated_at),
        other => return Err(invalid("sortColumn", format!("{other:?} is none of id, name, created_at, updated_at"))),
    }
    if query.sort_order == "desc" {
        found.reverse();
    }
    let page = found.iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX));
    Ok(Json(page.map(shapes::bucket).collect()))
}

pub(super) async fn show(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(READ)?;
    Ok(Json(shapes::bucket(&files.bucket(&who.caller, &at.bucket).await?)))
}

fn invalid(field: &str, detail: impl Into<String>) -> ApiError {
    ApiError::bad_request("invalid_request", format!("{field}: {}", detail.into()))
}

/// What a body says of a bucket; what it leaves out stays.
fn change(body: &Map<String, Value>) -> Result<BucketChange, ApiError> {
    if let Some(kind) = body.get("type").and_then(Value::as_str).filter(|kind| *kind != "STANDARD") {
        return Err(invalid("type", format!("{kind} buckets are not kept here")));
    }
    let mut change = BucketChange {
        public: body.get("public").and_then(Value::as_bool),
        versioning: match body.get("versioning_status").and_then(Value::as_str) {
            None => None,
            Some("ENABLED") => Some(Versioning::On),
            Some("SUSPENDED") => Some(Versioning::Suspended),
            Some("DISABLED") => Some(Versioning::Off),
            Some(other) => return Err(invalid("versioning_status", format!("{other:?} is not known"))),
        },
        ..BucketChange::default()
    };
    if let Some(limit) = body.get("file_size_limit") {
        change.max_object_bytes = Some(file_size(limit)?);
    }
    change.allowed_types = match body.get("allowed_mime_types") {
        None => None,
        Some(Value::Null) => Some(Vec::new()),
        Some(list) => {
            let list: Result<Vec<String>, _> = serde_json::from_value(list.clone());
            Some(list.map_err(|_| invalid("allowed_mime_types", "expected a list of media types"))?)
        }
    };
    Ok(change)
}

/// Bytes: a number, or a text such as `50MB`; `None`: the limit of the installation.
fn file_size(value: &Value) -> Result<Option<i64>, ApiError> {
    let wrong = || invalid("file_size_limit", "expected a number of bytes, or a text such as 50MB");
    let text = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => {
            return number.as_i64().filter(|bytes| *bytes >= 0).map(none_of_zero).ok_or_else(wrong);
        }
        Value::String(text) => text.trim().to_ascii_uppercase(),
        _ => return Err(wrong()),
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: i64 = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.map(none_of_zero).ok_or_else(wrong)
}

/// Zero is how some say that there is no limit.
fn none_of_zero(bytes: i64) -> Option<i64> {
    Some(bytes).filter(|bytes| *bytes > 0)
}

pub(super) async fn create(
    State(files): State<Files>,
    who: Who,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(ADMIN)?;
    let name = ["name", "id"].iter().find_map(|field| body.get(*field)).and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("name", "missing"))?.to_owned();
    let mut rest = change(&body)?;
    let new = NewBucket {
        name: name.clone(),
        public: rest.public.take().unwrap_or(false),
        versioning: rest.versioning.take().unwrap_or_default(),
        ..NewBucket::default()
    };
    let made = files.create_bucket(&who.caller, new).await?;
    if rest.max_object_bytes.is_some() || rest.allowed_types.is_some() {
        let changed = files.change_bucket(&who.caller, made.id, None, rest).await;
        // All that was asked for, or no bucket.
        if let Err(error) = changed {
            files.delete_bucket(&who.caller, made.id).await?;
            return Err(error.into());
        }
    }
    Ok(Json(json!({"name": name})))
}

pub(super) async fn change_one(files: &Files, who: &Who, name: &str, change: BucketChange) -> Result<Bucket, ApiError> {
    who.principal.require(ADMIN)?;
    let bucket = files.bucket(&who.caller, name).await?;
    Ok(files.change_bucket(&who.caller, bucket.id, None, change).await?)
}

pub(super) async fn change_bucket(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    change_one(&files, &who, &at.bucket, change(&body)?).await?;
    Ok(Json(json!({"message": "Successfully updated"})))
}

pub(super) async fn empty(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(ADMIN)?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    files.empty_bucket(&who.caller, bucket.id).await?;
    Ok(Json(json!({"message": "Empty bucket has been queued. Completion may take up to an hour."})))
}

pub(super) async fn remove(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(ADMIN)?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    files.delete_bucket(&who.caller, bucket.id).await?;
    Ok(Json(json!({"message": "Successfully deleted"})))
}

/// A rule as these clients know it: they have one kind.
fn shown(rule: &LifecycleRule) -> Option<Value> {
    let noncurrent = rule.noncurrent?;
    let others = rule.expire.is_some() || rule.move_to.is_some() || rule.abort_uploads_days.is_some();
    let filtered =
        !rule.prefix.is_empty() || !rule.tags.is_empty() || rule.larger_than.is_some() || rule.smaller_than.is_some();
    if others || filtered {
        return None;
    }
    let status = if rule.enabled { "Enabled" } else { "Disabled" };
    Some(json!({
        "id": rule.id, "status": status, "filter": {},
        "noncurrentVersionExpiration": {"noncurrentDays": noncurrent.days, "newerNoncurrentVersions": noncurrent.keep},
    }))
}

pub(super) async fn lifecycle(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(READ)?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let rules: Vec<LifecycleRule> = serde_json::from_value(bucket.lifecycle).map_err(FilesError::from)?;
    let shown: Option<Vec<Value>> = rules.iter().map(shown).collect();
    let shown = shown.ok_or_else(|| {
        invalid("rules", "this bucket has rules that this API cannot show: see /api/v1/buckets/<bucket>/lifecycle")
    })?;
    Ok(Json(json!({"rules": shown})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    id: Option<String>,
    status: String,
    #[serde(default)]
    filter: Map<String, Value>,
    noncurrent_version_expiration: Expiration,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expiration {
    noncurrent_days: i32,
    #[serde(default)]
    newer_noncurrent_versions: i32,
}

impl Rule {
    fn ours(self, n: usize) -> Result<LifecycleRule, ApiError> {
        if !self.filter.is_empty() {
            return Err(invalid("filter", "expected an empty one"));
        }
        let enabled = match self.status.as_str() {
            "Enabled" => true,
            "Disabled" => false,
            other => return Err(invalid("status", format!("{other:?} is neither Enabled nor Disabled"))),
        };
        let Expiration { noncurrent_days, newer_noncurrent_versions } = self.noncurrent_version_expiration;
        Ok(LifecycleRule {
            id: self.id.unwrap_or_else(|| format!("rule-{}", n + 1)),
            enabled,
            prefix: String::new(),
            tags: std::collections::BTreeMap::new(),
            larger_than: None,
            smaller_than: None,
            expire: None,
            noncurrent: Some(Noncurrent { days: noncurrent_days, keep: newer_noncurrent_versions }),
            abort_uploads_days: None,
            move_to: None,
        })
    }
}

pub(super) async fn set_lifecycle(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
    Json(body): Json<Rules>,
) -> Result<Json<Value>, ApiError> {
    let rules = body.rules.into_iter().enumerate().map(|(n, rule)| rule.ours(n)).collect::<Result<Vec<_>, _>>()?;
    let shown: Vec<Value> = rules.iter().filter_map(shown).collect();
    let change = BucketChange { lifecycle: Some(rules), ..BucketChange::default() };
    change_one(&files, &who, &at.bucket, change).await?;
    Ok(Json(json!({"rules": shown})))
}

pub(super) async fn drop_lifecycle(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
) -> Result<Json<Value>, ApiError> {
    let change = BucketChange { lifecycle: Some(Vec::new()), ..BucketChange::default() };
    change_one(&files, &who, &at.bucket, change).await?;
    Ok(Json(json!({"message": "Successfully deleted"})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_or_texts_with_units() {
        for (value, bytes) in [
            (json!(5), Some(Some(5))),
            (json!(null), Some(None)),
            (json!(0), Some(None)),
            (json!("50MB"), Some(Some(50_000_000))),
            (json!("1 gb"), Some(Some(1_000_000_000))),
            (json!("12"), Some(Some(12))),
            (json!("x"), None),
            (json!("5 parsecs"), None),
            (json!(-1), None),
            (json!("99999999999999TB"), None),
        ] {
            assert_eq!(file_size(&value).ok(), bytes, "{value}");
        }
    }
}
