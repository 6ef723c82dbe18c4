//! Errors of knowledge and their HTTP mapping.

use std::time::Duration;

use super::{extract::Unsupported, index::IndexError};
use jobs::JobsError;
use llm::LlmError;
use platform::{
    db::DbError,
    error::{ApiError, FieldError, is_disk_full},
    pools::WorkLost,
};
use storage::StorageError;

#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    #[error("no such knowledge base")]
    BaseNotFound,
    #[error("no such document")]
    DocumentNotFound,
    #[error("a knowledge base of this name exists")]
    BaseNameTaken,
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// The file is not of a supported kind.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    #[error("the document has not failed")]
    NotFailed,
    #[error("the document is already being read")]
    BeingRead,
    /// Another writer holds the base's index lock, or a backup blocks deletions.
    #[error("the index of the knowledge base is locked by another process or a running backup")]
    Busy,
    #[error("storing the document failed")]
    Storage(#[from] StorageError),
    #[error("the search index failed")]
    Index(#[from] IndexError),
    #[error("embedding failed")]
    Llm(#[from] LlmError),
    #[error("queueing the work failed")]
    Jobs(#[from] JobsError),
    #[error("the database failed")]
    Db(#[from] DbError),
    #[error("the task ended without a result")]
    Work(#[from] WorkLost),
}

platform::from_sqlx!(KnowledgeError);

impl KnowledgeError {
    /// A validation error for a single field.
    pub(super) fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }
}

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::BaseNotFound => Self::not_found("knowledge_base"),
            KnowledgeError::DocumentNotFound => Self::not_found("document"),
            KnowledgeError::BaseNameTaken => Self {
                errors: vec![FieldError::new("/name", "base_name_taken", "a knowledge base of this name exists")],
                ..Self::conflict("base_name_taken", "a knowledge base of this name exists; choose another")
            },
            KnowledgeError::Invalid(fields) => Self::validation(fields),
            KnowledgeError::Unsupported(why) => {
                let reason = match why {
                    Unsupported::Empty => "empty",
                    Unsupported::LegacyWord => "legacy_word",
                    Unsupported::EncryptedOffice => "encrypted_office",
                    Unsupported::Other(_) => "other_kind",
                };
                let errors = vec![FieldError::new("/file", reason, why.to_string())];
                Self { errors, ..Self::unsupported_media_type(why.to_string()) }
            }
            KnowledgeError::NotFailed => Self::conflict("document_not_failed", "only a failed document can be retried"),
            KnowledgeError::BeingRead => {
                Self::conflict("document_being_read", "the document is already being read: wait until it is ready")
            }
            KnowledgeError::Storage(error) => error.into(),
            KnowledgeError::Llm(error) => error.into(),
            KnowledgeError::Jobs(error) => error.into(),
            KnowledgeError::Db(error) => error.into(),
            KnowledgeError::Busy => {
                Self::unavailable(Duration::from_secs(2), "the knowledge base is busy").with_source(error)
            }
            KnowledgeError::Index(_) if is_disk_full(&error) => Self::disk_full("the search index").with_source(error),
            KnowledgeError::Index(_) => {
                Self::unavailable(Duration::from_secs(5), "the search index is temporarily unreachable")
                    .with_source(error)
            }
            KnowledgeError::Work(_) => Self::internal(error),
        }
    }
}
