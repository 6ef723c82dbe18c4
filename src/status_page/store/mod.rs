//! The only SQL of status pages. Plain functions on a transaction.
//!
//! One file for each subject: `pages.rs`, `parts.rs` (groups, components, domains of pages), `subscribers.rs`, `renders.rs`.

pub mod domains;
pub mod pages;
pub mod parts;
pub mod renders;
pub mod subscribers;
