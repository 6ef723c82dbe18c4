//! Files of a room of which another room may take copies, for somebody who may read them.
//!
//! The trait is here rather than in the room that takes the copies, because the room that has the files may not import that one: knowledge's
//! documents are attached to mail.

use async_trait::async_trait;

use super::Object;
use platform::{error::ApiError, http::Principal};

/// A file to copy.
pub struct SharedFile {
    pub name: String,
    /// Media type.
    pub content_type: String,
    pub object: Object,
}

/// What a room hands over.
#[async_trait]
pub trait SharedFiles: Send + Sync {
    /// The file `file` of `folder`, by the ids that the API gives them. `None` if the caller's organisation has no such file. Err if the caller may not
    /// read such files.
    async fn open(&self, who: &Principal, folder: &str, file: &str) -> Result<Option<SharedFile>, ApiError>;
}
