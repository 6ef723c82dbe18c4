//! Buckets: list, make, delete.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, caller, form::is_on};
use crate::{Bucket, BucketId, BucketUsage, Files, FilesError, NewBucket, Versioning};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell, svg};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query},
};

#[derive(Template)]
#[template(path = "files/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    buckets: Vec<Bucket>,
    usage: HashMap<BucketId, BucketUsage>,
    query: ListQuery,
    pager: Pager,
    form: NewForm,
    errors: FormErrors,
    trash_days: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewForm {
    name: String,
    public: String,
    versioning: String,
}

impl List<'_> {
    fn usage(&self, bucket: &Bucket) -> BucketUsage {
        self.usage.get(&bucket.id).copied().unwrap_or_default()
    }

    /// What the buckets of this page have, side by side.
    fn bars(&self) -> String {
        let values: Vec<f64> = self.buckets.iter().map(|bucket| self.usage(bucket).stored_bytes() as f64).collect();
        svg::bars(&values, &self.shell.t("files-bars").to_string())
    }

    fn has_content(&self) -> bool {
        self.usage.values().any(|usage| usage.stored_bytes() > 0)
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn has_versions(&self, bucket: &Bucket) -> bool {
        bucket.versioning != Versioning::Off
    }
}

async fn page<'a>(
    shell: &'a Shell,
    files: &Files,
    query: ListQuery,
    form: NewForm,
    errors: FormErrors,
) -> Result<List<'a>, ApiError> {
    let who = caller(shell);
    let slice = query.clone().sized(SHOWN).slice()?;
    let rows = files.list_buckets(&who, query.search(), &slice).await?;
    let page = slice.page(rows, |bucket| bucket.id.0);
    let ids: Vec<BucketId> = page.data.iter().map(|bucket| bucket.id).collect();
    let usage = files.bucket_usages(&who, &ids).await?;
    let pager = Pager::new("/files", &[], &query, page.next_cursor.as_deref());
    let trash_days = files.config().trash_days;
    Ok(List { shell, buckets: page.data, usage, query, pager, form, errors, trash_days })
}

pub async fn list(shell: Shell, State(files): State<Files>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(crate::READ)?;
    let page = page(&shell, &files, query, NewForm::default(), FormErrors::default()).await?;
    shell.render(&page)
}

pub async fn create(shell: Shell, State(files): State<Files>, Form(form): Form<NewForm>) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let versioning = if is_on(&form.versioning) { Versioning::On } else { Versioning::Off };
    let new = NewBucket {
        name: form.name.trim().to_owned(),
        public: is_on(&form.public),
        versioning,
        ..NewBucket::default()
    };
    match files.create_bucket(&caller(&shell), new).await {
        Ok(bucket) => {
            let flash = Flash::ok("files-bucket-created").with("name", &bucket.name);
            Ok(shell.redirect(&format!("/files/b/{}", bucket.name), &flash))
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            shell.render_invalid(&page(&shell, &files, ListQuery::default(), form, errors).await?)
        }
    }
}

pub async fn delete(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    match files.delete_bucket(&who, bucket.id).await {
        Ok(()) => Ok(shell.redirect("/files", &Flash::ok("files-bucket-deleted").with("name", &bucket.name))),
        Err(FilesError::NotEmpty) => {
            Ok(shell.redirect(&format!("/files/b/{}/settings", bucket.name), &Flash::error("files-bucket-not-empty")))
        }
        Err(error) => Err(error.into()),
    }
}
