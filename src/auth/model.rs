//! Types of the auth capability.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use platform::{
    http::{OrgRef, Role, Scope},
    id_type,
    ids::{OrgId, UserId},
    text_enum,
};

id_type!(SessionId, "A sign-in of a person.");
id_type!(ApiKeyId, "An API key.");
id_type!(LinkId, "A one-time link.");

/// An organisation: the tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Organisation {
    pub id: OrgId,
    #[schema(example = "acme")]
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// A person who can sign in, as operators see them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub is_operator: bool,
    /// Has a one-time password that must be changed.
    pub must_change_password: bool,
    pub disabled: bool,
    pub last_sign_in_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A person's membership in the organisation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// When they joined.
    pub created_at: DateTime<Utc>,
}

/// An active session.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    pub id: SessionId,
    pub user_agent: String,
    pub address: String,
    pub created_at: DateTime<Utc>,
    /// To within a minute.
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Whether it is the session of this request.
    pub current: bool,
}

/// An API key without its secret, of which only a hash is stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// Beginning of the key, for recognition.
    #[schema(example = "hf_k3x9q2ab")]
    pub prefix: String,
    #[schema(value_type = Vec<Scope>)]
    pub scopes: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    /// To within a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// E-mail of its creator, while they are a member.
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// A new API key with its secret, which is shown only once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewApiKey {
    #[serde(flatten)]
    pub key: ApiKey,
    /// Send it as `Authorization: Bearer hf_...`. It cannot be shown again.
    #[schema(example = "hf_k3x9q2ab_...")]
    pub secret: String,
}

text_enum! {
    /// Purpose of a one-time link.
    pub enum LinkPurpose {
        /// Become a member of the organisation.
        Join = "join",
        /// Set a new password.
        Reset = "reset",
    }
}

/// An unused one-time link; its address is shown only when it is created.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Link {
    pub id: LinkId,
    pub purpose: LinkPurpose,
    /// Whom it is for.
    pub email: String,
    /// The role it grants.
    pub role: Option<Role>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A new one-time link with its address, which is shown only once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewLink {
    #[serde(flatten)]
    pub link: Link,
    /// Send it to the person by a channel you trust: whoever opens it first can use it.
    #[schema(example = "https://ai.example.com/accept?token=...")]
    pub url: String,
    /// Whether a mail with it was written to that person.
    pub mailed: bool,
}

/// Result of a sign-in: the cookie's value, and who signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub token: String,
    pub session_id: SessionId,
    pub user_id: UserId,
    pub org_id: OrgId,
    pub must_change_password: bool,
}

/// Where a person signed in, for notices.
#[derive(Clone, Debug)]
pub struct Device {
    pub email: String,
    pub name: String,
    /// This and the address: `None` if the session has ended.
    pub user_agent: Option<String>,
    pub address: Option<String>,
}

/// The administrator created by the first start.
#[derive(Clone, Debug)]
pub struct FirstAdmin {
    pub email: String,
    /// For the terminal, never for a log; `None` when the password came from the configuration.
    pub one_time_password: Option<SecretString>,
}

/// A person with what sign-in needs.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub id: UserId,
    pub email: String,
    pub password_hash: String,
    pub must_change_password: bool,
    pub is_operator: bool,
    pub disabled: bool,
}

/// A session, found by its token.
#[derive(Clone, Debug)]
pub(super) struct SessionRow {
    pub id: SessionId,
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub is_operator: bool,
    pub must_change_password: bool,
    pub current_org_id: Option<OrgId>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// An API key, found by its prefix.
#[derive(Clone, Debug)]
pub(super) struct KeyRow {
    pub id: ApiKeyId,
    pub org_id: OrgId,
    pub name: String,
    pub secret_hash: Vec<u8>,
    pub scopes: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A one-time link, found by its token.
#[derive(Clone, Debug)]
pub(super) struct LinkRow {
    pub id: LinkId,
    pub org_id: OrgId,
    pub purpose: LinkPurpose,
    pub email: String,
    pub role: Option<Role>,
    pub org_name: String,
    /// The current role of the link's creator in the organisation.
    pub maker_role: Option<Role>,
    pub maker_is_operator: bool,
}

/// Finds `id` among `orgs`, else takes the first.
pub(super) fn current_org(orgs: &[OrgRef], id: Option<OrgId>) -> Option<&OrgRef> {
    orgs.iter().find(|org| Some(org.id) == id).or_else(|| orgs.first())
}

/// Validates a slug. Slugs are used in addresses and on the command line.
pub(super) fn check_slug(slug: &str) -> Result<(), &'static str> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let fine = slug.len() <= 64
        && edge(slug.chars().next())
        && edge(slug.chars().last())
        && slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fine { Ok(()) } else { Err("1 to 64 lower-case letters, digits and dashes, no dash at either end") }
}
