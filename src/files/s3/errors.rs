//! Errors in S3's shape: one table of codes, and what each error of files is among them.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use crate::xml::Xml;
use files::{FilesError, TokenError, VersionId};
use platform::{
    db::DbError,
    error::{ApiError, chain, is_disk_full},
};
use storage::StorageError;

/// A code of the S3 API: its name, its status, and what it says where nothing better is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub name: &'static str,
    pub status: StatusCode,
    pub text: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal $status:ident $text:literal;)+) => {
        $(pub(crate) const $constant: Code = Code { name: $name, status: StatusCode::$status, text: $text };)+

        #[cfg(test)]
        pub(crate) const CODES: &[Code] = &[$($constant),+];
    };
}

codes! {
    ACCESS_DENIED = "AccessDenied" FORBIDDEN "Access Denied";
    ACL_NOT_SUPPORTED = "AccessControlListNotSupported" BAD_REQUEST "The bucket does not allow ACLs: rights are given by rules of the bucket and by access keys";
    BAD_DIGEST = "BadDigest" BAD_REQUEST "The hash that you sent is not that of the content";
    BUCKET_NOT_EMPTY = "BucketNotEmpty" CONFLICT "The bucket you tried to delete is not empty";
    CONTENT_SHA256_MISMATCH = "XAmzContentSHA256Mismatch" BAD_REQUEST "The provided 'x-amz-content-sha256' header does not match what was computed";
    CORS_FORBIDDEN = "AccessForbidden" FORBIDDEN "CORSResponse: this CORS request is not allowed";
    ENTITY_TOO_LARGE = "EntityTooLarge" BAD_REQUEST "Your proposed upload exceeds the maximum allowed size";
    ENTITY_TOO_SMALL = "EntityTooSmall" BAD_REQUEST "Your proposed upload is smaller than the minimum allowed size";
    ILLEGAL_VERSIONING = "InvalidBucketState" CONFLICT "The state of the bucket does not permit this";
    INCOMPLETE_BODY = "IncompleteBody" BAD_REQUEST "The body has fewer bytes than the headers say, or other ones";
    INTERNAL = "InternalError" INTERNAL_SERVER_ERROR "We encountered an internal error. Please try again.";
    INVALID_ACCESS_KEY = "InvalidAccessKeyId" FORBIDDEN "The access key id you provided does not exist in our records";
    INVALID_ARGUMENT = "InvalidArgument" BAD_REQUEST "Invalid argument";
    INVALID_BUCKET_NAME = "InvalidBucketName" BAD_REQUEST "The specified bucket is not valid";
    INVALID_DIGEST = "InvalidDigest" BAD_REQUEST "The Content-MD5 or checksum value that you specified is not valid";
    INVALID_PART = "InvalidPart" BAD_REQUEST "One or more of the specified parts could not be found, or their entity tags do not match";
    INVALID_PART_ORDER = "InvalidPartOrder" BAD_REQUEST "The list of parts was not in ascending order";
    INVALID_POLICY = "InvalidPolicyDocument" BAD_REQUEST "The content of the form does not meet the conditions specified in the policy document";
    INVALID_RANGE = "InvalidRange" RANGE_NOT_SATISFIABLE "The requested range is not satisfiable";
    INVALID_REQUEST = "InvalidRequest" BAD_REQUEST "Invalid request";
    INVALID_RETENTION = "InvalidRetentionPeriod" BAD_REQUEST "The retention period must be in the future, and within a hundred years";
    INVALID_STORAGE_CLASS = "InvalidStorageClass" BAD_REQUEST "There is one storage class here: STANDARD";
    INVALID_TAG = "InvalidTag" BAD_REQUEST "The tag is not valid";
    INVALID_TOKEN = "InvalidToken" BAD_REQUEST "There are no temporary credentials here";
    INVALID_URI = "InvalidURI" BAD_REQUEST "Couldn't parse the specified URI";
    KEY_TOO_LONG = "KeyTooLongError" BAD_REQUEST "Your key is too long";
    MALFORMED_ACL = "MalformedACLError" BAD_REQUEST "The ACL that you provided was not well formed";
    MALFORMED_POST = "MalformedPOSTRequest" BAD_REQUEST "The body of your POST request is not well-formed multipart/form-data";
    MALFORMED_TRAILER = "MalformedTrailerError" BAD_REQUEST "The request contained trailing data that was not well-formed";
    MALFORMED_XML = "MalformedXML" BAD_REQUEST "The XML you provided was not well-formed or did not validate";
    MAX_MESSAGE = "MaxMessageLengthExceeded" BAD_REQUEST "Your request was too big";
    METADATA_TOO_LARGE = "MetadataTooLarge" BAD_REQUEST "Your metadata headers exceed the maximum allowed metadata size";
    METHOD_NOT_ALLOWED = "MethodNotAllowed" METHOD_NOT_ALLOWED "The specified method is not allowed against this resource";
    MISSING_LENGTH = "MissingContentLength" LENGTH_REQUIRED "You must provide the Content-Length HTTP header";
    MISSING_HEADER = "MissingSecurityHeader" BAD_REQUEST "Your request was missing a required header";
    NO_SUCH_BUCKET = "NoSuchBucket" NOT_FOUND "The specified bucket does not exist";
    NO_SUCH_BUCKET_POLICY = "NoSuchBucketPolicy" NOT_FOUND "The bucket policy does not exist";
    NO_SUCH_CORS = "NoSuchCORSConfiguration" NOT_FOUND "The CORS configuration does not exist";
    NO_SUCH_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError" NOT_FOUND "The server side encryption configuration was not found";
    NO_SUCH_KEY = "NoSuchKey" NOT_FOUND "The specified key does not exist.";
    NO_SUCH_LIFECYCLE = "NoSuchLifecycleConfiguration" NOT_FOUND "The lifecycle configuration does not exist";
    NO_SUCH_LOCK = "NoSuchObjectLockConfiguration" NOT_FOUND "The specified object does not have an object lock configuration";
    NO_SUCH_LOCK_CONFIGURATION = "ObjectLockConfigurationNotFoundError" NOT_FOUND "Object Lock configuration does not exist for this bucket";
    NO_SUCH_REPLICATION = "ReplicationConfigurationNotFoundError" NOT_FOUND "The replication configuration was not found";
    NO_SUCH_TAGS = "NoSuchTagSet" NOT_FOUND "The TagSet does not exist";
    NO_SUCH_UPLOAD = "NoSuchUpload" NOT_FOUND "The specified multipart upload does not exist";
    NO_SUCH_VERSION = "NoSuchVersion" NOT_FOUND "The specified version does not exist";
    NO_SUCH_WEBSITE = "NoSuchWebsiteConfiguration" NOT_FOUND "The specified bucket does not have a website configuration";
    NOT_IMPLEMENTED = "NotImplemented" NOT_IMPLEMENTED "A header or parameter you provided implies functionality that is not implemented";
    NOT_SCANNED = "AccessDenied" FORBIDDEN "This object waits for the virus scanner";
    OBJECT_LOCKED = "AccessDenied" FORBIDDEN "Access Denied because object protected by object lock";
    OPERATION_ABORTED = "OperationAborted" CONFLICT "A conflicting operation is in progress. Try again.";
    OWNED_BY_YOU = "BucketAlreadyOwnedByYou" CONFLICT "Your previous request to create the named bucket succeeded and you already own it";
    PRECONDITION_FAILED = "PreconditionFailed" PRECONDITION_FAILED "At least one of the pre-conditions you specified did not hold";
    QUOTA = "QuotaExceeded" FORBIDDEN "The quota is used up";
    REQUEST_TIMEOUT = "RequestTimeout" BAD_REQUEST "Your socket connection to the server was not read from or written to within the timeout period";
    SIGNATURE = "SignatureDoesNotMatch" FORBIDDEN "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SLOW_DOWN = "SlowDown" SERVICE_UNAVAILABLE "Please reduce your request rate";
    STORAGE_FULL = "XMinioStorageFull" INSUFFICIENT_STORAGE "The disk of this installation is full";
    TIME_TOO_SKEWED = "RequestTimeTooSkewed" FORBIDDEN "The difference between the request time and the server's time is too large";
    TOO_MANY_BUCKETS = "TooManyBuckets" BAD_REQUEST "You have attempted to create more buckets than allowed";
    UNAVAILABLE = "ServiceUnavailable" SERVICE_UNAVAILABLE "Please try again in a moment";
}

