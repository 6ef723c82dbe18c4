//! Access keys of the S3 API.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

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

/// An access key as lists show it: without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccessKeyInfo {
    pub id: AccessKeyId,
    /// What it is for.
    #[schema(example = "nightly backups")]
    pub name: String,
    /// What clients call the access key id.
    #[schema(example = "HFA2B3C4D5E6F7G2H3I4")]
    pub access_key_id: String,
    pub verbs: Vec<Verb>,
    /// null: all of the organisation's.
    pub buckets: Option<Vec<BucketId>>,
    /// Only keys that begin so.
    pub prefix: String,
    pub expires_at: Option<DateTime<Utc>>,
    /// Exact to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}
