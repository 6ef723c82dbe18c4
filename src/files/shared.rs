//! Objects of buckets as files for other rooms.

use async_trait::async_trait;

use super::{Caller, Files, FilesError, Key, READ};
use platform::{error::ApiError, http::Principal};
use storage::{Object, SharedFile, SharedFiles};

/// A folder is a bucket, by its name or its id, and a file an object's key.
#[async_trait]
impl SharedFiles for Files {
    async fn open(&self, who: &Principal, folder: &str, file: &str) -> Result<Option<SharedFile>, ApiError> {
        who.require(READ)?;
        let who = Caller::of(who);
        let Ok(key) = Key::parse(file) else { return Ok(None) };
        let found = async {
            let bucket = self.bucket(&who, folder).await?;
            let object = self.find(&who, &bucket, &key, None).await?;
            self.readable(&bucket, &object)?;
            let stream = self.open(&who, &object, None).await?;
            Ok::<_, FilesError>(SharedFile {
                name: key.file_name().to_owned(),
                content_type: object.content_type,
                object: Object { size: object.size, stream },
            })
        };
        match found.await {
            Ok(file) => Ok(Some(file)),
            Err(FilesError::BucketNotFound | FilesError::ObjectNotFound | FilesError::Marker { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
