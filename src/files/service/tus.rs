//! Uploads by tus: bytes are added at the end, and with the last one the upload becomes an object.

use bytes::Bytes;
use futures::Stream;

use super::Files;
use crate::{Caller, Conditions, FilesError, Upload, UploadId, UploadKind};
use storage::DigestKind;

impl Files {
    /// An upload as its client shall see it. One whose last byte is there becomes an object first, or the answer is why it cannot: a client takes
    /// an upload with all of its bytes for done.
    pub async fn look_at_upload(&self, who: &Caller, id: UploadId) -> Result<Upload, FilesError> {
        let upload = self.upload(who, id).await?;
        if !is_due(&upload) {
            return Ok(upload);
        }
        self.complete(who, &upload, None, &Conditions::default()).await?;
        self.upload(who, id).await
    }

    /// Adds bytes at an offset; returns the new one. As [`Self::append`], and makes the object when all bytes are there.
    pub async fn append_and_finish<S, E>(
        &self,
        who: &Caller,
        upload: &Upload,
        at: u64,
        data: S,
        digest: Option<(DigestKind, Vec<u8>)>,
    ) -> Result<u64, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let end = self.append(who, upload, at, data, digest).await?;
        self.look_at_upload(who, upload.id).await?;
        Ok(end)
    }
}

/// Whether all bytes are there, and no object yet. Partial uploads wait for the final one.
fn is_due(upload: &Upload) -> bool {
    upload.kind == UploadKind::Tus && upload.ended_at.is_none() && upload.length == Some(upload.received)
}
