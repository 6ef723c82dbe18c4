//! Errors of files. Each surface maps all of them to its own codes: the API here, S3 in package `s3`.

use std::time::Duration;

use axum::http::StatusCode;

use crate::{KeyProblem, TokenError, VersionId, Why};
use images::ImageError;
use jobs::JobsError;
use platform::{
    crypto::SealError,
    db::DbError,
    error::{ApiError, FieldError},
};
use storage::{InventoryError, StorageError};

#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("there is no such bucket")]
    BucketNotFound,
    #[error("there is no such object")]
    ObjectNotFound,
    #[error("there is no such version")]
    VersionNotFound,
    #[error("there is no such upload")]
    UploadNotFound,
    #[error("there is no such access key")]
    AccessKeyNotFound,
    #[error("there is no such link")]
    LinkNotFound,
    /// The version is a delete marker.
    #[error("this version says that the object was deleted")]
    Marker { id: VersionId },
    #[error(transparent)]
    Denied(#[from] Why),
    /// Bytes or objects that the organisation, or the bucket, may have; and how much of it is trash.
    #[error("the quota of {limit} {what} is used up; {trash} of them are in the trash")]
    Quota { what: &'static str, limit: i64, trash: i64 },
    #[error("more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the object is not as the condition asks")]
    Precondition,
    /// Beyond the end.
    #[error("the range is beyond the end of {size} bytes")]
    Range { size: u64 },
    #[error("this version is locked: {0}")]
    Locked(String),
    #[error("there is such an object already")]
    Exists,
    #[error("the organisation has a bucket of this name")]
    BucketExists,
    #[error("the bucket has objects, versions or uploads")]
    NotEmpty,
    #[error(transparent)]
    Key(#[from] KeyProblem),
    #[error("this bucket does not take files of the type {found}")]
    Type { found: String },
    /// A hash that the client sent is not that of the content.
    #[error("the content has another {named} than was sent with it")]
    Digest { named: &'static str },
    #[error("{got} bytes came instead of {expected}")]
    Incomplete { expected: u64, got: u64 },
    #[error("the parts are not in ascending order")]
    PartOrder,
    #[error("part {number} is too small")]
    PartTooSmall { number: i32 },
    #[error("there is no part {number} with this etag")]
    PartUnknown { number: i32 },
    #[error("the upload has {expected} bytes")]
    Offset { expected: u64 },
    #[error("the upload has ended")]
    Ended,
    #[error("the stored content is damaged")]
    Damaged,
    #[error("the virus scanner has found something in this file")]
    Quarantined,
    #[error("this file waits for the virus scanner")]
    NotScanned,
    #[error("the same content is being deleted: try again")]
    Busy,
    #[error("this token was used")]
    Spent,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("{0} cannot be done yet")]
    Unsupported(&'static str),
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("readers of this bucket may have its images {0}")]
    ImageRights(&'static str),
    #[error("too many new images are asked for: wait a little")]
    Limited { retry_after: Duration },
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A room cannot say which objects it expects.
    #[error(transparent)]
    Inventory(InventoryError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error("claims cannot be written")]
    Json(#[from] serde_json::Error),
    #[error("a row has the text {0}, which this version does not know")]
    Row(String),
    #[error(transparent)]
    Db(#[from] DbError),
}

platform::from_sqlx!(FilesError);

impl FilesError {
    /// A single invalid field.
    pub fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }

    /// Of a read of bytes that a row names: what is missing is damage, whatever the store says.
    pub(crate) fn of_read(error: StorageError) -> Self {
        match error {
            StorageError::NotFound | StorageError::Damaged => Self::Damaged,
            error => Self::Storage(error),
        }
    }

    /// Whether the database may have done what was asked all the same: the answer to a commit was lost.
    pub fn is_of_database(&self) -> bool {
        matches!(self, Self::Db(_) | Self::Jobs(_))
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        use FilesError as E;
        let text = error.to_string();
        match error {
            E::BucketNotFound => Self::not_found("bucket"),
            E::ObjectNotFound | E::Marker { .. } => Self::not_found("object"),
            E::VersionNotFound => Self::not_found("version"),
            E::UploadNotFound => Self::not_found("upload"),
            E::AccessKeyNotFound => Self::not_found("access_key"),
            E::LinkNotFound => Self::not_found("link"),
            E::Denied(Why::Nobody) => Self::unauthorized(text),
            E::Denied(_) => Self::forbidden(text),
            E::Quota { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "quota_exceeded", text),
            E::TooLarge { .. } => Self::payload_too_large(text),
            E::Precondition => Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", text),
            E::Range { .. } => Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", text),
            E::Locked(_) => Self::conflict("locked", text),
            E::Exists => Self::conflict("object_exists", text),
            E::BucketExists => Self::conflict("bucket_exists", text),
            E::NotEmpty => Self::conflict("not_empty", text),
            E::Key(_) => Self::bad_request("key_invalid", text),
            E::Type { .. } => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "type_refused", text),
            E::Digest { .. } => Self::bad_request("digest_mismatch", text),
            E::Incomplete { .. } => Self::bad_request("incomplete_body", text),
            E::PartOrder => Self::bad_request("part_order", text),
            E::PartTooSmall { .. } => Self::bad_request("part_too_small", text),
            E::PartUnknown { .. } => Self::bad_request("part_unknown", text),
            E::Offset { .. } => Self::conflict("wrong_offset", text),
            E::Ended => Self::new(StatusCode::GONE, "upload_ended", text),
            E::Damaged => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "object_damaged", text),
            E::Quarantined => Self::new(StatusCode::FORBIDDEN, "quarantined", text),
            E::NotScanned => Self::conflict("not_scanned", text),
            E::Busy => Self::unavailable(Duration::from_secs(5), text),
            E::Spent => Self::new(StatusCode::FORBIDDEN, "token_used", text),
            E::Token(TokenError::Expired) => Self::new(StatusCode::FORBIDDEN, "token_expired", text),
            E::Token(TokenError::Invalid) => Self::new(StatusCode::FORBIDDEN, "token_invalid", text),
            E::Unsupported(_) => Self::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", text),
            E::Invalid(errors) => Self::validation(errors),
            E::Image(error) => of_image(&error, text),
            E::ImageRights(_) => Self::new(StatusCode::FORBIDDEN, "image_options_refused", text),
            E::Limited { retry_after } => Self::too_many(retry_after),
            E::Storage(error) => error.into(),
            E::Jobs(error) => error.into(),
            E::Db(error) if error.constraint() == Some("files_objects_locked") => {
                Self::conflict("locked", "a version is locked")
            }
            E::Db(error) => error.into(),
            error @ (E::Inventory(_) | E::Seal(_) | E::Json(_) | E::Row(_)) => Self::internal(error),
        }
    }
}

fn of_image(error: &ImageError, text: String) -> ApiError {
    match error {
        ImageError::Format | ImageError::Avif => {
            ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "image_format", text)
        }
        ImageError::Refused { .. } => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "image_too_large", text),
        ImageError::Malformed => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "image_damaged", text),
        ImageError::Crop { .. } => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "image_crop", text),
        ImageError::Busy => ApiError::unavailable(Duration::from_secs(2), text),
        // What the child said is for the operator.
        ImageError::Child(_) => {
            ApiError::unavailable(Duration::from_secs(5), "the image could not be made").with_source(error.clone())
        }
    }
}
