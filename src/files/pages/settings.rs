//! Settings of a bucket.

use std::str::FromStr;

use askama::Template;
use axum::extract::State;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{caller, form};
use crate::{
    Bucket, BucketChange, BucketRule, BucketUsage, DefaultLock, Files, FilesError, ImageRights, LastImageReport,
    LifecycleRule, NewBucketRule, ScanMode, Verb, Versioning,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::Path,
};

#[derive(Template)]
#[template(path = "files/templates/settings.html")]
struct Settings<'a> {
    shell: &'a Shell,
    bucket: Bucket,
    usage: BucketUsage,
    /// As [`rules_of`] reads them.
    rules: String,
    form: BucketForm,
    errors: FormErrors,
    has_scanner: bool,
    report: Option<LastImageReport>,
}

/// Everything that can be changed, as its fields have it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BucketForm {
    revision: String,
    public: String,
    versioning: String,
    object_lock: String,
    lock_mode: String,
    lock_days: String,
    trash_days: String,
    max_object_bytes: String,
    quota_bytes: String,
    allowed_types: String,
    cache_control: String,
    image_options: String,
    image_presets: String,
    scan: String,
    cors: String,
    lifecycle: String,
    tags: String,
    purge_url: String,
}

#[expect(clippy::unused_self, reason = "templates call methods")]
impl Settings<'_> {
    fn versionings(&self) -> [Versioning; 3] {
        Versioning::ALL
    }

    fn image_rights(&self) -> [ImageRights; 4] {
        ImageRights::ALL
    }

    fn scans(&self) -> [ScanMode; 4] {
        ScanMode::ALL
    }

    /// What the last report found; empty: there is none.
    fn reported(&self) -> String {
        let Some(all) = self.report.as_ref().and_then(|last| last.report.as_ref()).map(|report| &report.all) else {
            return String::new();
        };
        let saved = i128::from((all.bytes - all.would_be).max(0)) * 100 / i128::from(all.bytes.max(1));
        let text = self.shell.tn("files-report-found", all.images);
        text.with("percent", i64::try_from(saved).unwrap_or(100)).to_string()
    }

    fn is_reporting(&self) -> bool {
        self.report.as_ref().is_some_and(|last| last.ended_at.is_none())
    }

    fn same(&self, field: &str, value: &str) -> bool {
        field == value
    }
}

impl BucketForm {
    fn of(bucket: &Bucket) -> Self {
        let on = |is_on: bool| if is_on { "on".to_owned() } else { String::new() };
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        Self {
            revision: bucket.revision.to_string(),
            public: on(bucket.public),
            versioning: bucket.versioning.as_str().to_owned(),
            object_lock: on(bucket.object_lock),
            lock_mode: bucket.lock_mode.map(|mode| mode.as_str().to_owned()).unwrap_or_default(),
            lock_days: bucket.lock_days.map(|days| days.to_string()).unwrap_or_default(),
            trash_days: bucket.trash_days.to_string(),
            max_object_bytes: number(bucket.max_object_bytes),
            quota_bytes: number(bucket.quota_bytes),
            allowed_types: bucket.allowed_types.join(", "),
            cache_control: bucket.cache_control.clone(),
            image_options: bucket.image_options.as_str().to_owned(),
            image_presets: pretty(&bucket.image_presets),
            scan: bucket.scan.as_str().to_owned(),
            cors: pretty(&bucket.cors),
            lifecycle: pretty(&bucket.lifecycle),
            tags: form::lines(&bucket.tags),
            purge_url: bucket.purge_url.clone().unwrap_or_default(),
        }
    }

    /// The change, or all that cannot be read.
    fn change(&self) -> Result<BucketChange, FilesError> {
        let mut read = Read::default();
        let change = BucketChange {
            public: Some(form::is_on(&self.public)),
            versioning: read.choice("/versioning", &self.versioning),
            // It cannot be turned off again: an empty box asks for nothing.
            object_lock: form::is_on(&self.object_lock).then_some(true),
            lock: Some(self.lock(&mut read)),
            trash_days: read.number("/trash_days", &self.trash_days),
            max_object_bytes: Some(read.number("/max_object_bytes", &self.max_object_bytes)),
            quota_bytes: Some(read.number("/quota_bytes", &self.quota_bytes)),
            allowed_types: Some(form::words(&self.allowed_types)),
            cache_control: Some(self.cache_control.trim().to_owned()),
            image_options: read.choice("/image_options", &self.image_options),
            image_presets: read.json::<Value>("/image_presets", &self.image_presets, "{}"),
            scan: read.choice("/scan", &self.scan),
            cors: read.json::<Value>("/cors", &self.cors, "[]"),
            lifecycle: read.json::<Vec<LifecycleRule>>("/lifecycle", &self.lifecycle, "[]"),
            tags: read.pairs("/tags", &self.tags),
            purge_url: Some(Some(self.purge_url.trim().to_owned()).filter(|url| !url.is_empty())),
        };
        if read.errors.is_empty() { Ok(change) } else { Err(FilesError::Invalid(read.errors)) }
    }

