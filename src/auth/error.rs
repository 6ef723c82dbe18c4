//! Errors of the auth capability, and their HTTP answers.

use std::time::Duration;

use axum::http::StatusCode;

use super::password::RuleBroken;
use platform::{
    db::DbError,
    error::{ApiError, FieldError},
};

/// A request was refused, or failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// One message for unknown e-mail, wrong password and disabled account.
    #[error("wrong e-mail or password")]
    InvalidCredentials,
    #[error("the current password is wrong")]
    WrongPassword,
    #[error("this account is not a member of any organisation")]
    NoOrganisation,
    #[error("too many sign-in attempts")]
    TooMany(Duration),
    #[error("too many password checks are waiting")]
    Busy,
    #[error("the new password breaks a rule")]
    PasswordRule(#[from] RuleBroken),
    #[error("field {0} is invalid: {1}")]
    Field(&'static str, String),
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    Forbidden(String),
    #[error("this is for a signed-in person, not for an API key")]
    NeedsPerson,
    #[error("the one-time password must be changed first")]
    PasswordChangeRequired,
    #[error("an organisation must keep at least one owner")]
    LastOwner,
    #[error("this slug is taken")]
    SlugTaken,
    #[error("an account with this e-mail exists")]
    EmailTaken,
    #[error("already a member of this organisation")]
    AlreadyMember,
    #[error("this link was used, has expired, or does not exist")]
    LinkInvalid,
    #[error("an account with this e-mail exists: sign in with it first, then open the link again")]
    SignInFirst,
    #[error("this link is for another account")]
    LinkForAnother,
    #[error("a password hash could not be computed")]
    Hash(#[source] anyhow::Error),
    #[error("the mail with the link could not be written")]
    Mail(#[source] anyhow::Error),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for AuthError {
    /// Maps constraint names to error codes.
    fn from(error: sqlx::Error) -> Self {
        match platform::db::constraint(&error) {
            Some("organisations_slug_key") => Self::SlugTaken,
            Some("users_email_key") => Self::EmailTaken,
            Some("memberships_pkey") => Self::AlreadyMember,
            _ => Self::Db(error.into()),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let detail = error.to_string();
        match error {
            AuthError::InvalidCredentials => Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", detail),
            AuthError::WrongPassword => field("/current_password", "wrong_password", detail),
            AuthError::NoOrganisation => Self::new(StatusCode::FORBIDDEN, "no_organisation", detail),
            AuthError::TooMany(wait) => Self::too_many(wait),
            AuthError::Busy => {
                Self::unavailable(Duration::from_secs(2), "too many sign-ins right now: try again in a few seconds")
            }
            AuthError::PasswordRule(rule) => field("/new_password", rule.code(), rule.to_string()),
            AuthError::Field(pointer, why) => field(pointer, "invalid", why),
            AuthError::NotFound(thing) => Self::not_found(thing),
            AuthError::Forbidden(_) => Self::forbidden(detail),
            AuthError::NeedsPerson => Self::new(StatusCode::FORBIDDEN, "session_required", detail),
            AuthError::PasswordChangeRequired => {
                Self::new(StatusCode::FORBIDDEN, "password_change_required", "change the one-time password first")
            }
            AuthError::LastOwner => Self::conflict("last_owner", detail),
            AuthError::SlugTaken => Self::conflict("slug_taken", detail),
            AuthError::EmailTaken => Self::conflict("email_taken", detail),
            AuthError::AlreadyMember => Self::conflict("already_member", detail),
            AuthError::LinkInvalid => Self::new(StatusCode::GONE, "link_invalid", detail),
            AuthError::SignInFirst => Self::new(StatusCode::UNAUTHORIZED, "sign_in_first", detail),
            AuthError::LinkForAnother => Self::new(StatusCode::FORBIDDEN, "link_for_another_account", detail),
            AuthError::Hash(source) | AuthError::Mail(source) => Self::internal(source),
            AuthError::Db(source) => source.into(),
        }
    }
}

fn field(pointer: &str, code: &'static str, detail: String) -> ApiError {
    ApiError::validation(vec![FieldError::new(pointer, code, detail)])
}
