//! Object lock: of buckets, and of versions.

use axum::{http::StatusCode, response::Response};

use super::{
    Cx, answer,
    config::change,
    convert::{iso, mode, mode_text, time},
    empty,
    read::find,
};
use crate::{
    body::Body,
    errors::{
        ILLEGAL_VERSIONING, INVALID_REQUEST, INVALID_RETENTION, MALFORMED_XML, NO_SUCH_LOCK,
        NO_SUCH_LOCK_CONFIGURATION, S3Error,
    },
    xml::{Element, Xml},
};
use files::{Bucket, BucketChange, DefaultLock, Lock, Object, Verb, Versioning};

/// Longest lock of a bucket's new versions, days: a hundred years.
const LONGEST: i32 = 36_500;

pub(super) async fn configuration(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    if !bucket.object_lock {
        return Err(NO_SUCH_LOCK_CONFIGURATION.error());
    }
    let mut xml = Xml::new("ObjectLockConfiguration");
    xml.text("ObjectLockEnabled", "Enabled");
    if let (Some(mode), Some(days)) = (bucket.lock_mode, bucket.lock_days) {
        xml.open("Rule").open("DefaultRetention").text("Mode", mode_text(mode)).text("Days", days);
    }
    Ok(answer(xml))
}

pub(super) async fn set_configuration(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let wanted = cx.xml(body, "ObjectLockConfiguration").await?;
    wanted.only(&["ObjectLockEnabled", "Rule"])?;
    if wanted.need("ObjectLockEnabled")? != "Enabled" {
        return Err(MALFORMED_XML.with("ObjectLockEnabled: expected Enabled"));
    }
    let default = wanted.child("Rule").map(default_lock).transpose()?;
    let bucket = cx.bucket().await?;
    if bucket.versioning != Versioning::On {
        return Err(
            ILLEGAL_VERSIONING.with("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
        );
    }
    let lock = BucketChange { object_lock: Some(true), lock: Some(default), ..BucketChange::default() };
    change(cx, &bucket, lock).await?;
    Ok(empty(StatusCode::OK))
}

/// Lock of new versions, and its days.
fn default_lock(rule: &Element) -> Result<DefaultLock, S3Error> {
    let wrong = || MALFORMED_XML.with("Rule needs DefaultRetention, with Mode, and Days or Years");
    let retention = rule.child("DefaultRetention").ok_or_else(wrong)?;
    retention.only(&["Mode", "Days", "Years"])?;
    let mode = mode(retention.need("Mode")?).ok_or_else(wrong)?;
    let days = match (retention.number::<i32>("Days")?, retention.number::<i32>("Years")?) {
        (Some(days), None) => days,
        (None, Some(years)) => years.saturating_mul(365),
        _ => return Err(wrong()),
    };
    if (1..=LONGEST).contains(&days) { Ok(DefaultLock { mode, days }) } else { Err(INVALID_RETENTION.error()) }
}

/// The object of the request, whose bucket has locks.
async fn object(cx: &Cx) -> Result<(Bucket, Object), S3Error> {
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    if !bucket.object_lock {
        return Err(INVALID_REQUEST.with("Bucket is missing Object Lock Configuration"));
    }
    let object = find(cx, &bucket, &key, cx.version()?).await?;
    Ok((bucket, object))
}

pub(super) async fn retention(cx: &Cx) -> Result<Response, S3Error> {
    let (_, object) = object(cx).await?;
    let lock = object.lock.ok_or_else(|| NO_SUCH_LOCK.error())?;
    let mut xml = Xml::new("Retention");
    xml.text("Mode", mode_text(lock.mode)).text("RetainUntilDate", iso(lock.until));
    Ok(answer(xml))
}

pub(super) async fn set_retention(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let wanted = cx.xml(body, "Retention").await?;
    wanted.only(&["Mode", "RetainUntilDate"])?;
    let lock = match (wanted.get("Mode"), wanted.get("RetainUntilDate")) {
        // An empty one takes the lock away, where that is permitted.
        (None, None) => None,
        (Some(mode_of), Some(until)) => {
            let mode = mode(mode_of).ok_or_else(|| MALFORMED_XML.with("Mode: expected GOVERNANCE or COMPLIANCE"))?;
            let until = time(until).ok_or_else(|| MALFORMED_XML.with("RetainUntilDate: expected an ISO 8601 time"))?;
            Some(Lock { mode, until })
        }
        _ => return Err(MALFORMED_XML.with("Retention needs Mode and RetainUntilDate")),
    };
    if lock.is_some_and(|lock| lock.until <= cx.files.now()) {
        return Err(INVALID_RETENTION.with("The retain until date must be in the future!"));
    }
    let (_, object) = object(cx).await?;
    cx.files.set_lock(&cx.who, &object, lock).await?;
    Ok(empty(StatusCode::OK))
}

pub(super) async fn hold(cx: &Cx) -> Result<Response, S3Error> {
    let (_, object) = object(cx).await?;
    let mut xml = Xml::new("LegalHold");
    xml.text("Status", if object.legal_hold { "ON" } else { "OFF" });
    Ok(answer(xml))
}

pub(super) async fn set_hold(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let wanted = cx.xml(body, "LegalHold").await?;
    let hold = match wanted.need("Status")? {
        "ON" => true,
        "OFF" => false,
        _ => return Err(MALFORMED_XML.with("Status: expected ON or OFF")),
    };
    let (_, object) = object(cx).await?;
    cx.files.set_hold(&cx.who, &object, hold).await?;
    Ok(empty(StatusCode::OK))
}