    fn lock(&self, read: &mut Read) -> Option<DefaultLock> {
        if self.lock_mode.is_empty() {
            return None;
        }
        let (mode, days) = (read.choice("/lock", &self.lock_mode)?, read.number("/lock/days", &self.lock_days));
        if days.is_none() && read.errors.is_empty() {
            read.wrong("/lock/days", "1 to 36500 days".to_owned());
        }
        Some(DefaultLock { mode, days: days? })
    }
}

/// Reads fields, and collects those that it cannot read.
#[derive(Default)]
struct Read {
    errors: Vec<FieldError>,
}

impl Read {
    fn wrong(&mut self, pointer: &str, detail: String) {
        self.errors.push(FieldError::new(pointer, "invalid", detail));
    }

    fn choice<T: FromStr<Err = String>>(&mut self, pointer: &str, field: &str) -> Option<T> {
        match field.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(pointer, error);
                None
            }
        }
    }

    fn number<T: FromStr>(&mut self, pointer: &str, field: &str) -> Option<T> {
        form::number(field).unwrap_or_else(|()| {
            self.wrong(pointer, format!("{:?} is no number", field.trim()));
            None
        })
    }

    /// JSON; an empty field means `empty`.
    fn json<T: DeserializeOwned>(&mut self, pointer: &str, field: &str, empty: &str) -> Option<T> {
        let field = if field.trim().is_empty() { empty } else { field };
        match serde_json::from_str(field) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(pointer, error.to_string());
                None
            }
        }
    }

    fn pairs(&mut self, pointer: &str, field: &str) -> Option<std::collections::BTreeMap<String, String>> {
        match form::pairs(field) {
            Ok(pairs) => Some(pairs),
            Err(line) => {
                self.wrong(pointer, format!("{line:?} is not name=value"));
                None
            }
        }
    }
}

fn pretty(value: &Value) -> String {
    let is_empty =
        value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty);
    if is_empty { String::new() } else { serde_json::to_string_pretty(value).unwrap_or_default() }
}

async fn page<'a>(
    shell: &'a Shell,
    files: &Files,
    name: &str,
    form: Option<BucketForm>,
    errors: FormErrors,
) -> Result<Settings<'a>, ApiError> {
    let who = caller(shell);
    let bucket = files.bucket(&who, name).await?;
    let usage = files.bucket_usage(&who, &bucket).await?;
    let rules = lines(&files.rules(&who, &bucket).await?);
    let form = form.unwrap_or_else(|| BucketForm::of(&bucket));
    let has_scanner = files.config().scanner().is_some();
    let report = files.image_report(&who, &bucket).await?;
    Ok(Settings { shell, bucket, usage, rules, form, errors, has_scanner, report })
}

pub async fn show(shell: Shell, State(files): State<Files>, Path(name): Path<String>) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let page = page(&shell, &files, &name, None, FormErrors::default()).await?;
    shell.render(&page)
}

pub async fn save(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<BucketForm>,
) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let saved = async {
        let change = form.change()?;
        files.change_bucket(&who, bucket.id, form.revision.parse().ok(), change).await
    };
    match saved.await {
        Ok(bucket) => {
            Ok(shell.redirect(&format!("/files/b/{}/settings", bucket.name), &Flash::ok("files-settings-saved")))
        }
        Err(FilesError::Precondition) => {
            let errors = FormErrors::default().with("revision", &shell.t("files-settings-changed"));
            let page = page(&shell, &files, &name, Some(form), errors).await?;
            shell.render_invalid(&page)
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let page = page(&shell, &files, &name, Some(form), errors).await?;
            shell.render_invalid(&page)
        }
    }
}

