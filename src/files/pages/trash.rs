//! The trash of a bucket: what was deleted and can be put back.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, caller, object_address};
use crate::{Bucket, Caller, Files, FilesError, StoredInBucket, TrashEntry, VersionId};
use console::{Flash, Form, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Query},
    names::with_directions_shown,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BucketQuery {
    bucket: String,
}

#[derive(Template)]
#[template(path = "files/templates/trash.html")]
struct Trash<'a> {
    shell: &'a Shell,
    /// Buckets whose trash is not empty, the fullest first.
    buckets: Vec<StoredInBucket>,
    bucket: Option<Bucket>,
    entries: Vec<TrashEntry>,
    query: ListQuery,
    pager: Pager,
}

impl Trash<'_> {
    fn is_chosen(&self, bucket: &StoredInBucket) -> bool {
        self.bucket.as_ref().is_some_and(|chosen| chosen.id == bucket.id)
    }

    fn size(&self, entry: &TrashEntry) -> String {
        self.shell.bytes(i64::try_from(entry.object.size).unwrap_or(i64::MAX))
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn key(&self, entry: &TrashEntry) -> String {
        with_directions_shown(entry.object.key.as_str())
    }
}

/// The bucket that is asked for, else the one whose trash is the fullest.
async fn chosen(
    files: &Files,
    who: &Caller,
    asked: &str,
    buckets: &[StoredInBucket],
) -> Result<Option<Bucket>, FilesError> {
    let name =
        if asked.is_empty() { buckets.first().map(|bucket| bucket.id.to_string()) } else { Some(asked.to_owned()) };
    let Some(name) = name else { return Ok(None) };
    match files.bucket(who, &name).await {
        Ok(bucket) => Ok(Some(bucket)),
        // It is in the trash itself.
        Err(FilesError::BucketNotFound) if asked.is_empty() => Ok(None),
        Err(error) => Err(error),
    }
}

pub async fn list(
    shell: Shell,
    State(files): State<Files>,
    Query(query): Query<ListQuery>,
    Query(BucketQuery { bucket }): Query<BucketQuery>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let mut buckets = files.largest_buckets(&who).await?;
    buckets.retain(|bucket| bucket.usage.trashed > 0);
    buckets.sort_by_key(|bucket| std::cmp::Reverse(bucket.usage.trashed_bytes));
    let bucket = chosen(&files, &who, &bucket, &buckets).await?;
    let slice = query.clone().sized(SHOWN).slice()?;
    let rows = match &bucket {
        Some(bucket) => files.trash(&who, bucket, query.search(), &slice).await?,
        None => Vec::new(),
    };
    let page = slice.page(rows, |entry| entry.object.id.0);
    let name = bucket.as_ref().map_or("", |bucket| bucket.name.as_str());
    let pager = Pager::new("/files/trash", &[("bucket", name)], &query, page.next_cursor.as_deref());
    shell.render(&Trash { shell: &shell, buckets, bucket, entries: page.data, query, pager })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chosen {
    bucket: String,
    version: Vec<String>,
}

impl Chosen {
    fn versions(&self) -> Vec<VersionId> {
        self.version.iter().filter_map(|id| id.parse().ok()).collect()
    }

    fn address(&self) -> String {
        format!("/files/trash?bucket={}", super::encoded(&self.bucket))
    }
}

pub async fn restore(shell: Shell, State(files): State<Files>, Form(form): Form<Chosen>) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let (mut restored, mut last) = (0, None);
    for version in form.versions() {
        match files.restore(&who, version).await {
            Ok(written) => {
                restored += 1;
                last = Some(written.object.key);
            }
            // Somebody else was quicker.
            Err(FilesError::VersionNotFound) => {}
            Err(error) => return failed(&shell, &form, error),
        }
    }
    let to = match last {
        Some(key) if restored == 1 => object_address(&form.bucket, key.as_str()),
        _ => form.address(),
    };
    Ok(shell.redirect(&to, &Flash::ok("files-restored").with("n", &restored)))
}

pub async fn purge(shell: Shell, State(files): State<Files>, Form(form): Form<Chosen>) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let purged = if form.version.is_empty() {
        let bucket = files.bucket(&who, &form.bucket).await?;
        match files.empty_trash(&who, &bucket).await {
            Ok(purged) => purged,
            Err(error) => return failed(&shell, &form, error),
        }
    } else {
        let mut purged = 0;
        for version in form.versions() {
            match files.purge(&who, version).await {
                Ok(()) => purged += 1,
                Err(FilesError::VersionNotFound) => {}
                Err(error) => return failed(&shell, &form, error),
            }
        }
        purged
    };
    Ok(shell.redirect(&form.address(), &Flash::ok("files-purged").with("n", &purged)))
}

/// What a lock or a quota forbids is told where it was asked for.
fn failed(shell: &Shell, form: &Chosen, error: FilesError) -> PageResult {
    let error = ApiError::from(error);
    if error.status.is_server_error() {
        return Err(error);
    }
    Ok(shell
        .redirect(&form.address(), &Flash::error("files-change-failed").with("n", &0).with("reason", &error.detail)))
}
