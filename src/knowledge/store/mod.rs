//! The only SQL of knowledge. Functions take a tenant transaction's connection unless they say `system`.

pub mod bases;
pub mod chunks;
pub mod documents;
pub mod system;
