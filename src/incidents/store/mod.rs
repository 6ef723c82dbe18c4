//! The only SQL of incidents. Plain functions on a transaction; `org` is the owner's (`None`: the installation), because role `system` sees all rows.
//!
//! One file for each subject: `components.rs`, `incidents.rs`, `causes.rs`, `updates.rs`, `templates.rs`, `rota.rs`, `channels.rs`, `rules.rs`,
//! `told.rs`, `figures.rs`, `upkeep.rs`.

pub mod causes;
pub mod channels;
pub mod components;
pub mod figures;
pub mod incidents;
pub mod rota;
pub mod rules;
pub mod templates;
pub mod told;
pub mod updates;
pub mod upkeep;
