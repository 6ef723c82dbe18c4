//! Errors of notes.

use platform::{
    db::DbError,
    error::{ApiError, FieldError},
};

#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    #[error("no such note")]
    NotFound,
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Db(#[from] DbError),
}

platform::from_sqlx!(NotesError);

impl From<NotesError> for ApiError {
    fn from(error: NotesError) -> Self {
        match error {
            NotesError::NotFound => Self::not_found("note"),
            NotesError::Invalid(errors) => Self::validation(errors),
            NotesError::Db(error) => error.into(),
        }
    }
}
