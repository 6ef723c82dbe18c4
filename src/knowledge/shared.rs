//! Documents as files for other rooms.

use async_trait::async_trait;
use uuid::Uuid;

use super::{DocumentId, Knowledge, KnowledgeBaseId, KnowledgeError, READ, model::media_type};
use platform::{error::ApiError, http::Principal};
use storage::{SharedFile, SharedFiles};

/// The originals of documents. A folder is a knowledge base.
#[async_trait]
impl SharedFiles for Knowledge {
    async fn open(&self, who: &Principal, folder: &str, file: &str) -> Result<Option<SharedFile>, ApiError> {
        who.require(READ)?;
        let (Ok(base), Ok(id)) = (folder.parse::<Uuid>(), file.parse::<Uuid>()) else { return Ok(None) };
        match self.original(who.org_id, KnowledgeBaseId(base), DocumentId(id)).await {
            Ok((document, object)) => {
                let content_type = media_type(&document.kind).to_owned();
                Ok(Some(SharedFile { name: document.filename, content_type, object }))
            }
            Err(KnowledgeError::BaseNotFound | KnowledgeError::DocumentNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
