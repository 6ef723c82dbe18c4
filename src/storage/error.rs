//! Errors of the object store.

use std::time::Duration;

use axum::http::StatusCode;

use platform::{
    db::DbError,
    error::{ApiError, is_disk_full},
    http::unreadable_body,
    pools::WorkLost,
};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Without the key, which the caller knows, and without the store's own text, which may show folders of the server.
    #[error("the object is not in the object store")]
    NotFound,
    /// The stream exceeded the caller's limit, bytes.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// The stream to store failed.
    #[error("the data to store ended early")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("not a key: {0}")]
    Key(String),
    /// The store has fewer or other bytes than were written, as it says itself or as reading showed.
    #[error("the object in the object store is damaged")]
    Damaged,
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
    #[error("the object store's folder failed")]
    Folder(#[from] std::io::Error),
    #[error("work on a CPU pool was lost")]
    Work(#[from] WorkLost),
    /// Deletions are blocked; the caller retries or leaves it to a job.
    #[error("a backup is being made: no file is deleted until it is done")]
    Held,
    #[error("the permission to delete files was lost (did the database restart?)")]
    GuardLost,
    #[error("the permission to delete files could not be requested")]
    Guard(#[from] DbError),
}

impl StorageError {
    /// Whether the store refused access: wrong keys, or no such bucket. Waiting does not help then.
    pub fn is_refusal(&self) -> bool {
        match self {
            // Space may be freed, and users can sign in meanwhile.
            Self::Folder(_) if is_disk_full(self) => false,
            Self::NotFound | Self::Folder(_) => true,
            Self::Store(error) => {
                matches!(
                    error,
                    object_store::Error::PermissionDenied { .. }
                        | object_store::Error::Unauthenticated { .. }
                        | object_store::Error::UnknownConfigurationKey { .. }
                ) || refused_in_words(error)
            }
            Self::TooLarge(_)
            | Self::Body(_)
            | Self::Key(_)
            | Self::Damaged
            | Self::Work(_)
            | Self::Held
            | Self::GuardLost
            | Self::Guard(_) => false,
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Store(other),
        }
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::not_found("object").with_source(error),
            StorageError::TooLarge(limit) => Self::payload_too_large(format!("the file is larger than {limit} bytes")),
            StorageError::Body(_) => unreadable_body("the upload ended early", error),
            StorageError::Store(_) | StorageError::Folder(_) if is_disk_full(&error) => {
                Self::disk_full("the object store").with_source(error)
            }
            StorageError::Store(_) | StorageError::Folder(_) => {
                Self::unavailable(Duration::from_secs(5), "the object store is not reachable right now")
                    .with_source(error)
            }
            StorageError::Held => Self::unavailable(Duration::from_secs(60), error.to_string()),
            StorageError::GuardLost => {
                Self::unavailable(Duration::from_secs(5), "the database is not reachable right now").with_source(error)
            }
            StorageError::Guard(error) => error.into(),
            StorageError::Damaged => {
                let lost = "the stored content is damaged: the operator of this installation is told";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "object_damaged", lost).with_source(error)
            }
            StorageError::Key(_) | StorageError::Work(_) => Self::internal(error),
        }
    }
}

/// The status of a failed listing is only in its message: `object_store` classifies refusals for single objects only.
fn refused_in_words(error: &object_store::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if ["401", "403", "404"].iter().any(|status| text.contains(&format!("status code: {status}"))) {
            return true;
        }
        cause = error.source();
    }
    false
}
