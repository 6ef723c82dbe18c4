//! Knowledge bases: documents in, passages out.
//!
//! An uploaded file becomes an object and a row; jobs read it (in a child process), cut it into passages, embed them and
//! write them to the base's LanceDB table; a search asks that table for ids and PostgreSQL for text and permission.
//! PostgreSQL and the objects are the truth: the index is made from them, checked against them and rebuilt from them.
//!
//! Owns `knowledge_bases`, `knowledge_documents`, `knowledge_texts`, `knowledge_chunks`, the objects in the
//! folder `org` (`<org>/kb/<base>/doc/<document>/original`), and the LanceDB tables. Jobs: `knowledge.extract`, `knowledge.embed`, `knowledge.sync`,
//! `knowledge.optimize`, `knowledge.selftest`, `knowledge.reconcile`. Metrics: `holdfast_knowledge_*`.

mod config;
mod doctor;
mod error;
mod events;
pub mod extract;
pub mod index;
mod jobs;
mod metrics;
mod model;
pub mod pages;
mod participant;
pub mod routes;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::KnowledgeError;
pub use events::EVENTS;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{
    ChunkId, Document, DocumentId, DocumentStatus, KnowledgeBase, KnowledgeBaseId, OBJECTS, SearchFound, SearchHit,
    SearchMode, SearchRequest, with_table_header,
};
pub use participant::{VECTORS, Vectors};
pub use service::{Deps, Knowledge, MAX_QUERY_CHARS};
