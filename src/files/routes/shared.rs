//! `/f/l/{token}`: what somebody sees who has a link. Unknown, expired, revoked and used up look the same.

use askama::Template;
use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    Exact,
    public::{Download, answer},
};
use crate::{Files, FilesError, Key, ListEntry, ListObjects, Object, OpenedLink, Surface, VersionRef};
use console::{AnonymousShell, PageResult};
use platform::{
    error::ApiError,
    http::{ClientAddress, Path, address_key},
};

/// A form with a password.
const MOST_BYTES: usize = 4 << 10;
/// Entries of a page of a folder.
const ROWS: i64 = 200;

pub(crate) fn router() -> Router<Files> {
    Router::new()
        .route("/f/l/{token}", get(show).post(unlock))
        .route("/f/l/{token}/raw", get(raw))
        .route("/f/l/{token}/raw/{*path}", get(raw_below))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

#[derive(Template)]
#[template(path = "files/templates/link.html")]
struct Page<'a> {
    shell: &'a AnonymousShell,
    view: View,
    expires: Option<DateTime<Utc>>,
}

enum View {
    Gone,
    Locked { wrong: bool },
    File { name: String, size: i64, kind: String, address: String, picture: bool },
    Folder { name: String, entries: Vec<Entry>, up: Option<String>, next: Option<String> },
}

struct Entry {
    name: String,
    href: String,
    /// `None`: a folder.
    size: Option<i64>,
}

fn gone(shell: &AnonymousShell) -> PageResult {
    let page = Page { shell, view: View::Gone, expires: None };
    Ok((StatusCode::NOT_FOUND, shell.render(&page)?).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inside {
    /// A folder below that of the link.
    path: String,
    /// Where the page starts.
    start: String,
}

async fn show(
    shell: AnonymousShell,
    State(files): State<Files>,
    Path(token): Path<String>,
    Exact(inside): Exact<Inside>,
    headers: HeaderMap,
) -> PageResult {
    let Some(opened) = files.open_link(&token).await? else { return gone(&shell) };
    let expires = opened.link.expires_at;
    if !files.is_unlocked(&opened, cookie(&headers, &opened).as_deref()) {
        return shell.render(&Page { shell: &shell, view: View::Locked { wrong: false }, expires });
    }
    let view = if opened.link.folder {
        folder(&files, &opened, &token, &inside).await?
    } else {
        match object(&files, &opened, "").await? {
            Some(object) => file(&opened, &token, &object),
            None => return gone(&shell),
        }
    };
    shell.render(&Page { shell: &shell, view, expires })
}

fn file(opened: &OpenedLink, token: &str, object: &Object) -> View {
    // A preview would use up a link that is good for so many downloads.
    let is_picture = crate::sniff::is_shown(&object.content_type) && object.content_type.starts_with("image/");
    View::File {
        name: object.key.file_name().to_owned(),
        size: i64::try_from(object.size).unwrap_or(i64::MAX),
        kind: object.content_type.clone(),
        address: format!("{token}/raw"),
        picture: is_picture && opened.link.most.is_none(),
    }
}

async fn folder(files: &Files, opened: &OpenedLink, token: &str, inside: &Inside) -> Result<View, FilesError> {
    let prefix = format!("{}{}", opened.link.key, inside.path);
    let query =
        ListObjects { prefix: prefix.clone(), delimiter: "/".to_owned(), start: inside.start.clone(), most: ROWS };
    let listed = files.list(&opened.who, &opened.bucket, &query).await?;
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let entry = |entry: ListEntry| match entry {
        ListEntry::Prefix(key) => {
            let name = key[prefix.len()..].to_owned();
            let href = format!("{token}?path={}", encode(&key[opened.link.key.len()..]));
            Entry { name, href, size: None }
        }
        ListEntry::Object(object) => {
            let key = object.key.as_str();
            let size = i64::try_from(object.size).unwrap_or(i64::MAX);
            let href = format!("{token}/raw/{}", encode(&key[opened.link.key.len()..]));
            Entry { name: key[prefix.len()..].to_owned(), href, size: Some(size) }
        }
    };
    // The folder itself, where a tool wrote one.
    let entries = listed.entries.into_iter().map(entry).filter(|entry| !entry.name.is_empty()).collect();
    let up = (!inside.path.is_empty()).then(|| {
        let above = inside.path.trim_end_matches('/').rsplit_once('/').map(|(above, _)| format!("{above}/"));
        format!("{token}?path={}", encode(&above.unwrap_or_default()))
    });
    let next = listed.next.map(|start| format!("{token}?path={}&start={}", encode(&inside.path), encode(&start)));
    let name = if prefix.is_empty() { opened.bucket.name.clone() } else { prefix };
    Ok(View::Folder { name, entries, up, next })
}

/// What the link leads to, `rest` being behind its key. `None`: nothing is there.
async fn object(files: &Files, opened: &OpenedLink, rest: &str) -> Result<Option<Object>, FilesError> {
    let Ok(key) = Key::parse(format!("{}{rest}", opened.link.key)) else { return Ok(None) };
    let version = opened.link.version.map(VersionRef::Id);
    match files.find(&opened.who, &opened.bucket, &key, version).await {
        Ok(object) => Ok(Some(object)),
        Err(
            FilesError::ObjectNotFound
            | FilesError::VersionNotFound
            | FilesError::Marker { .. }
            | FilesError::Denied(_),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Password {
    password: SecretString,
}

/// The address is what proves who asks: a form of another site would have to know it, so there is no CSRF token.
async fn unlock(
    shell: AnonymousShell,
    State(files): State<Files>,
    Path(token): Path<String>,
    axum::Extension(ClientAddress(client)): axum::Extension<ClientAddress>,
    form: Result<Form<Password>, axum::extract::rejection::FormRejection>,
) -> PageResult {
    let Some(opened) = files.open_link(&token).await? else { return gone(&shell) };
    let Form(Password { password }) = form.map_err(|error| ApiError::bad_request("invalid_form", error.body_text()))?;
    let expires = opened.link.expires_at;
    let Some(value) = files.unlock(&opened, &password, &address_key(client)).await? else {
        let page = Page { shell: &shell, view: View::Locked { wrong: true }, expires };
        return Ok((StatusCode::FORBIDDEN, shell.render(&page)?).into_response());
    };
    let base = files.public_url();
    let below = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| &base[at + 3 + slash..]));
    let secure = if base.starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path={}/f/l/{token}; HttpOnly; SameSite=Lax; Max-Age=3600{secure}",
        name_of(&opened),
        below.unwrap_or_default()
    );
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, relative(&token))]).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The page itself, whatever stands before it in the address.
fn relative(token: &str) -> HeaderValue {
    HeaderValue::try_from(token).unwrap_or(HeaderValue::from_static("."))
}

