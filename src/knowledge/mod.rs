//! Knowledge bases: documents in, search results out.
//!
//! An uploaded file becomes an object and a row. Jobs extract its text (in a child process), cut it into chunks, embed
//! them and write them to the base's LanceDB table. A search gets ids from that table, and text and permissions from
//! PostgreSQL. PostgreSQL and the object store are the source of truth: the index can always be checked against them
//! and rebuilt.
//!
//! Owns `knowledge_bases`, `knowledge_documents`, `knowledge_texts`, `knowledge_chunks`, the objects in the folder
//! `org` (`<org>/kb/<base>/doc/<document>/original`), and the LanceDB tables. Jobs: `knowledge.extract`,
//! `knowledge.embed`, `knowledge.sync`, `knowledge.optimize`, `knowledge.selftest`, `knowledge.reconcile`. Metrics:
//! `holdfast_knowledge_*`.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod config;
mod directory;
mod doctor;
mod error;
#[cfg(test)]
mod evaluation;
mod events;
mod inventory;
mod jobs;
mod metrics;
mod model;
mod module;
mod overview;
pub mod pages;
mod participant;
pub mod routes;
mod service;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod users;

pub use extraction as extract;
pub use vectors as index;

pub use config::Config;
pub use doctor::checks;
pub use error::KnowledgeError;
pub use events::EVENTS;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{
    ArmHit, ChunkId, Document, DocumentId, DocumentStatus, Explain, KnowledgeBase, KnowledgeBaseId, OBJECTS,
    SearchFound, SearchHit, SearchMode, SearchRequest, with_table_header,
};
pub use module::{Needs, READ, ROOM, WRITE, build};
pub use participant::{VECTORS, Vectors};
pub use service::{Deps, Knowledge, MAX_QUERY_CHARS};
pub use users::{BaseUser, Users};
