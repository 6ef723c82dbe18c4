//! Rules: who may do what below a prefix of a bucket.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BucketRuleId;
use platform::{http::Role, ids::UserId, text_enum};

text_enum! {
    /// What somebody may do.
    #[derive(PartialOrd, Ord)]
    pub enum Verb {
        List = "list",
        Read = "read",
        Write = "write",
        Delete = "delete",
        /// Settings of buckets, locks, access keys. Not of rules: admins have it, and access keys that were given it.
        Admin = "admin",
    }
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Anyone,
    /// Members with this role or a higher one.
    Role(Role),
    /// API keys with this scope.
    Scope(String),
    /// An API key.
    Key(Uuid),
    User(UserId),
}

impl Subject {
    /// As it is stored: `anyone`, `role:member`, `scope:files_read`, `key:<id>`, `user:<id>`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "anyone" => Some(Self::Anyone),
            Some(("role", role)) => role.parse().ok().map(Self::Role),
            Some(("scope", scope)) => Some(Self::Scope(scope.to_owned())),
            Some(("key", id)) => id.parse().ok().map(Self::Key),
            Some(("user", id)) => id.parse().ok().map(Self::User),
            _ => None,
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Role(role) => write!(f, "role:{}", role.as_str()),
            Self::Scope(scope) => write!(f, "scope:{scope}"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
        }
    }
}

/// A rule. A bucket that has any has no others: the defaults do not count there.
#[derive(Clone, Debug)]
pub struct BucketRule {
    pub id: BucketRuleId,
    pub subject: Subject,
    pub prefix: String,
    pub verbs: Vec<Verb>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// A rule to give to a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBucketRule {
    /// `anyone`, `role:viewer` (or a higher one), `scope:<name>`, `key:<id>`, `user:<id>`.
    #[schema(example = "role:member")]
    pub subject: String,
    #[serde(default)]
    pub prefix: String,
    /// `list`, `read`, `write`, `delete`.
    pub verbs: Vec<Verb>,
}
