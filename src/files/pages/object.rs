//! An object: what is in it, its facts, versions, and what may be changed.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    Which, caller, decoded, encoded, folder_address, folder_of, form, object_address,
    preview::{Preview, preview},
};
use crate::{
    Bucket, Caller, CopyObject, Files, FilesError, Key, ListVersions, Lock, Object, ObjectChange, ScanState,
    VersionEntry, VersionRef, routes::Exact,
};
use console::{Flash, Form, FormErrors, PageResult, Shell};
use platform::{crypto, error::ApiError, http::Path, names::with_directions_shown};

/// Versions that the page lists; the API lists all.
const VERSIONS: i64 = 50;

/// A row of the list of versions.
struct Row {
    id: String,
    object: Object,
    latest: bool,
}

#[derive(Template)]
#[template(path = "files/templates/object.html")]
struct Show<'a> {
    shell: &'a Shell,
    bucket: Bucket,
    object: Object,
    /// Empty: what is current.
    version: String,
    preview: Preview,
    versions: Vec<Row>,
    tags: String,
    metadata: String,
    errors: FormErrors,
}

impl Show<'_> {
    fn name(&self) -> String {
        with_directions_shown(self.object.key.file_name())
    }

    fn folder(&self) -> String {
        folder_address(&self.bucket.name, folder_of(self.object.key.as_str()))
    }

    fn folder_name(&self) -> String {
        format!("{}/{}", self.bucket.name, folder_of(self.object.key.as_str()))
    }

    fn key(&self) -> String {
        encoded(self.object.key.as_str())
    }

    /// The content; `more`: further fields of the query.
    fn raw(&self, more: &str) -> String {
        self.content("raw", more)
    }

    /// A picture of it that is not larger than the page.
    fn picture(&self) -> String {
        self.content("picture", "")
    }

    fn content(&self, what: &str, more: &str) -> String {
        let (bucket, key, version) = (&self.bucket.name, self.key(), encoded(&self.version));
        format!("/files/b/{bucket}/object/{what}?key={key}&version={version}{more}")
    }

    fn of_version(&self, row: &Row) -> String {
        format!("{}&version={}", object_address(&self.bucket.name, self.object.key.as_str()), row.id)
    }

    fn size(&self, object: &Object) -> String {
        self.shell.bytes(i64::try_from(object.size).unwrap_or(i64::MAX))
    }

    fn sha256(&self) -> Option<String> {
        self.object.sha256.map(|hash| crypto::hex(&hash))
    }

    fn is_infected(&self) -> bool {
        self.object.scan == ScanState::Infected
    }

    fn scan(&self) -> String {
        self.shell.t(format!("files-scan-{}", self.object.scan.as_str())).to_string()
    }

    fn lock_mode(&self, lock: &Lock) -> String {
        self.shell.t(format!("files-lock-{}", lock.mode.as_str())).to_string()
    }

    fn may_restore(&self, row: &Row) -> bool {
        !row.latest && !row.object.marker && self.shell.can_edit()
    }
}

pub(super) fn version_of(text: &str) -> Result<Option<VersionRef>, FilesError> {
    match text {
        "" => Ok(None),
        "null" => Ok(Some(VersionRef::Unversioned)),
        id => id.parse().map(|id| Some(VersionRef::Id(id))).map_err(|_| FilesError::VersionNotFound),
    }
}

fn version_text(object: &Object) -> String {
    match object.version() {
        VersionRef::Id(id) => id.to_string(),
        VersionRef::Unversioned => "null".to_owned(),
    }
}

pub async fn show(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Exact(which): Exact<Which>,
) -> PageResult {
    shell.principal().require(crate::READ)?;
    let page = page(&shell, &files, &name, which, FormErrors::default()).await?;
    shell.render(&page)
}

