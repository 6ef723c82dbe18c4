//! `holdfast storage ls` and `du`

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::{Org, bucket_of, bytes, caller, in_words, organisation, organisations, place::Place, print};
use crate::{app::App, cli::print_line};
use files::{Bucket, BucketUsage, Caller, ListEntry, ListObjects, Object};
use platform::http::ListQuery;

/// Entries that are read at a time.
const PAGE: i64 = 1000;

/// A line of a listing.
#[derive(Debug, Serialize)]
struct Line {
    key: String,
    /// Absent: a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<chrono::DateTime<chrono::Utc>>,
}

pub(super) async fn ls(app: &App, place: Option<&str>, recursive: bool, json: bool) -> anyhow::Result<ExitCode> {
    match place {
        None => {
            let slugs: Vec<String> = organisations(app).await?.into_iter().map(|org| org.slug).collect();
            print(json, &slugs, || slugs.iter().for_each(|slug| print_line(slug)))?;
        }
        Some(slug) if !slug.contains(':') => {
            let org = organisation(app, slug).await?;
            let names: Vec<String> = buckets(app, &caller(&org)).await?.into_iter().map(|bucket| bucket.name).collect();
            print(json, &names, || names.iter().for_each(|name| print_line(&format!("{slug}:{name}"))))?;
        }
        Some(text) => {
            let place = Place::expect(text)?;
            let (who, bucket) = bucket_of(app, &place).await?;
            let delimiter = if recursive { "" } else { "/" };
            // One page after the other: a bucket may have millions.
            let mut lines = Vec::new();
            each_page(app, &who, &bucket, &place.key, delimiter, |entries| {
                for line in entries.into_iter().map(line) {
                    if json {
                        lines.push(line);
                    } else {
                        print_line(&shown(&line));
                    }
                }
            })
            .await?;
            if json {
                print(true, &lines, || {})?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(entry: ListEntry) -> Line {
    match entry {
        ListEntry::Prefix(key) => Line { key, size: None, etag: None, created_at: None },
        ListEntry::Object(object) => {
            let Object { key, size, etag, created_at, .. } = *object;
            Line { key: key.to_string(), size: Some(size), etag: Some(etag), created_at: Some(created_at) }
        }
    }
}

fn shown(line: &Line) -> String {
    let when = line.created_at.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    let size = line.size.map(|size| size.to_string()).unwrap_or_default();
    format!("{when:<16} {size:>14}  {}", line.key)
}

/// Calls `take` with each page of a bucket below a prefix, in the order of keys.
pub(super) async fn each_page(
    app: &App,
    who: &Caller,
    bucket: &Bucket,
    prefix: &str,
    delimiter: &str,
    mut take: impl FnMut(Vec<ListEntry>),
) -> anyhow::Result<()> {
    let mut start = Some(String::new());
    while let Some(from) = start {
        let (prefix, delimiter) = (prefix.to_owned(), delimiter.to_owned());
        let asked = ListObjects { prefix, delimiter, start: from, most: PAGE };
        let listed = app.files.list(who, bucket, &asked).await.map_err(in_words)?;
        take(listed.entries);
        start = listed.next;
    }
    Ok(())
}

/// All buckets of an organisation.
async fn buckets(app: &App, who: &Caller) -> anyhow::Result<Vec<Bucket>> {
    let mut query = ListQuery { limit: Some(200), ..ListQuery::default() };
    let mut all = Vec::new();
    loop {
        let slice = query.slice().map_err(|error| anyhow::anyhow!(error.detail))?;
        let page = slice.page(app.files.list_buckets(who, None, &slice).await.map_err(in_words)?, |bucket| bucket.id.0);
        all.extend(page.data);
        match page.next_cursor {
            Some(next) => query.cursor = next,
            None => return Ok(all),
        }
    }
}

pub(super) async fn du(app: &App, org: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let orgs: Vec<Org> = match org {
        Some(slug) => vec![organisation(app, slug).await?],
        None => organisations(app).await?,
    };
    let mut all = Vec::new();
    for one in orgs {
        let who = caller(&one);
        let stored = app.files.stored(&who).await.map_err(in_words)?;
        let buckets = if org.is_some() { app.files.largest_buckets(&who).await.map_err(in_words)? } else { Vec::new() };
        if !json {
            let quota = stored.percent().map(|percent| format!("  {percent} % of its quota")).unwrap_or_default();
            print_line(&format!("{}{quota}", row(&one.slug, &stored.usage)));
            for bucket in &buckets {
                print_line(&row(&format!("  {}", bucket.name), &bucket.usage));
            }
        }
        let buckets: Vec<_> =
            buckets.iter().map(|bucket| json!({"bucket": bucket.name, "usage": bucket.usage})).collect();
        all.push(json!({"org": one.slug, "usage": stored.usage, "quota_bytes": stored.most_bytes, "buckets": buckets}));
    }
    if json {
        print(true, &all, || {})?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, usage: &BucketUsage) -> String {
    format!(
        "{name:<28} {:>10} objects {:>10}  versions {:>10}  trash {:>10}",
        usage.objects,
        bytes(usage.bytes),
        bytes(usage.version_bytes),
        bytes(usage.trashed_bytes)
    )
}
