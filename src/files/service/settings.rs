//! What the settings of a bucket may be.

use serde_json::Value;

use super::check_presets;
use crate::{Bucket, BucketChange, CorsRule, DefaultLock, FilesError, Versioning, cross_origin, lifecycle};
use platform::error::FieldError;

/// Most tags of a bucket: S3's limit.
const MOST_TAGS: usize = 50;
const MOST_TYPES: usize = 100;

/// A bucket with changes that it may have.
pub(super) fn changed(before: &Bucket, change: BucketChange) -> Result<Bucket, FilesError> {
    let mut errors = check(before, &change);
    let mut bucket = before.clone();
    if let Some(lock) = change.lock {
        bucket.lock_mode = lock.map(|lock| lock.mode);
        bucket.lock_days = lock.map(|lock| lock.days);
    }
    if let Some(rules) = change.lifecycle {
        errors.extend(lifecycle::check(&rules));
        bucket.lifecycle = serde_json::to_value(rules)?;
    }
    let kept = |given: Option<Value>, old: Value| given.unwrap_or(old);
    let bucket = Bucket {
        public: change.public.unwrap_or(bucket.public),
        versioning: change.versioning.unwrap_or(bucket.versioning),
        object_lock: change.object_lock.unwrap_or(bucket.object_lock),
        trash_days: change.trash_days.unwrap_or(bucket.trash_days),
        max_object_bytes: change.max_object_bytes.unwrap_or(bucket.max_object_bytes),
        quota_bytes: change.quota_bytes.unwrap_or(bucket.quota_bytes),
        allowed_types: change.allowed_types.unwrap_or(bucket.allowed_types),
        cache_control: change.cache_control.unwrap_or(bucket.cache_control),
        image_options: change.image_options.unwrap_or(bucket.image_options),
        image_presets: kept(change.image_presets, bucket.image_presets),
        scan: change.scan.unwrap_or(bucket.scan),
        cors: kept(change.cors, bucket.cors),
        tags: change.tags.unwrap_or(bucket.tags),
        purge_url: change.purge_url.unwrap_or(bucket.purge_url),
        ..bucket
    };
    if bucket.object_lock && bucket.versioning != Versioning::On {
        errors.push(FieldError::new("/object_lock", "needs_versioning", "object lock needs versioning"));
    }
    if bucket.lock_mode.is_some() && !bucket.object_lock {
        errors.push(FieldError::new("/lock", "no_object_lock", "the bucket has no object lock"));
    }
    if errors.is_empty() { Ok(bucket) } else { Err(FilesError::Invalid(errors)) }
}

fn check(before: &Bucket, change: &BucketChange) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if before.versioning != Versioning::Off && change.versioning == Some(Versioning::Off) {
        let text = "versions are there: versioning can be suspended, and not be turned off";
        errors.push(FieldError::new("/versioning", "invalid", text));
    }
    if before.object_lock && change.object_lock == Some(false) {
        errors.push(FieldError::new("/object_lock", "invalid", "object lock cannot be turned off again"));
    }
    if let Some(Some(DefaultLock { days, .. })) = change.lock
        && !(1..=36_500).contains(&days)
    {
        errors.push(FieldError::new("/lock/days", "out_of_range", "1 to 36500 days"));
    }
    if change.trash_days.is_some_and(|days| !(0..=90).contains(&days)) {
        errors.push(FieldError::new("/trash_days", "out_of_range", "0 to 90 days"));
    }
    if change.max_object_bytes.flatten().is_some_and(|bytes| bytes <= 0) {
        errors.push(FieldError::new("/max_object_bytes", "out_of_range", "1 byte at least, or null"));
    }
    if change.quota_bytes.flatten().is_some_and(|bytes| bytes < 0) {
        errors.push(FieldError::new("/quota_bytes", "out_of_range", "0 bytes at least, or null"));
    }
    let is_type = |text: &String| text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    if change.allowed_types.as_ref().is_some_and(|types| types.len() > MOST_TYPES || !types.iter().all(is_type)) {
        let text = format!("at most {MOST_TYPES} media types such as image/png or image/*");
        errors.push(FieldError::new("/allowed_types", "invalid", text));
    }
    if change.cache_control.as_ref().is_some_and(|text| text.len() > 200 || text.bytes().any(|b| b.is_ascii_control()))
    {
        errors.push(FieldError::new("/cache_control", "invalid", "at most 200 characters on one line"));
    }
    if let Some(Err(problems)) = change.image_presets.as_ref().map(check_presets) {
        let below = |error: FieldError| FieldError { pointer: format!("/image_presets{}", error.pointer), ..error };
        errors.extend(problems.into_iter().map(below));
    }
    match change.cors.clone().map(serde_json::from_value::<Vec<CorsRule>>) {
        None => {}
        Some(Ok(rules)) => errors.extend(cross_origin::problems(&rules)),
        Some(Err(error)) => errors.push(FieldError::new("/cors", "invalid", error.to_string())),
    }
    if change.tags.as_ref().is_some_and(|tags| tags.len() > MOST_TAGS || tags.keys().any(String::is_empty)) {
        errors.push(FieldError::new("/tags", "invalid", format!("at most {MOST_TAGS} tags, each with a name")));
    }
    let is_address = |url: &String| (url.starts_with("https://") || url.starts_with("http://")) && url.len() <= 2000;
    if change.purge_url.as_ref().and_then(Option::as_ref).is_some_and(|url| !is_address(url)) {
        errors.push(FieldError::new(
            "/purge_url",
            "invalid",
            "expected an address such as https://cdn.example.com/purge",
        ));
    }
    errors
}