/// Has the images of a bucket tried: how much smaller they could be.
pub async fn report_images(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    files.start_image_report(&who, &bucket).await?;
    Ok(shell.redirect(&format!("/files/b/{}/settings", bucket.name), &Flash::ok("files-report-started")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RulesForm {
    rules: String,
}

/// Replaces the rules of a bucket: a line for each.
pub async fn save_rules(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Form(form): Form<RulesForm>,
) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let saved = async {
        let rules = rules_of(&form.rules)?;
        files.set_rules(&who, &bucket, rules).await
    };
    match saved.await {
        Ok(_) => Ok(shell.redirect(&format!("/files/b/{}/settings", bucket.name), &Flash::ok("files-rules-saved"))),
        Err(FilesError::Invalid(wrong)) => {
            let told: Vec<String> = wrong.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
            let errors = FormErrors::default().with("rules", &told.join("; "));
            let page = page(&shell, &files, &name, None, errors).await?;
            shell.render_invalid(&Settings { rules: form.rules, ..page })
        }
        Err(error) => Err(error.into()),
    }
}

/// A line for each rule: the subject, the verbs between commas, and the prefix, which may have spaces.
fn rules_of(text: &str) -> Result<Vec<NewBucketRule>, FilesError> {
    let mut read = Read::default();
    let mut rules = Vec::new();
    for (n, line) in text.lines().map(str::trim_start).filter(|line| !line.trim().is_empty()).enumerate() {
        let mut parts = line.splitn(3, ' ');
        let (subject, verbs, prefix) = (parts.next(), parts.next(), parts.next());
        let pointer = format!("/{n}/verbs");
        let verbs = verbs.unwrap_or_default().split(',').filter(|verb| !verb.is_empty());
        let verbs: Vec<Verb> = verbs.filter_map(|verb| read.choice(&pointer, verb.trim())).collect();
        let (subject, prefix) = (subject.unwrap_or_default().to_owned(), prefix.unwrap_or_default().to_owned());
        rules.push(NewBucketRule { subject, prefix, verbs });
    }
    if read.errors.is_empty() { Ok(rules) } else { Err(FilesError::Invalid(read.errors)) }
}

fn lines(rules: &[BucketRule]) -> String {
    let line = |rule: &BucketRule| {
        let verbs: Vec<&str> = rule.verbs.iter().map(|verb| verb.as_str()).collect();
        format!("{} {} {}\n", rule.subject, verbs.join(","), rule.prefix)
    };
    rules.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> BucketForm {
        BucketForm {
            versioning: "off".to_owned(),
            image_options: "presets".to_owned(),
            scan: "default".to_owned(),
            trash_days: "7".to_owned(),
            ..BucketForm::default()
        }
    }

    #[test]
    fn empty_fields_are_the_defaults() {
        let change = plain().change().unwrap();
        assert_eq!((change.public, change.object_lock, change.trash_days), (Some(false), None, Some(7)));
        assert_eq!((change.max_object_bytes, change.lock, change.purge_url), (Some(None), Some(None), Some(None)));
        assert_eq!(change.lifecycle, Some(Vec::new()));
        assert_eq!(change.image_presets, Some(serde_json::json!({})));
    }

    #[test]
    fn every_field_that_cannot_be_read_is_told() {
        let form = BucketForm {
            versioning: "maybe".to_owned(),
            trash_days: "a week".to_owned(),
            quota_bytes: "1 GB".to_owned(),
            cors: "{".to_owned(),
            lifecycle: r#"[{"id": "a", "unknown": 1}]"#.to_owned(),
            tags: "no pair".to_owned(),
            ..plain()
        };
        let Err(FilesError::Invalid(errors)) = form.change() else { panic!("taken") };
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/versioning", "/trash_days", "/quota_bytes", "/cors", "/lifecycle", "/tags"]);
        let lock = BucketForm { lock_mode: "governance".to_owned(), ..plain() };
        assert!(matches!(lock.change(), Err(FilesError::Invalid(_))), "a lock without days");
    }

    #[test]
    fn a_line_is_a_rule() {
        let rules = rules_of("role:member list,read my docs/\n\nanyone read \n").unwrap();
        let read: Vec<_> =
            rules.iter().map(|rule| (rule.subject.as_str(), rule.prefix.as_str(), rule.verbs.len())).collect();
        assert_eq!(read, [("role:member", "my docs/", 2), ("anyone", "", 1)]);
        assert!(
            matches!(rules_of("anyone dance"), Err(FilesError::Invalid(errors)) if errors[0].pointer == "/0/verbs")
        );
    }
}
