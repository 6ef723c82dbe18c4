//! What can go wrong with an object.

use std::time::Duration;

use crate::platform::{
    db::DbError,
    error::{ApiError, is_disk_full},
    http::unreadable_body,
};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Which one, the caller knows by its key; the store's own words would show folders of the server.
    #[error("the object is not in the object store")]
    NotFound,
    /// The stream held more than the caller allows, bytes.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// The stream that was to be stored broke off.
    #[error("the data to store ended early")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("not a key: {0}")]
    Key(String),
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
    #[error("the object store's folder failed")]
    Folder(#[from] std::io::Error),
    /// Nothing is deleted now; the caller comes again, or leaves it to a job that does.
    #[error("a backup is being made: no file is deleted until it is done")]
    Held,
    #[error("the right to delete files was lost half-way (did the database restart?)")]
    GuardLost,
    #[error("the right to delete files could not be asked for")]
    Guard(#[from] DbError),
}

impl StorageError {
    /// Whether the store answered and said no: wrong keys, or no such bucket. Waiting does not help then.
    pub fn is_refusal(&self) -> bool {
        match self {
            // Room may be made; a start without it can still be signed in to.
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
            Self::TooLarge(_) | Self::Body(_) | Self::Key(_) | Self::Held | Self::GuardLost | Self::Guard(_) => false,
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
            StorageError::Key(_) => Self::internal(error),
        }
    }
}

/// A listing's status is in its message only: `object_store` sorts refusals out for single objects, not for lists.
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
