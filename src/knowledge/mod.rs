//! Knowledge bases: documents in, passages out.

pub mod extract;
pub mod index;
