//! What comes with versions, uploads, links and access keys: its signatures, so that the surfaces can be written against them. Each answers that it
//! cannot be done yet, and leaves this file when it can.

#![allow(clippy::unused_async, clippy::unused_self, reason = "signatures of what is still to be written")]

use std::ops::Range;

use bytes::Bytes;
use futures::Stream;

use super::Files;
use crate::{
    Bucket, Caller, Conditions, CopyObject, Deleted, FileLink, FilesError, Key, ListUploads, ListVersions,
    ListedVersions, Lock, NewFileLink, NewUpload, Object, PartWant, Tags, Upload, UploadId, UploadPart, VersionRef,
    Written,
};
use platform::http::Slice;
use storage::DigestKind;

fn later<T>(what: &'static str) -> Result<T, FilesError> {
    Err(FilesError::Unsupported(what))
}

impl Files {
    /// Metadata only: within one organisation, without touching the content.
    pub async fn copy(
        &self,
        _who: &Caller,
        _from: (&Bucket, &Object),
        _to: (&Bucket, Key),
        _new: CopyObject,
    ) -> Result<Written, FilesError> {
        later("copying")
    }

    pub async fn rename(
        &self,
        _who: &Caller,
        _from: (&Bucket, &Key),
        _to: (&Bucket, Key),
        _replace: bool,
    ) -> Result<Written, FilesError> {
        later("copying")
    }

    /// At most 1000.
    pub async fn delete_many(
        &self,
        _who: &Caller,
        _bucket: &Bucket,
        _keys: Vec<(Key, Option<VersionRef>)>,
    ) -> Result<Vec<Result<Deleted, FilesError>>, FilesError> {
        later("versioning")
    }

    pub async fn list_versions(
        &self,
        _who: &Caller,
        _bucket: &Bucket,
        _query: &ListVersions,
    ) -> Result<ListedVersions, FilesError> {
        later("versioning")
    }

    pub async fn set_tags(&self, _who: &Caller, _object: &Object, _tags: Tags) -> Result<Object, FilesError> {
        later("versioning")
    }

    pub async fn set_lock(&self, _who: &Caller, _object: &Object, _lock: Option<Lock>) -> Result<Object, FilesError> {
        later("versioning")
    }

    pub async fn set_hold(&self, _who: &Caller, _object: &Object, _hold: bool) -> Result<Object, FilesError> {
        later("versioning")
    }

    pub async fn begin_upload(
        &self,
        _who: &Caller,
        _bucket: &Bucket,
        _key: Key,
        _new: NewUpload,
    ) -> Result<Upload, FilesError> {
        later("an upload in parts")
    }

    pub async fn upload(&self, _who: &Caller, _id: UploadId) -> Result<Upload, FilesError> {
        later("an upload in parts")
    }

    pub async fn list_uploads(
        &self,
        _who: &Caller,
        _bucket: &Bucket,
        _query: &ListUploads,
    ) -> Result<Vec<Upload>, FilesError> {
        later("an upload in parts")
    }

    /// Replaces a part of the same number.
    pub async fn put_part<S, E>(
        &self,
        _who: &Caller,
        _upload: &Upload,
        _number: i32,
        _data: S,
        _want: PartWant,
    ) -> Result<UploadPart, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        later("an upload in parts")
    }

    pub async fn copy_part(
        &self,
        _who: &Caller,
        _upload: &Upload,
        _number: i32,
        _from: (&Bucket, &Object),
        _range: Option<Range<u64>>,
    ) -> Result<UploadPart, FilesError> {
        later("an upload in parts")
    }

    /// Adds bytes at an offset (tus); returns the new one.
    pub async fn append<S, E>(
        &self,
        _who: &Caller,
        _upload: &Upload,
        _at: u64,
        _data: S,
        _digest: Option<(DigestKind, Vec<u8>)>,
    ) -> Result<u64, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        later("an upload in parts")
    }

    pub async fn list_parts(
        &self,
        _who: &Caller,
        _upload: &Upload,
        _after: i32,
        _most: i32,
    ) -> Result<Vec<UploadPart>, FilesError> {
        later("an upload in parts")
    }

    /// `parts`: number and etag of each, in order; `None`: all that came.
    pub async fn complete(
        &self,
        _who: &Caller,
        _upload: &Upload,
        _parts: Option<&[(i32, String)]>,
        _when: &Conditions,
    ) -> Result<Written, FilesError> {
        later("an upload in parts")
    }

    pub async fn abort(&self, _who: &Caller, _upload: &Upload) -> Result<(), FilesError> {
        later("an upload in parts")
    }

    /// The link, and the token that is its address.
    pub async fn create_link(&self, _who: &Caller, _new: NewFileLink) -> Result<(FileLink, String), FilesError> {
        later("sharing")
    }

    pub async fn links(&self, _who: &Caller, _slice: &Slice) -> Result<Vec<FileLink>, FilesError> {
        later("sharing")
    }
}
