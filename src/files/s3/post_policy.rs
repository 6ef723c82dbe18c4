//! The policy of a form: which fields it may have. Whatever it does not mention may not be there.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::errors::{ACCESS_DENIED, ENTITY_TOO_LARGE, ENTITY_TOO_SMALL, INVALID_POLICY, S3Error};

/// Fields that no condition has to mention.
const FREE: [&str; 4] = ["policy", "x-amz-signature", "file", "awsaccesskeyid"];

/// Fields of a form but for its file: names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field that must be there.
    pub fn need(&self, name: &'static str) -> Result<&str, S3Error> {
        let missing = || ACCESS_DENIED.with(format!("the form needs the field {name}"));
        self.get(name).ok_or_else(missing)
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

/// A policy that was signed.
#[derive(Debug)]
pub(crate) struct Policy {
    expires: DateTime<Utc>,
    conditions: Vec<Condition>,
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Is(String, String),
    Begins(String, String),
    /// Bytes of the file.
    Length(u64, u64),
}

impl Policy {
    /// Of the field, as it was signed: base64.
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        let wrong = |what: &str| INVALID_POLICY.with(format!("Invalid Policy: {what}"));
        let bytes = STANDARD.decode(text.trim()).map_err(|_| wrong("it is not base64"))?;
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))?;
        let expires = DateTime::parse_from_rfc3339(&document.expiration);
        let expires = expires.map_err(|_| wrong("expiration is no time"))?.to_utc();
        let mut conditions = Vec::new();
        for value in &document.conditions {
            read(value, &mut conditions).ok_or_else(|| wrong(&format!("{value} is no condition")))?;
        }
        Ok(Self { expires, conditions })
    }

    /// Err unless all conditions hold, and all fields are mentioned. `bucket`: of the address.
    pub fn check(&self, fields: &Fields, bucket: &str, now: DateTime<Utc>) -> Result<(), S3Error> {
        if self.expires <= now {
            return Err(ACCESS_DENIED.with("Invalid according to Policy: Policy expired."));
        }
        let failed = |text: String| {
            Err(ACCESS_DENIED.with(format!("Invalid according to Policy: Policy Condition failed: {text}")))
        };
        let value = |name: &str| if name == "bucket" { Some(bucket) } else { fields.get(name) };
        for condition in &self.conditions {
            match condition {
                Condition::Is(name, expected) if value(name) != Some(expected.as_str()) => {
                    return failed(format!("[\"eq\", \"${name}\", \"{expected}\"]"));
                }
                Condition::Begins(name, start) if !value(name).is_some_and(|value| begins(name, value, start)) => {
                    return failed(format!("[\"starts-with\", \"${name}\", \"{start}\"]"));
                }
                Condition::Is(..) | Condition::Begins(..) | Condition::Length(..) => {}
            }
        }
        let is_mentioned = |name: &str| {
            FREE.contains(&name)
                || name.starts_with("x-ignore-")
                || self.conditions.iter().any(|condition| match condition {
                    Condition::Is(other, _) | Condition::Begins(other, _) => other == name,
                    Condition::Length(..) => false,
                })
        };
        match fields.0.iter().find(|(name, _)| !is_mentioned(name)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(ACCESS_DENIED.with(format!("Invalid according to Policy: Extra input fields: {name}")))
            }
        }
    }

    /// The least and the most bytes that the file may have.
    pub fn length(&self) -> (u64, u64) {
        self.conditions.iter().fold((0, u64::MAX), |(least, most), condition| match condition {
            Condition::Length(from, to) => (least.max(*from), most.min(*to)),
            Condition::Is(..) | Condition::Begins(..) => (least, most),
        })
    }
}

/// A list of types begins so if each of them does.
fn begins(name: &str, value: &str, start: &str) -> bool {
    if name == "content-type" {
        value.split(',').all(|part| part.trim().starts_with(start))
    } else {
        value.starts_with(start)
    }
}

/// `{"name": "value"}` or `["eq", "$name", "value"]` and its like; `None`: it is neither.
fn read(value: &Value, conditions: &mut Vec<Condition>) -> Option<()> {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                conditions.push(Condition::Is(name.to_ascii_lowercase(), value.as_str()?.to_owned()));
            }
        }
        Value::Array(list) => {
            let [kind, first, second] = list.as_slice() else { return None };
            let name = || Some(first.as_str()?.strip_prefix('$')?.to_ascii_lowercase());
            conditions.push(match kind.as_str()?.to_ascii_lowercase().as_str() {
                "eq" => Condition::Is(name()?, second.as_str()?.to_owned()),
                "starts-with" => Condition::Begins(name()?, second.as_str()?.to_owned()),
                "content-length-range" => Condition::Length(number(first)?, number(second)?),
                _ => return None,
            });
        }
        _ => return None,
    }
    Some(())
}

/// A number, which some programs write as a text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Err where a file has another size than the policy permits.
pub(crate) fn fits(size: u64, (least, most): (u64, u64), ended: bool) -> Result<(), S3Error> {
    if size > most {
        Err(ENTITY_TOO_LARGE.error().about("MaxSizeAllowed", most.to_string()))
    } else if ended && size < least {
        Err(ENTITY_TOO_SMALL.error().about("MinSizeAllowed", least.to_string()))
    } else {
        Ok(())
    }
}
