//! `/object/list`: folders and objects below a prefix.

use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    shapes,
    who::{InBucket, Who},
};
use crate::{Bucket, Caller, Files, FilesError, ListEntry, ListObjects};
use platform::{
    error::ApiError,
    http::{Json, Path},
};

/// Entries that are read at a time.
const AT_ONCE: i64 = 1000;
/// Entries of a page.
const MOST: usize = 1000;
/// Below so many entries an order other than that of names is made in memory.
const SORTED: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SortBy {
    column: String,
    order: String,
}

impl SortBy {
    fn is_by_name(&self) -> bool {
        matches!(self.column.as_str(), "" | "name") && matches!(self.order.as_str(), "" | "asc")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Search {
    prefix: String,
    limit: Option<usize>,
    offset: usize,
    sort_by: SortBy,
    /// What the last part of a name begins with.
    search: String,
    noncurrent_versions: Option<String>,
    delete_markers: Option<String>,
    exact_match: bool,
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::bad_request("invalid_request", detail)
}

/// Versions are not listed here.
fn plain(versions: Option<&str>, markers: Option<&str>, exact: bool) -> Result<(), ApiError> {
    let is_plain = |text: Option<&str>| text.is_none_or(|text| text == "exclude");
    if is_plain(versions) && is_plain(markers) && !exact {
        return Ok(());
    }
    Err(invalid("noncurrentVersions, deleteMarkers, exactMatch: see GET /api/v1/buckets/<bucket>/versions"))
}

pub(super) async fn list(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
    Json(body): Json<Search>,
) -> Result<Json<Vec<Value>>, ApiError> {
    plain(body.noncurrent_versions.as_deref(), body.delete_markers.as_deref(), body.exact_match)?;
    let limit = body.limit.unwrap_or(100).min(MOST);
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let folder = match body.prefix.trim_start_matches('/') {
        "" => String::new(),
        prefix if prefix.ends_with('/') => prefix.to_owned(),
        prefix => format!("{prefix}/"),
    };
    let under = format!("{folder}{}", body.search);
    let wanted = if body.sort_by.is_by_name() { body.offset.saturating_add(limit) } else { SORTED + 1 };
    let mut entries = entries(&files, &who.caller, &bucket, (&under, &folder), wanted).await?;
    if !body.sort_by.is_by_name() {
        if entries.len() > SORTED {
            return Err(invalid(format!(
                "sortBy: more than {SORTED} entries are there: only name, ascending, is sorted"
            )));
        }
        sort(&mut entries, &body.sort_by)?;
    }
    let shown = |entry: &ListEntry| match entry {
        ListEntry::Prefix(key) => shapes::folder(key[folder.len()..].trim_end_matches('/')),
        ListEntry::Object(object) => shapes::object(object, &object.key.as_str()[folder.len()..]),
    };
    Ok(Json(entries.iter().skip(body.offset).take(limit).map(shown).collect()))
}

/// The first entries that begin with a text, `/` behind `folder` being the end of a name. The folder itself is none of them.
async fn entries(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    (under, folder): (&str, &str),
    wanted: usize,
) -> Result<Vec<ListEntry>, FilesError> {
    let (mut found, mut start) = (Vec::new(), Some(String::new()));
    while let Some(from) = start.take().filter(|_| found.len() < wanted) {
        let query = ListObjects { prefix: under.to_owned(), delimiter: "/".to_owned(), start: from, most: AT_ONCE };
        let page = files.list(who, bucket, &query).await?;
        found.extend(page.entries.into_iter().filter(|entry| name(entry) != folder));
        start = page.next;
    }
    found.truncate(wanted);
    Ok(found)
}

fn name(entry: &ListEntry) -> &str {
    match entry {
        ListEntry::Prefix(key) => key,
        ListEntry::Object(object) => object.key.as_str(),
    }
}

/// Folders first: they have no time.
fn sort(entries: &mut [ListEntry], by: &SortBy) -> Result<(), ApiError> {
    let time = |entry: &ListEntry| match entry {
        ListEntry::Prefix(_) => None,
        ListEntry::Object(object) => Some(object.created_at),
    };
    match by.column.as_str() {
        "" | "name" => {}
        "created_at" | "updated_at" | "last_accessed_at" => entries.sort_by_key(time),
        other => return Err(invalid(format!("sortBy: {other:?} is none of name, created_at, updated_at"))),
    }
    match by.order.as_str() {
        "" | "asc" => {}
        "desc" => entries.reverse(),
        other => return Err(invalid(format!("sortBy: {other:?} is neither asc nor desc"))),
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SearchV2 {
    prefix: String,
    limit: Option<usize>,
    cursor: Option<String>,
    with_delimiter: bool,
    #[serde(rename = "sortBy")]
    sort_by: SortBy,
    #[serde(rename = "noncurrentVersions")]
    noncurrent_versions: Option<String>,
    #[serde(rename = "deleteMarkers")]
    delete_markers: Option<String>,
    #[serde(rename = "exactMatch")]
    exact_match: bool,
}

pub(super) async fn list_v2(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
    Json(body): Json<SearchV2>,
) -> Result<Json<Value>, ApiError> {
    plain(body.noncurrent_versions.as_deref(), body.delete_markers.as_deref(), body.exact_match)?;
    if !body.sort_by.is_by_name() {
        return Err(invalid("sortBy: only name, ascending"));
    }
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let most = i64::try_from(body.limit.unwrap_or(MOST).clamp(1, MOST)).unwrap_or(AT_ONCE);
    let delimiter = if body.with_delimiter { "/".to_owned() } else { String::new() };
    let start = match body.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
        None => String::new(),
        Some(cursor) => {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            bytes.ok_or_else(|| invalid("cursor: not one of this list"))?
        }
    };
    let query = ListObjects { prefix: body.prefix, delimiter, start, most };
    let page = files.list(&who.caller, &bucket, &query).await?;
    let (mut folders, mut objects) = (Vec::new(), Vec::new());
    for entry in &page.entries {
        let key = last_part(name(entry));
        match entry {
            ListEntry::Prefix(name) => folders.push(json!({"name": name, "key": key})),
            ListEntry::Object(object) => {
                let mut shown = shapes::object(object, object.key.as_str());
                shown["key"] = json!(key);
                objects.push(shown);
            }
        }
    }
    let next = page.next.map(|start| URL_SAFE_NO_PAD.encode(start));
    Ok(Json(json!({"hasNext": next.is_some(), "folders": folders, "objects": objects, "nextCursor": next})))
}

fn last_part(name: &str) -> &str {
    name.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
