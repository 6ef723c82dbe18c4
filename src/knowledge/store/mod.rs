//! The only SQL of knowledge. Functions take a tenant transaction's connection unless they say `system`.

pub mod bases;
pub mod chunks;
pub mod documents;
pub mod system;

/// Name of a base, or of a document with its base, and the subject of who made it.
pub struct Name {
    pub id: uuid::Uuid,
    pub base: Option<uuid::Uuid>,
    pub name: String,
    pub created_by: String,
}
