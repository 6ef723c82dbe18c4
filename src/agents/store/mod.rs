//! The only SQL of agents. Functions take a tenant transaction's connection, unless they say `system`.

pub mod agents;
pub mod attachments;
pub mod branches;
pub mod conversations;
pub mod feedback;
pub mod pieces;
pub mod traces;
