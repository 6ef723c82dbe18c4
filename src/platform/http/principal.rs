//! The caller of a request and its permissions. [`Authenticator`], which `auth` implements, does the authentication.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

use crate::{
    error::ApiError,
    ids::{OrgId, UserId},
    text_enum,
};

text_enum! {
    /// Role of a member in an organisation; each role includes the ones before it.
    #[derive(PartialOrd, Ord, sqlx::Type)]
    #[sqlx(type_name = "text", rename_all = "lowercase")]
    pub enum Role {
        /// Reads, and uses agents.
        Viewer = "viewer",
        /// Also creates and edits agents and knowledge.
        Member = "member",
        /// Also manages members, API keys and jobs.
        Admin = "admin",
        /// Also removes admins and deletes the organisation.
        Owner = "owner",
    }
}

/// A permission that API keys carry, declared by the room whose routes ask for it. Compared by name.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    name: &'static str,
    role: Role,
}

impl Scope {
    /// Members, API keys, settings.
    pub const ADMIN: Self = Self::new("admin", Role::Admin);

    /// `name` is in `snake_case` and stored with each key; people with at least `role` have the permission.
    pub const fn new(name: &'static str, role: Role) -> Self {
        Self { name, role }
    }

    pub const fn as_str(self) -> &'static str {
        self.name
    }

    /// The least role that a person needs for the same.
    pub const fn role(self) -> Role {
        self.role
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Scope {}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// A string; the generated document lists the values.
impl PartialSchema for Scope {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).description(Some("What an API key may be used for.")).into()
    }
}

impl ToSchema for Scope {}

/// An organisation that the signed-in person belongs to, for the switcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgRef {
    pub id: OrgId,
    pub name: String,
    pub slug: String,
    pub role: Role,
}

/// A person with a console session.
#[derive(Clone, Debug)]
pub struct SessionUser {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub session_id: Uuid,
    /// Token that every form must include.
    pub csrf: String,
    pub orgs: Arc<[OrgRef]>,
    /// May see data of the installation as opposed to one organisation (queues, providers, doctor).
    pub is_operator: bool,
    /// Signed in with a one-time password: may only change it.
    pub must_change_password: bool,
}

/// An application with an API key.
#[derive(Clone, Debug)]
pub struct KeyActor {
    pub key_id: Uuid,
    pub name: String,
    /// Names; those that no room of this version declares grant nothing.
    pub scopes: BTreeSet<String>,
}

/// The kind of caller.
#[derive(Clone, Debug)]
pub enum Actor {
    User(SessionUser),
    ApiKey(KeyActor),
}

/// The caller and its organisation. Every permission check starts here.
#[derive(Clone, Debug)]
pub struct Principal {
    pub org_id: OrgId,
    pub role: Role,
    pub actor: Actor,
}

impl Principal {
    /// 403 without this permission: an API key needs the scope, a person the role.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        match &self.actor {
            Actor::User(_) => self.require_role(scope.role()),
            Actor::ApiKey(key) if key.scopes.contains(scope.as_str()) => Ok(()),
            Actor::ApiKey(_) => Err(ApiError::forbidden(format!("this API key lacks the scope {}", scope.as_str()))),
        }
    }

    /// Err 403 for people below this role, and for API keys below what it corresponds to.
    pub fn require_role(&self, role: Role) -> Result<(), ApiError> {
        self.require_own_password()?;
        if self.role >= role {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("needs the role {} or higher in this organisation", role.as_str())))
    }

    /// Err 403 for a person who signed in with a one-time password: they must change it first.
    pub fn require_own_password(&self) -> Result<(), ApiError> {
        if self.user().is_some_and(|user| user.must_change_password) {
            return Err(ApiError::new(
                axum::http::StatusCode::FORBIDDEN,
                "password_change_required",
                "change the one-time password first",
            ));
        }
        Ok(())
    }

    /// The person, when there is one.
    pub fn user(&self) -> Option<&SessionUser> {
        match &self.actor {
            Actor::User(user) => Some(user),
            Actor::ApiKey(_) => None,
        }
    }

    /// Whether the caller is a person who runs the installation.
    pub fn is_operator(&self) -> bool {
        self.user().is_some_and(|user| user.is_operator)
    }

    /// 403 unless the caller is an operator with the admin permission; the message says that only an operator may `do_it` ("see its logs").
    pub fn require_operator(&self, do_it: &str) -> Result<(), ApiError> {
        self.require(Scope::ADMIN)?;
        if self.is_operator() {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("only an operator of this installation may {do_it}")))
    }

    /// `user:<id>` or `key:<id>`, for logs, limits and audit columns.
    pub fn subject(&self) -> String {
        match &self.actor {
            Actor::User(user) => format!("user:{}", user.user_id),
            Actor::ApiKey(key) => format!("key:{}", key.key_id),
        }
    }
}

/// Turns credentials into a principal. Implemented by `auth`; the middleware calls it once per request.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Looks a console session up by its cookie value; `None` when unknown, ended or expired.
    async fn session(&self, token: &str) -> Result<Option<Principal>, ApiError>;

    /// Looks an API key (`hf_...`) up as presented; `None` when unknown, revoked or expired.
    async fn api_key(&self, key: &str) -> Result<Option<Principal>, ApiError>;
}

/// Extracts the principal; 401 without one.
#[derive(Clone, Debug)]
pub struct Auth(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Principal>()
            .cloned()
            .map(Auth)
            .ok_or_else(|| ApiError::unauthorized("sign in, or send an API key as `Authorization: Bearer hf_...`"))
    }
}