fn name_of(opened: &OpenedLink) -> String {
    format!("files_link_{}", opened.link.id)
}

fn cookie(headers: &HeaderMap, opened: &OpenedLink) -> Option<String> {
    let name = name_of(opened);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value.to_owned())
}

async fn raw(
    State(files): State<Files>,
    Path(token): Path<String>,
    Exact(download): Exact<Download>,
    request: Request,
) -> Result<Response, ApiError> {
    send(&files, &token, None, download, request).await
}

async fn raw_below(
    State(files): State<Files>,
    Path((token, path)): Path<(String, String)>,
    Exact(download): Exact<Download>,
    request: Request,
) -> Result<Response, ApiError> {
    send(&files, &token, Some(path), download, request).await
}

async fn send(
    files: &Files,
    token: &str,
    path: Option<String>,
    download: Download,
    request: Request,
) -> Result<Response, ApiError> {
    let nowhere = || ApiError::not_found("link");
    let opened = files.open_link(token).await?.ok_or_else(nowhere)?;
    if !files.is_unlocked(&opened, cookie(request.headers(), &opened).as_deref())
        || opened.link.folder != path.is_some()
    {
        return Err(nowhere());
    }
    let object = object(files, &opened, path.as_deref().unwrap_or_default()).await?.ok_or_else(nowhere)?;
    let (parts, _) = request.into_parts();
    let overrides = download.overrides();
    let response = answer(files, &opened.who, &opened.bucket, &object, &parts, (Surface::Link, overrides)).await?;
    // A download begins with the first byte; what continues one, or only asks, is none.
    let begins = match response.status() {
        StatusCode::OK => true,
        StatusCode::PARTIAL_CONTENT => is_from_the_beginning(response.headers()),
        _ => false,
    };
    if parts.method != Method::HEAD && begins && !files.use_link(&opened).await? {
        return Err(nowhere());
    }
    Ok(response)
}

fn is_from_the_beginning(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_RANGE).is_some_and(|range| range.as_bytes().starts_with(b"bytes 0-"))
}
