//! Errors: their codes, statuses and shape.

use std::{io, time::Duration};

use axum::body::to_bytes;
use files::{FilesError, KeyProblem, TokenError, Verb, VersionId, Why};
use platform::{crypto::SealError, error::FieldError};
use storage::StorageError;
use uuid::Uuid;

use crate::errors::{CODES, NO_SUCH_KEY, S3Error, SLOW_DOWN};

#[test]
fn codes_are_amazons_and_their_statuses_are_errors() {
    for code in CODES {
        assert!(code.status.is_client_error() || code.status.is_server_error(), "{code:?}");
        assert!(code.name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !code.text.is_empty(), "{code:?}");
    }
}

#[test]
fn every_error_of_files_has_a_code() {
    use FilesError as E;
    let io = || io::Error::other("broken");
    for (error, code, status) in [
        (E::BucketNotFound, "NoSuchBucket", 404),
        (E::ObjectNotFound, "NoSuchKey", 404),
        (E::VersionNotFound, "NoSuchVersion", 404),
        (E::UploadNotFound, "NoSuchUpload", 404),
        (E::LinkNotFound, "NoSuchKey", 404),
        (E::ImageRights("in no other form"), "InvalidRequest", 400),
        (E::Limited { retry_after: Duration::from_secs(1) }, "SlowDown", 503),
        (E::Ended, "NoSuchUpload", 404),
        (E::Marker { id: VersionId(Uuid::nil()) }, "MethodNotAllowed", 405),
        (E::Denied(Why::AccessKey(Verb::Write)), "AccessDenied", 403),
        (E::Quota { what: "bytes", limit: 1, trash: 0 }, "QuotaExceeded", 403),
        (E::Quota { what: "buckets", limit: 1, trash: 0 }, "TooManyBuckets", 400),
        (E::TooLarge { limit: 1 }, "EntityTooLarge", 400),
        (E::Precondition, "PreconditionFailed", 412),
        (E::Exists, "PreconditionFailed", 412),
        (E::Range { size: 1 }, "InvalidRange", 416),
        (E::Locked(String::new()), "AccessDenied", 403),
        (E::BucketExists, "BucketAlreadyOwnedByYou", 409),
        (E::NotEmpty, "BucketNotEmpty", 409),
        (E::Key(KeyProblem::TooLong(1025)), "KeyTooLongError", 400),
        (E::Key(KeyProblem::Nul(0)), "InvalidArgument", 400),
        (E::Type { found: String::new() }, "InvalidRequest", 400),
        (E::Digest { named: "sha256" }, "XAmzContentSHA256Mismatch", 400),
        (E::Digest { named: "crc32" }, "BadDigest", 400),
        (E::Incomplete { expected: 1, got: 0 }, "IncompleteBody", 400),
        (E::PartOrder, "InvalidPartOrder", 400),
        (E::PartTooSmall { number: 1 }, "EntityTooSmall", 400),
        (E::PartUnknown { number: 1 }, "InvalidPart", 400),
        (E::Offset { expected: 1 }, "InvalidRequest", 400),
        (E::Damaged, "InternalError", 500),
        (E::Quarantined, "AccessDenied", 403),
        (E::NotScanned, "AccessDenied", 403),
        (E::Busy, "OperationAborted", 409),
        (E::Spent, "AccessDenied", 403),
        (E::Token(TokenError::Expired), "AccessDenied", 403),
        (E::Unsupported("this"), "NotImplemented", 501),
        (E::Invalid(vec![FieldError::new("/a", "invalid", "b")]), "InvalidArgument", 400),
        (E::Seal(SealError), "InternalError", 500),
        (E::Row(String::new()), "InternalError", 500),
        (E::AccessKeyNotFound, "InvalidAccessKeyId", 403),
        (E::Storage(StorageError::Held), "ServiceUnavailable", 503),
        (E::Storage(StorageError::Folder(io())), "ServiceUnavailable", 503),
        (E::Storage(StorageError::Folder(io::ErrorKind::StorageFull.into())), "XMinioStorageFull", 507),
        (E::Storage(StorageError::TooLarge(1)), "EntityTooLarge", 400),
        (E::Storage(StorageError::Damaged), "InternalError", 500),
        (E::Storage(StorageError::Body(Box::new(io()))), "IncompleteBody", 400),
        // What the body's own stream said.
        (E::Storage(StorageError::Body(Box::new(SLOW_DOWN.error()))), "SlowDown", 503),
    ] {
        let text = format!("{error:?}");
        let told = S3Error::from(error);
        assert_eq!((told.code, told.status.as_u16()), (code, status), "{text}");
    }
}

#[tokio::test]
async fn an_error_says_where_and_which_request() {
    let error = NO_SUCH_KEY.with("a <b> & c\u{1}").about("Key", "k\"");
    let response = error.response("/bucket/a&b", "0123");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (404, &"application/xml".parse().unwrap())
    );
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let expected = "<Error><Code>NoSuchKey</Code><Message>a &lt;b&gt; &amp; c&#x1;</Message><Key>k&quot;</Key>\
        <Resource>/bucket/a&amp;b</Resource><RequestId>0123</RequestId><HostId>holdfast</HostId></Error>";
    assert!(String::from_utf8(body.to_vec()).unwrap().ends_with(expected), "{body:?}");
    let marker = S3Error::from(FilesError::Marker { id: VersionId(Uuid::nil()) }).response("/b/k", "0");
    assert_eq!(marker.headers()["x-amz-delete-marker"], "true");
    assert_eq!(marker.headers()["x-amz-version-id"], Uuid::nil().to_string().as_str());
    assert_eq!(SLOW_DOWN.error().response("/", "").headers()["retry-after"], "5");
}
