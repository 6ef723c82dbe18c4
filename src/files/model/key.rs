//! Access keys of the S3 API.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{AccessKeyId, BucketId, Verb};
use platform::ids::OrgId;

/// An access key, with its secret: signatures need it as it is.
#[derive(Clone, Debug)]
pub struct AccessKey {
    pub id: AccessKeyId,
    pub org: OrgId,
    pub name: String,
    /// What clients send.
    pub access_key_id: String,
    pub secret: SecretString,
    pub verbs: Vec<Verb>,
    /// `None`: all of the organisation's.
    pub buckets: Option<Vec<BucketId>>,
    pub prefix: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// An access key to make.
#[derive(Clone, Debug)]
pub struct NewAccessKey {
    pub name: String,
    pub verbs: Vec<Verb>,
    pub buckets: Option<Vec<BucketId>>,
    pub prefix: String,
    pub expires_at: Option<DateTime<Utc>>,
}