async fn page<'a>(
    shell: &'a Shell,
    files: &Files,
    bucket: &str,
    which: Which,
    errors: FormErrors,
) -> Result<Show<'a>, ApiError> {
    let who = caller(shell);
    let bucket = files.bucket(&who, bucket).await?;
    let key = Key::parse(which.key).map_err(FilesError::from)?;
    let object = files.find(&who, &bucket, &key, version_of(&which.version)?).await?;
    let preview = preview(files, &who, &bucket, &object).await?;
    let asked = ListVersions {
        prefix: key.as_str().to_owned(),
        start: key.as_str().to_owned(),
        most: VERSIONS,
        ..ListVersions::default()
    };
    let listed = files.list_versions(&who, &bucket, &asked).await;
    // Who may read an object need not be permitted to list.
    let listed = match listed {
        Err(FilesError::Denied(_)) => Vec::new(),
        listed => listed?.entries,
    };
    let versions = listed.into_iter().filter_map(|entry| match entry {
        VersionEntry::Version { object, latest } if object.key == key => {
            Some(Row { id: version_text(&object), object: *object, latest })
        }
        _ => None,
    });
    let (tags, metadata) = (form::lines(&object.tags), form::lines(&object.metadata));
    Ok(Show {
        shell,
        bucket,
        version: which.version,
        preview,
        versions: versions.collect(),
        tags,
        metadata,
        errors,
        object,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OfObject {
    /// Percent-encoded.
    pub(super) key: String,
    pub(super) version: String,
}

impl OfObject {
    pub(super) async fn find(&self, files: &Files, who: &Caller, bucket: &str) -> Result<(Bucket, Object), FilesError> {
        let bucket = files.bucket(who, bucket).await?;
        let object = files.find(who, &bucket, &decoded(&self.key)?, version_of(&self.version)?).await?;
        Ok((bucket, object))
    }

    fn which(&self) -> Result<Which, FilesError> {
        Ok(Which { key: decoded(&self.key)?.as_str().to_owned(), version: self.version.clone() })
    }

    pub(super) fn address(&self, bucket: &str) -> String {
        format!("/files/b/{bucket}/object?key={}&version={}", self.key, encoded(&self.version))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Description {
    key: String,
    version: String,
    content_type: String,
    tags: String,
    metadata: String,
}

/// Changes content type, metadata and tags.
pub async fn describe(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<Description>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let Description { key, version, content_type, tags, metadata } = form;
    let (who, of) = (caller(&shell), OfObject { key, version });
    let mut errors = FormErrors::default();
    let mut pairs = |field: &str, text: &str| {
        form::pairs(text).map_err(|line| {
            let told = shell.t("files-not-a-pair").with("line", line.as_str());
            errors = std::mem::take(&mut errors).with(field, &told);
        })
    };
    let (read_tags, read_metadata) = (pairs("tags", &tags), pairs("metadata", &metadata));
    let (Ok(new_tags), Ok(new_metadata)) = (read_tags, read_metadata) else {
        let page = page(&shell, &files, &name, of.which()?, errors).await?;
        return shell.render_invalid(&Show { tags, metadata, ..page });
    };
    let (bucket, object) = of.find(&files, &who, &name).await?;
    let content_type = Some(content_type.trim().to_owned()).filter(|kind| !kind.is_empty());
    let change = ObjectChange { content_type, metadata: Some(new_metadata), ..ObjectChange::default() };
    let changed = async {
        files.set_metadata(&who, &object, change).await?;
        files.set_tags(&who, &object, new_tags).await
    };
    match changed.await {
        Ok(_) => Ok(shell.redirect(&of.address(&bucket.name), &Flash::ok("files-described"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let page = page(&shell, &files, &name, of.which()?, errors).await?;
            shell.render_invalid(&Show { tags, metadata, ..page })
        }
    }
}

pub async fn delete(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(of): Form<OfObject>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let key = decoded(&of.key)?;
    let version = version_of(&of.version)?;
    match files.delete(&who, &bucket, &key, version, &crate::Conditions::default()).await {
        Ok(_) => {
            Ok(shell
                .redirect(&folder_address(&bucket.name, folder_of(key.as_str())), &Flash::ok("files-object-deleted")))
        }
        Err(FilesError::Locked(why)) => {
            Ok(shell.redirect(&of.address(&bucket.name), &Flash::error("files-object-locked").with("reason", &why)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a former version what readers get: a copy of it, as the newest.
pub async fn restore(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(of): Form<OfObject>,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let (bucket, object) = of.find(&files, &who, &name).await?;
    let key = object.key.clone();
    files.copy(&who, (&bucket, &object), (&bucket, key.clone()), CopyObject::default()).await?;
    Ok(shell.redirect(&object_address(&bucket.name, key.as_str()), &Flash::ok("files-version-restored")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_as_the_api_names_them() {
        assert_eq!(version_of("").unwrap(), None);
        assert_eq!(version_of("null").unwrap(), Some(VersionRef::Unversioned));
        assert!(matches!(version_of("x"), Err(FilesError::VersionNotFound)));
    }
}
