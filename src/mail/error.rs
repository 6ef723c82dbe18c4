//! Errors of mail.

use std::time::Duration;

use jobs::JobsError;
use platform::{
    crypto::SealError,
    db::DbError,
    error::{ApiError, FieldError, chain},
    pools::WorkLost,
};
use storage::StorageError;

use super::{address::BadAddress, dkim::DkimError, render::RenderError};

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Dkim(#[from] DkimError),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("stored JSON is not what it should be")]
    Json(#[from] serde_json::Error),
    /// It cannot be written as MIME.
    #[error("the message cannot be composed")]
    Compose(#[source] anyhow::Error),
    #[error(transparent)]
    Work(#[from] WorkLost),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    #[error("too many mails {0}: wait and try again")]
    Limited(&'static str, Duration),
    /// Code and text.
    #[error("{1}")]
    Conflict(&'static str, &'static str),
    #[error("at most {0} {1}")]
    TooMany(i64, &'static str),
    /// By the room whose file was asked for.
    #[error(transparent)]
    Refused(Box<ApiError>),
}

platform::from_sqlx!(MailError);

impl MailError {
    /// A single invalid field.
    pub fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }

    /// An invalid address in this field.
    pub fn bad_address(pointer: &str, error: BadAddress) -> Self {
        Self::invalid(pointer, "invalid", error.to_string())
    }
}

/// Whether the same may be right later: when a domain is verified, a template or a document is there, a setting is changed, or by the time.
fn is_passing(error: &FieldError) -> bool {
    matches!(
        (error.pointer.as_str(), error.code.as_ref()),
        ("/from", "required") | (_, "not_found" | "not_verified" | "too_late" | "unknown")
    )
}

impl From<MailError> for ApiError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Db(error) => error.into(),
            MailError::Jobs(error) => error.into(),
            MailError::Storage(error) => error.into(),
            MailError::Render(error) => {
                let field = FieldError::new("/template", "cannot_render", chain(&error));
                // The template may be repaired.
                Self { is_passing: true, ..Self::validation(vec![field]) }
            }
            MailError::NotFound(what) => Self::not_found(what),
            MailError::Invalid(errors) => {
                Self { is_passing: errors.iter().any(is_passing), ..Self::validation(errors) }
            }
            MailError::Limited(_, wait) => Self { detail: error.to_string(), ..Self::too_many(wait) },
            MailError::Conflict(code, detail) => Self::conflict(code, detail),
            MailError::Refused(error) => *error,
            MailError::TooMany(..) => Self::conflict("too_many", error.to_string()),
            error @ (MailError::Seal(_)
            | MailError::Dkim(_)
            | MailError::Json(_)
            | MailError::Compose(_)
            | MailError::Work(_)) => Self::internal(error),
        }
    }
}