impl Code {
    pub(crate) fn error(self) -> S3Error {
        self.with(self.text)
    }

    pub(crate) fn with(self, message: impl Into<String>) -> S3Error {
        S3Error { status: self.status, code: self.name, message: message.into(), about: Vec::new(), marker: None }
    }
}

/// An error of the S3 API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct S3Error {
    pub status: StatusCode,
    /// As Amazon names it.
    pub code: &'static str,
    pub message: String,
    /// Further elements, such as `ServerTime`.
    pub(crate) about: Vec<(&'static str, String)>,
    /// The delete marker that was asked for.
    pub(crate) marker: Option<VersionId>,
}

impl S3Error {
    pub fn not_implemented(message: impl Into<String>) -> Self {
        NOT_IMPLEMENTED.with(message)
    }

    #[must_use]
    pub(crate) fn about(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.about.push((name, value.into()));
        self
    }

    /// `resource`: the path that was asked.
    pub(crate) fn response(&self, resource: &str, request_id: &str) -> Response {
        let mut xml = Xml::bare("Error");
        xml.text("Code", self.code).text("Message", &self.message);
        for (name, value) in &self.about {
            xml.text(name, value);
        }
        xml.text("Resource", resource).text("RequestId", request_id).text("HostId", "holdfast");
        let mut response = Response::new(xml.end().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        self.tell(headers);
        response
    }

    fn tell(&self, headers: &mut HeaderMap) {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if let Some(version) = self.marker {
            headers.insert(HeaderName::from_static("x-amz-delete-marker"), HeaderValue::from_static("true"));
            if let Ok(version) = HeaderValue::try_from(version.to_string()) {
                headers.insert(HeaderName::from_static("x-amz-version-id"), version);
            }
        }
    }
}

impl From<FilesError> for S3Error {
    fn from(error: FilesError) -> Self {
        use FilesError as E;
        let text = error.to_string();
        match error {
            E::BucketNotFound => NO_SUCH_BUCKET.error(),
            E::ObjectNotFound => NO_SUCH_KEY.error(),
            E::LinkNotFound => NO_SUCH_KEY.with(text),
            E::VersionNotFound => NO_SUCH_VERSION.error(),
            E::UploadNotFound | E::Ended => NO_SUCH_UPLOAD.error(),
            E::AccessKeyNotFound => INVALID_ACCESS_KEY.error(),
            E::Marker { id } => Self { marker: Some(id), ..METHOD_NOT_ALLOWED.with(text) },
            E::Denied(_) | E::Quarantined | E::Spent | E::Token(TokenError::Expired | TokenError::Invalid) => {
                ACCESS_DENIED.with(text)
            }
            E::Quota { what: "buckets", .. } => TOO_MANY_BUCKETS.with(text),
            E::Quota { .. } => QUOTA.with(text),
            E::TooLarge { limit } => ENTITY_TOO_LARGE.with(text).about("MaxSizeAllowed", limit.to_string()),
            E::Precondition | E::Exists => PRECONDITION_FAILED.error(),
            E::Range { size } => INVALID_RANGE.error().about("ActualObjectSize", size.to_string()),
            E::Locked(_) => OBJECT_LOCKED.with(text),
            E::BucketExists => OWNED_BY_YOU.error(),
            E::NotEmpty => BUCKET_NOT_EMPTY.error(),
            E::Key(files::KeyProblem::TooLong(_)) => KEY_TOO_LONG.with(text),
            E::Key(_) => INVALID_ARGUMENT.with(text),
            E::Type { .. } | E::Offset { .. } | E::Image(_) | E::ImageRights(_) => INVALID_REQUEST.with(text),
            E::Digest { named: "sha256" } => CONTENT_SHA256_MISMATCH.error(),
            E::Digest { .. } => BAD_DIGEST.with(text),
            E::Incomplete { .. } => INCOMPLETE_BODY.with(text),
            E::PartOrder => INVALID_PART_ORDER.error(),
            E::PartTooSmall { number } => ENTITY_TOO_SMALL.with(text).about("PartNumber", number.to_string()),
            E::PartUnknown { number } => INVALID_PART.error().about("PartNumber", number.to_string()),
            E::NotScanned => NOT_SCANNED.error(),
            E::Limited { .. } => SLOW_DOWN.with(text),
            E::Busy => OPERATION_ABORTED.with(text),
            E::Unsupported(_) => NOT_IMPLEMENTED.with(text),
            E::Invalid(errors) => {
                let all: Vec<_> = errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
                INVALID_ARGUMENT.with(all.join("; "))
            }
            E::Storage(error) => of_storage(error),
            E::Db(error) => of_database(error),
            error @ (E::Damaged | E::Inventory(_) | E::Seal(_) | E::Jobs(_) | E::Json(_) | E::Row(_)) => failed(&error),
        }
    }
}

/// What the body's own stream said, or what the store did.
fn of_storage(error: StorageError) -> S3Error {
    match error {
        StorageError::Body(source) => match source.downcast::<S3Error>() {
            Ok(error) => *error,
            Err(_) => INCOMPLETE_BODY.error(),
        },
        StorageError::TooLarge(limit) => ENTITY_TOO_LARGE.error().about("MaxSizeAllowed", limit.to_string()),
        error if is_disk_full(&error) => STORAGE_FULL.error(),
        StorageError::Held | StorageError::GuardLost | StorageError::Store(_) | StorageError::Folder(_) => {
            tracing::warn!(error = chain(&error), "the object store failed");
            UNAVAILABLE.error()
        }
        error => failed(&error),
    }
}

fn of_database(error: DbError) -> S3Error {
    if error.constraint() == Some("files_objects_locked") {
        return OBJECT_LOCKED.error();
    }
    // The house's own mapping knows what passes (a database that restarts) and what does not.
    let told = ApiError::from(error);
    let status = told.status;
    tracing::warn!(code = %told.code, source = told.source.as_ref().map(|error| format!("{error:#}")), "the database failed");
    if status == StatusCode::INSUFFICIENT_STORAGE {
        STORAGE_FULL.error()
    } else if status.is_server_error() && status != StatusCode::INTERNAL_SERVER_ERROR {
        UNAVAILABLE.error()
    } else {
        INTERNAL.error()
    }
}

/// A 500 says nothing; the log does.
fn failed(error: &(dyn std::error::Error + 'static)) -> S3Error {
    tracing::error!(error = chain(error), "a request of the S3 API failed");
    INTERNAL.error()
}

/// A body that ended early or came too slowly.
pub(crate) fn of_body<E: std::error::Error + Send + Sync + 'static>(error: E) -> S3Error {
    let told = platform::http::unreadable_body("the body ended early", error);
    if told.status == StatusCode::REQUEST_TIMEOUT { REQUEST_TIMEOUT.error() } else { INCOMPLETE_BODY.error() }
}
