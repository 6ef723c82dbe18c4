//! Lifecycle rules in S3's XML; files keeps and runs them.

use axum::{http::StatusCode, response::Response};
use chrono::NaiveTime;
use files::{BucketChange, Expire, FilesError, LifecycleRule, Noncurrent, Tags, Verb};

use super::{
    Cx, answer,
    config::change,
    convert::{checked, iso, time},
    empty, tags,
};
use crate::{
    body::Body,
    errors::{INVALID_ARGUMENT, INVALID_REQUEST, MALFORMED_XML, NO_SUCH_LIFECYCLE, S3Error},
    xml::{Element, Xml},
};

/// Rules of a bucket: Amazon's limit.
const MOST: usize = 1000;

pub(super) async fn get(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    let rules: Vec<LifecycleRule> = serde_json::from_value(bucket.lifecycle).map_err(FilesError::Json)?;
    if rules.is_empty() {
        return Err(NO_SUCH_LIFECYCLE.error());
    }
    Ok(answer(to_xml(&rules)))
}

pub(super) async fn put(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let rules = of_xml(&cx.xml(body, "LifecycleConfiguration").await?)?;
    let bucket = cx.bucket().await?;
    change(cx, &bucket, BucketChange { lifecycle: Some(rules), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::OK))
}

pub(super) async fn delete(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    change(cx, &bucket, BucketChange { lifecycle: Some(Vec::new()), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The rules of a body. What is not known is refused by its name: a rule that does nothing in silence is worse than none.
pub(crate) fn of_xml(root: &Element) -> Result<Vec<LifecycleRule>, S3Error> {
    root.only(&["Rule"])?;
    let mut rules: Vec<LifecycleRule> = Vec::new();
    for (n, element) in root.all("Rule").enumerate() {
        let rule = rule(element, n)?;
        if rules.iter().any(|other| other.id == rule.id) {
            return Err(INVALID_ARGUMENT.with("Rule ID must be unique. Found same ID for more than one rule"));
        }
        rules.push(rule);
    }
    if rules.is_empty() || rules.len() > MOST {
        return Err(MALFORMED_XML.with(format!("expected 1 to {MOST} rules")));
    }
    Ok(rules)
}

fn rule(element: &Element, n: usize) -> Result<LifecycleRule, S3Error> {
    element.only(&[
        "ID",
        "Status",
        "Prefix",
        "Filter",
        "Expiration",
        "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
    ])?;
    let id = element.get("ID").filter(|id| !id.is_empty()).map_or_else(|| format!("rule-{}", n + 1), str::to_owned);
    if id.chars().count() > 255 {
        return Err(INVALID_ARGUMENT.with("ID length should not exceed allowed limit of 255"));
    }
    let enabled = match element.need("Status")? {
        "Enabled" => true,
        "Disabled" => false,
        other => return Err(MALFORMED_XML.with(format!("Status: expected Enabled or Disabled, found {other:?}"))),
    };
    let mut rule = LifecycleRule {
        id,
        enabled,
        prefix: String::new(),
        tags: Tags::new(),
        larger_than: None,
        smaller_than: None,
        expire: None,
        noncurrent: None,
        abort_uploads_days: None,
        // Ours: S3 has no word for it, and does not show it.
        move_to: None,
    };
    if let Some(prefix) = element.child("Prefix") {
        prefix.exact().clone_into(&mut rule.prefix);
    }
    match element.child("Filter") {
        Some(_) if element.child("Prefix").is_some() => {
            return Err(MALFORMED_XML.with("a rule has Filter or Prefix, not both"));
        }
        Some(filter) => filtered(filter, &mut rule)?,
        None => {}
    }
    rule.expire = element.child("Expiration").map(expire).transpose()?;
    rule.noncurrent = element.child("NoncurrentVersionExpiration").map(noncurrent).transpose()?;
    if let Some(abort) = element.child("AbortIncompleteMultipartUpload") {
        abort.only(&["DaysAfterInitiation"])?;
        rule.abort_uploads_days = Some(days(abort, "DaysAfterInitiation")?);
        if !rule.tags.is_empty() {
            return Err(INVALID_REQUEST.with("AbortIncompleteMultipartUpload cannot be specified with tags"));
        }
    }
    if rule.expire.is_none() && rule.noncurrent.is_none() && rule.abort_uploads_days.is_none() {
        return Err(INVALID_REQUEST.with("At least one action needs to be specified in a rule"));
    }
    Ok(rule)
}

/// One condition, or several within `And`.
fn filtered(filter: &Element, rule: &mut LifecycleRule) -> Result<(), S3Error> {
    let within = filter.child("And").unwrap_or(filter);
    if filter.children.len() > 1 {
        return Err(MALFORMED_XML.with("Filter has one condition, or And"));
    }
    within.only(&["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"])?;
    if let Some(prefix) = within.child("Prefix") {
        prefix.exact().clone_into(&mut rule.prefix);
    }
    rule.tags = checked(tags::pairs(within)?, 10)?;
    rule.larger_than = within.number("ObjectSizeGreaterThan")?;
    rule.smaller_than = within.number("ObjectSizeLessThan")?;
    match (rule.larger_than, rule.smaller_than) {
        (Some(larger), Some(smaller)) if larger >= smaller => {
            Err(INVALID_REQUEST.with("ObjectSizeGreaterThan must be less than ObjectSizeLessThan"))
        }
        _ => Ok(()),
    }
}

fn expire(element: &Element) -> Result<Expire, S3Error> {
    element.only(&["Days", "Date", "ExpiredObjectDeleteMarker"])?;
    if element.children.len() != 1 {
        return Err(MALFORMED_XML.with("Expiration has one of Days, Date and ExpiredObjectDeleteMarker"));
    }
    if let Some(date) = element.get("Date") {
        let midnight = time(date).filter(|at| at.timestamp() % 86_400 == 0);
        let midnight = midnight.ok_or_else(|| INVALID_ARGUMENT.with("'Date' must be at midnight GMT"))?;
        return Ok(Expire::Date(midnight.date_naive()));
    }
    match element.get("ExpiredObjectDeleteMarker") {
        None => Ok(Expire::Days(days(element, "Days")?)),
        Some("true") => Ok(Expire::Markers(true)),
        Some(_) => Err(MALFORMED_XML.with("ExpiredObjectDeleteMarker: expected true")),
    }
}

fn noncurrent(element: &Element) -> Result<Noncurrent, S3Error> {
    element.only(&["NoncurrentDays", "NewerNoncurrentVersions"])?;
    let keep = element.number::<i32>("NewerNoncurrentVersions")?;
    if keep.is_some_and(|keep| !(1..=100).contains(&keep)) {
        return Err(INVALID_ARGUMENT.with("'NewerNoncurrentVersions' must be 1 to 100"));
    }
    Ok(Noncurrent { days: days(element, "NoncurrentDays")?, keep: keep.unwrap_or(0) })
}

fn days(element: &Element, name: &'static str) -> Result<i32, S3Error> {
    let days = element.number::<i32>(name)?.filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| INVALID_ARGUMENT.with(format!("'{name}' must be a positive integer, at most 36500")))
}

pub(crate) fn to_xml(rules: &[LifecycleRule]) -> Xml {
    let mut xml = Xml::new("LifecycleConfiguration");
    for rule in rules {
        xml.open("Rule").text("ID", &rule.id);
        xml.open("Filter");
        let several = rule.tags.len()
            + usize::from(!rule.prefix.is_empty())
            + usize::from(rule.larger_than.is_some())
            + usize::from(rule.smaller_than.is_some());
        if several > 1 {
            xml.open("And");
        }
        if several == 0 || !rule.prefix.is_empty() {
            xml.text("Prefix", &rule.prefix);
        }
        for (name, value) in &rule.tags {
            xml.open("Tag").text("Key", name).text("Value", value).close();
        }
        xml.maybe("ObjectSizeGreaterThan", rule.larger_than).maybe("ObjectSizeLessThan", rule.smaller_than);
        if several > 1 {
            xml.close();
        }
        xml.close();
        xml.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
        if let Some(expire) = &rule.expire {
            xml.open("Expiration");
            match expire {
                Expire::Days(days) => xml.text("Days", days),
                Expire::Date(date) => xml.text("Date", iso(date.and_time(NaiveTime::MIN).and_utc())),
                Expire::Markers(markers) => xml.text("ExpiredObjectDeleteMarker", markers),
            };
            xml.close();
        }
        if let Some(noncurrent) = &rule.noncurrent {
            xml.open("NoncurrentVersionExpiration").text("NoncurrentDays", noncurrent.days);
            xml.maybe("NewerNoncurrentVersions", (noncurrent.keep > 0).then_some(noncurrent.keep)).close();
        }
        if let Some(days) = rule.abort_uploads_days {
            xml.open("AbortIncompleteMultipartUpload").text("DaysAfterInitiation", days).close();
        }
        xml.close();
    }
    xml
}
