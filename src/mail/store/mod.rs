//! The only SQL on the tables of mail.

pub mod bounces;
pub mod preferences;
pub mod sources;
