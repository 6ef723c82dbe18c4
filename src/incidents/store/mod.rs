//! The only SQL of incidents. Plain functions on a transaction.
//!
//! One file for each subject: `components.rs`, `incidents.rs`, `updates.rs`, `templates.rs`, `rota.rs`, `channels.rs`, `rules.rs`, `told.rs`,
//! `upkeep.rs`.

pub mod upkeep;
