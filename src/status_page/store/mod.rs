//! The only SQL of status pages. Plain functions on a transaction.
//!
//! One file for each subject: `pages.rs`, `subscribers.rs`, `renders.rs`, `domains.rs`.

pub mod subscribers;
