//! What is in a bucket, like folders: a page in the order of keys; search; and what is done with those that are chosen.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, caller, decoded, encoded, folder_address, folder_of, object_address};
use crate::{
    Bucket, Caller, Deleted, Files, FilesError, Key, ListEntry, ListObjects, NewObject, Object, ScanState,
    routes::Exact,
};
use console::{Flash, Form, PageResult, Shell};
use futures::stream;
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query},
};

/// Objects that are deleted or moved at once.
const MOST: usize = 1000;
/// Size of a piece of an upload by script, bytes: what a broken connection costs.
const PIECE: usize = 8 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PlaceQuery {
    prefix: String,
    /// The first key of the page.
    start: String,
}

#[derive(Template)]
#[template(path = "files/templates/browse.html")]
struct Browse<'a> {
    shell: &'a Shell,
    bucket: Bucket,
    prefix: String,
    query: ListQuery,
    folders: Vec<String>,
    objects: Vec<Object>,
    next: Option<String>,
    is_first: bool,
    limit: u64,
}

/// A part of the path above the page.
struct Crumb {
    name: String,
    address: String,
}

#[expect(clippy::unused_self, reason = "templates call methods")]
impl Browse<'_> {
    fn crumbs(&self) -> Vec<Crumb> {
        let mut crumbs = vec![Crumb { name: self.bucket.name.clone(), address: folder_address(&self.bucket.name, "") }];
        let mut end = 0;
        for part in self.prefix.split_inclusive('/') {
            end += part.len();
            let address = folder_address(&self.bucket.name, &self.prefix[..end]);
            crumbs.push(Crumb { name: shown(part.trim_end_matches('/')), address });
        }
        crumbs
    }

    fn folder(&self, prefix: &str) -> String {
        folder_address(&self.bucket.name, prefix)
    }

    fn object(&self, object: &Object) -> String {
        object_address(&self.bucket.name, object.key.as_str())
    }

    /// Behind the folder of the page; of a search, all of it.
    fn name(&self, key: &str) -> String {
        shown(key.strip_prefix(self.prefix.as_str()).filter(|rest| !rest.is_empty()).unwrap_or(key))
    }

    fn key_name(&self, object: &Object) -> String {
        self.name(object.key.as_str())
    }

    fn value(&self, key: &str) -> String {
        encoded(key)
    }

    fn key_value(&self, object: &Object) -> String {
        encoded(object.key.as_str())
    }

    fn size(&self, object: &Object) -> String {
        self.shell.bytes(i64::try_from(object.size).unwrap_or(i64::MAX))
    }

    fn above(&self) -> String {
        folder_address(&self.bucket.name, folder_of(&self.prefix))
    }

    fn next_page(&self) -> Option<String> {
        let start = self.next.as_ref()?;
        Some(match self.query.search() {
            Some(q) => format!(
                "/files/b/{}?prefix={}&q={}&cursor={}",
                self.bucket.name,
                encoded(&self.prefix),
                encoded(q),
                encoded(start)
            ),
            None => format!("/files/b/{}?prefix={}&start={}", self.bucket.name, encoded(&self.prefix), encoded(start)),
        })
    }

    fn is_infected(&self, object: &Object) -> bool {
        object.scan == ScanState::Infected
    }

    fn is_pending(&self, object: &Object) -> bool {
        object.scan == ScanState::Pending
    }

    fn piece(&self) -> usize {
        PIECE
    }

    fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.objects.is_empty()
    }
}

/// A name that can be seen: empty ones and control characters are shown as symbols.
fn shown(name: &str) -> String {
    let seen = |c: char| match c {
        '\u{0}'..='\u{1f}' => char::from_u32(u32::from(c) + 0x2400).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c => c,
    };
    if name.is_empty() {
        "/".to_owned()
    } else {
        platform::names::with_directions_shown(&name.chars().map(seen).collect::<String>())
    }
}

pub async fn list(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Query(query): Query<ListQuery>,
    Exact(place): Exact<PlaceQuery>,
) -> PageResult {
    shell.principal().require(crate::READ)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let page = page(&shell, &files, &who, bucket, query, place).await?;
    shell.render(&page)
}

async fn page<'a>(
    shell: &'a Shell,
    files: &Files,
    who: &Caller,
    bucket: Bucket,
    query: ListQuery,
    place: PlaceQuery,
) -> Result<Browse<'a>, ApiError> {
    let PlaceQuery { prefix, start } = place;
    let is_first = start.is_empty() && query.cursor.is_empty();
    let limit = bucket.max_object_bytes.and_then(|most| u64::try_from(most).ok());
    let limit = limit.unwrap_or(files.config().max_object_bytes);
    let (mut folders, mut objects) = (Vec::new(), Vec::new());
    let next = if let Some(q) = query.search() {
        let slice = query.clone().sized(SHOWN).slice()?;
        let page = slice.page(files.search(who, &bucket, &prefix, q, &slice).await?, |object| object.id.0);
        objects = page.data;
        page.next_cursor
    } else {
        let asked = ListObjects { prefix: prefix.clone(), delimiter: "/".to_owned(), start, most: i64::from(SHOWN) };
        let listed = files.list(who, &bucket, &asked).await?;
        for entry in listed.entries {
            match entry {
                ListEntry::Prefix(prefix) => folders.push(prefix),
                // The folder itself, as "New folder" makes it.
                ListEntry::Object(object) if object.key.as_str() == prefix => {}
                ListEntry::Object(object) => objects.push(*object),
            }
        }
        listed.next
    };
    Ok(Browse { shell, bucket, prefix, query, folders, objects, next, is_first, limit })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewFolder {
    /// Percent-encoded.
    prefix: String,
    name: String,
}

