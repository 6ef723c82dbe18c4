//! Policies of forms.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::post_policy::{Fields, Policy, fits};

fn now() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn policy(conditions: &Value) -> Policy {
    let text = json!({"expiration": "2030-01-01T00:00:01.000Z", "conditions": conditions}).to_string();
    Policy::parse(&STANDARD.encode(text)).unwrap()
}

fn fields(list: &[(&str, &str)]) -> Fields {
    Fields(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn each_condition_fulfilled_violated_and_missing() {
    let own = [("policy", "x"), ("x-amz-signature", "x"), ("x-ignore-this", "x")];
    for (conditions, sent, fine) in [
        (json!([{"key": "a"}]), &[("key", "a")][..], true),
        (json!([{"key": "a"}]), &[("key", "b")], false),
        (json!([{"key": "a"}]), &[], false),
        (json!([{"KEY": "a"}]), &[("key", "a")], true),
        (json!([["eq", "$key", "a"]]), &[("key", "a")], true),
        (json!([["eq", "$key", "a"]]), &[("key", "ab")], false),
        (json!([["starts-with", "$key", "user/"]]), &[("key", "user/a")], true),
        (json!([["starts-with", "$key", "user/"]]), &[("key", "other/a")], false),
        (json!([["starts-with", "$key", ""]]), &[("key", "anything")], true),
        (json!([["starts-with", "$key", ""]]), &[], false),
        (json!([["Starts-With", "$key", "a"]]), &[("key", "ab")], true),
        (json!([{"bucket": "bucket"}]), &[], true),
        (json!([{"bucket": "other"}]), &[], false),
        (json!([["starts-with", "$bucket", "buck"]]), &[], true),
        // A field that no condition mentions.
        (json!([{"key": "a"}]), &[("key", "a"), ("acl", "public-read")], false),
        (json!([{"key": "a"}, {"acl": "private"}]), &[("key", "a"), ("acl", "private")], true),
        (json!([{"key": "a"}]), &[("key", "a"), ("x-amz-meta-tag", "")], false),
        (json!([{"key": "a"}, ["starts-with", "$x-amz-meta-tag", ""]]), &[("key", "a"), ("x-amz-meta-tag", "b")], true),
        (json!([["starts-with", "$Content-Type", "image/"]]), &[("content-type", "image/png")], true),
        (json!([["starts-with", "$Content-Type", "image/"]]), &[("content-type", "image/png,text/html")], false),
        (json!([["starts-with", "$Content-Type", "image/"]]), &[("content-type", "image/png,image/gif")], true),
        (json!([["content-length-range", 1, 5], {"key": "a"}]), &[("key", "a")], true),
    ] {
        let all: Vec<(&str, &str)> = sent.iter().chain(&own).copied().collect();
        let checked = policy(&conditions).check(&fields(&all), "bucket", now());
        assert_eq!(checked.is_ok(), fine, "{conditions} {sent:?}: {checked:?}");
    }
}

#[test]
fn it_ends_to_the_second() {
    let policy = policy(&json!([]));
    assert!(policy.check(&fields(&[]), "b", now()).is_ok());
    let late = policy.check(&fields(&[]), "b", now() + TimeDelta::seconds(1)).unwrap_err();
    assert!(late.code == "AccessDenied" && late.message.contains("expired"), "{late}");
}

#[test]
fn sizes_at_below_and_above() {
    let range = policy(&json!([["content-length-range", 2, "4"], ["content-length-range", 1, 9]])).length();
    assert_eq!(range, (2, 4));
    assert_eq!(policy(&json!([])).length(), (0, u64::MAX));
    for (size, ended, code) in [
        (1, true, Some("EntityTooSmall")),
        (1, false, None),
        (2, true, None),
        (4, true, None),
        (5, false, Some("EntityTooLarge")),
        (5, true, Some("EntityTooLarge")),
    ] {
        assert_eq!(fits(size, range, ended).err().map(|error| error.code), code, "{size} {ended}");
    }
}

#[test]
fn what_is_no_policy() {
    let of = |text: &str| Policy::parse(text).map(drop).map_err(|error| error.code);
    assert_eq!(of("%"), Err("InvalidPolicyDocument"));
    for wrong in [
        json!({}),
        json!({"conditions": []}),
        json!({"expiration": "soon", "conditions": []}),
        json!({"expiration": "2030-01-01T00:00:00Z"}),
        json!({"expiration": "2030-01-01T00:00:00Z", "conditions": ["a"]}),
        json!({"expiration": "2030-01-01T00:00:00Z", "conditions": [["eq", "key", "a"]]}),
        json!({"expiration": "2030-01-01T00:00:00Z", "conditions": [["eq", "$key"]]}),
        json!({"expiration": "2030-01-01T00:00:00Z", "conditions": [["matches", "$key", "a"]]}),
        json!({"expiration": "2030-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 2]]}),
        json!({"expiration": "2030-01-01T00:00:00Z", "conditions": [{"key": 1}]}),
    ] {
        assert_eq!(of(&STANDARD.encode(wrong.to_string())), Err("InvalidPolicyDocument"), "{wrong}");
    }
}
