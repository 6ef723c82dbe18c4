//! The events of knowledge.

use serde::Serialize;
use utoipa::ToSchema;

use super::{DocumentId, KnowledgeBaseId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[
    EventType::of::<DocumentReady>(),
    EventType::of::<DocumentFailed>(),
    EventType::of::<DocumentDeleted>(),
    EventType::of::<BaseDeleted>(),
];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventDocumentReady)]
pub struct DocumentReady {
    pub document_id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
    /// It was indexed without vectors, because the embedding model was unavailable.
    pub words_only: bool,
}

impl Event for DocumentReady {
    const TOPIC: &'static str = "knowledge.document.ready";
    const ABOUT: &'static str = "A document was read and can be found by searches.";
    fn key(&self) -> String {
        self.document_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventDocumentFailed)]
pub struct DocumentFailed {
    pub document_id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
    /// The `failure_code` of the document.
    pub code: String,
}

impl Event for DocumentFailed {
    const TOPIC: &'static str = "knowledge.document.failed";
    const ABOUT: &'static str = "A document could not be read or indexed.";
    fn key(&self) -> String {
        self.document_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventDocumentDeleted)]
pub struct DocumentDeleted {
    pub document_id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
}

impl Event for DocumentDeleted {
    const TOPIC: &'static str = "knowledge.document.deleted";
    const ABOUT: &'static str = "A document was deleted.";
    fn key(&self) -> String {
        self.document_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventKnowledgeBaseDeleted)]
pub struct BaseDeleted {
    pub knowledge_base_id: KnowledgeBaseId,
}

impl Event for BaseDeleted {
    const TOPIC: &'static str = "knowledge.base.deleted";
    const ABOUT: &'static str =
        "A knowledge base was deleted with all of its documents, which have no event of their own.";
    fn key(&self) -> String {
        self.knowledge_base_id.to_string()
    }
}