/// As S3's tools do: an empty object whose key ends in a slash.
pub async fn make_folder(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<NewFolder>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let prefix = place(&form.prefix)?;
    let folder = format!("{prefix}{}/", form.name.trim().trim_matches('/'));
    if form.name.trim().trim_matches('/').is_empty() {
        return Ok(shell.redirect(&folder_address(&bucket.name, &prefix), &Flash::warn("files-folder-no-name")));
    }
    let nothing = stream::empty::<Result<bytes::Bytes, std::io::Error>>();
    let new =
        NewObject { length: Some(0), content_type: Some("application/x-directory".to_owned()), ..NewObject::default() };
    files.put(&who, &bucket, Key::parse(folder.clone()).map_err(FilesError::from)?, nothing, new).await?;
    Ok(shell.redirect(&folder_address(&bucket.name, &folder), &Flash::ok("files-folder-made")))
}

/// A prefix out of a form; unlike a key it may be empty.
pub(super) fn place(encoded: &str) -> Result<String, FilesError> {
    if encoded.is_empty() { Ok(String::new()) } else { decoded(encoded).map(|key| key.as_str().to_owned()) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Percent-encoded: where the page was.
    prefix: String,
    /// Keys and folders, percent-encoded.
    item: Vec<String>,
    /// `delete` or `move`.
    what: String,
    /// Of a move: `folder/`, or `bucket:folder/`.
    to: String,
}

/// Deletes or moves what was chosen.
pub async fn change(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<Change>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let back = folder_address(&bucket.name, &place(&form.prefix)?);
    if form.item.is_empty() {
        return Ok(shell.redirect(&back, &Flash::warn("files-nothing-chosen")));
    }
    let chosen = chosen(&files, &who, &bucket, &form.item).await?;
    let more = chosen.len() > MOST;
    let keys: Vec<(Key, usize)> = chosen.into_iter().take(MOST).collect();
    let (done, failed) = if form.what == "move" {
        let (target, folder) = match form.to.split_once(':') {
            Some((other, folder)) => (files.bucket(&who, other.trim()).await?, folder.trim().to_owned()),
            None => (bucket.clone(), form.to.trim().to_owned()),
        };
        let folder = if folder.is_empty() || folder.ends_with('/') { folder } else { format!("{folder}/") };
        move_to(&files, &who, &bucket, (&target, &folder), keys).await
    } else {
        let names: Vec<String> = keys.iter().map(|(key, _)| key.as_str().to_owned()).collect();
        let keys = keys.into_iter().map(|(key, _)| (key, None)).collect();
        counted(&names, files.delete_many(&who, &bucket, keys).await?)
    };
    let flash = match &failed {
        Some(reason) => Flash::error("files-change-failed").with("reason", reason),
        None if more => Flash::warn("files-changed-more"),
        None if form.what == "move" => Flash::ok("files-moved"),
        None => Flash::ok("files-deleted"),
    };
    Ok(shell.redirect(&back, &flash.with("n", &done)))
}

/// The keys of what was chosen, at most one more than are changed at once; with each, how much of it is the folder above what was chosen.
async fn chosen(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    items: &[String],
) -> Result<Vec<(Key, usize)>, FilesError> {
    let mut keys: Vec<(Key, usize)> = Vec::new();
    for item in items {
        let key = decoded(item)?;
        let above = folder_of(key.as_str()).len();
        if !key.as_str().ends_with('/') {
            keys.push((key, above));
            continue;
        }
        let most = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
        let asked = ListObjects { prefix: key.as_str().to_owned(), most, ..ListObjects::default() };
        let below = files.list(who, bucket, &asked).await?.entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Object(object) => Some((object.key, above)),
            ListEntry::Prefix(_) => None,
        });
        keys.extend(below);
        if keys.len() > MOST {
            break;
        }
    }
    Ok(keys)
}

/// How many were moved, and why the first that was not.
async fn move_to(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    (target, folder): (&Bucket, &str),
    keys: Vec<(Key, usize)>,
) -> (usize, Option<String>) {
    let (mut done, mut failed) = (0, None);
    for (key, above) in keys {
        let renamed = async {
            let to = Key::parse(format!("{folder}{}", &key.as_str()[above..]))?;
            files.rename(who, (bucket, &key), (target, to), false).await
        };
        match renamed.await {
            Ok(_) => done += 1,
            Err(error) => failed = failed.or_else(|| Some(reason(key.as_str(), error))),
        }
    }
    (done, failed)
}

fn counted(keys: &[String], results: Vec<Result<Deleted, FilesError>>) -> (usize, Option<String>) {
    let done = results.iter().filter(|result| result.is_ok()).count();
    let failed = keys.iter().zip(results).find_map(|(key, result)| result.err().map(|error| reason(key, error)));
    (done, failed)
}

fn reason(key: &str, error: FilesError) -> String {
    format!("{}: {}", shown(key), ApiError::from(error).detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_would_see_are_seen() {
        assert_eq!(shown("a\nb\u{7f}"), "a\u{240a}b\u{2421}");
        assert_eq!((shown(""), shown("plain")), ("/".to_owned(), "plain".to_owned()));
        assert!(!shown("a\u{202e}txt.exe").contains('\u{202e}'), "a name that is read backwards");
    }
}
