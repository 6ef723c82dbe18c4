//! Links that people share: make, list, revoke.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;

use super::{SHOWN, caller, decoded, form, object_address};
use crate::{BucketId, FileLink, FileLinkId, Files, FilesError, NewFileLink};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query},
    names::with_directions_shown,
};

#[derive(Template)]
#[template(path = "files/templates/links.html")]
struct Links<'a> {
    shell: &'a Shell,
    links: Vec<FileLink>,
    buckets: HashMap<BucketId, String>,
    pager: Pager,
    /// Of the link that was made just now; empty: none was.
    address: String,
    is_public_http: bool,
}

impl Links<'_> {
    fn bucket(&self, link: &FileLink) -> &str {
        self.buckets.get(&link.bucket).map_or("", String::as_str)
    }

    fn key(&self, link: &FileLink) -> String {
        format!("{}/{}", self.bucket(link), with_directions_shown(&link.key))
    }

    fn object(&self, link: &FileLink) -> String {
        if link.folder {
            super::folder_address(self.bucket(link), &link.key)
        } else {
            object_address(self.bucket(link), &link.key)
        }
    }

    fn used(&self, link: &FileLink) -> String {
        match link.most {
            Some(most) => format!("{} / {}", self.shell.number(link.used), self.shell.number(most)),
            None => self.shell.number(link.used),
        }
    }
}

async fn page<'a>(shell: &'a Shell, files: &Files, query: &ListQuery, address: String) -> Result<Links<'a>, ApiError> {
    let who = caller(shell);
    let slice = query.clone().sized(SHOWN).slice()?;
    let page = slice.page(files.links(&who, &slice).await?, |link| link.id.0);
    let mut buckets = HashMap::new();
    for link in &page.data {
        if buckets.contains_key(&link.bucket) {
            continue;
        }
        match files.bucket_by_id(&who, link.bucket).await {
            Ok(bucket) => buckets.insert(bucket.id, bucket.name),
            // In the trash, with all that its links led to.
            Err(FilesError::BucketNotFound) => None,
            Err(error) => return Err(error.into()),
        };
    }
    let pager = Pager::new("/files/links", &[], query, page.next_cursor.as_deref());
    let is_public_http = files.public_url().starts_with("http://");
    Ok(Links { shell, links: page.data, buckets, pager, address, is_public_http })
}

pub async fn list(shell: Shell, State(files): State<Files>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let page = page(&shell, &files, &query, String::new()).await?;
    shell.render(&page)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShareForm {
    /// Percent-encoded.
    key: String,
    version: String,
    expires: String,
    most: String,
    password: String,
}

/// Makes a link to an object; the next page shows its address, only this once.
pub async fn create(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<ShareForm>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let key = decoded(&form.key)?;
    let back = object_address(&bucket.name, key.as_str());
    let (Ok(expires_at), Ok(most)) = (form::time(&form.expires), form::number::<i32>(&form.most)) else {
        return Ok(shell.redirect(&back, &Flash::error("files-not-a-time")));
    };
    let new = NewFileLink {
        bucket: bucket.id,
        key: key.as_str().to_owned(),
        folder: false,
        version: form.version.parse().ok(),
        password: Some(form.password).filter(|password| !password.is_empty()).map(SecretString::from),
        expires_at,
        most,
    };
    match files.create_link(&who, new).await {
        Ok((_, token)) => {
            let address = format!("{}/f/l/{token}", files.public_url());
            let page = page(&shell, &files, &ListQuery::default(), address).await?;
            shell.render(&page)
        }
        Err(FilesError::Invalid(errors)) => {
            let reason = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; ");
            Ok(shell.redirect(&back, &Flash::error("files-share-failed").with("reason", &reason)))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn revoke(
    shell: Shell,
    State(files): State<Files>,
    Path(id): Path<FileLinkId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    files.revoke_link(&caller(&shell), id).await?;
    Ok(shell.redirect("/files/links", &Flash::ok("files-link-revoked")))
}
