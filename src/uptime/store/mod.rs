//! The only SQL of monitors. Plain functions on a transaction.
//!
//! One file for each subject: `monitors.rs`, `state.rs`, `spans.rs`, `checks.rs`, `beats.rs`, `rollups.rs`, `windows.rs`, `file.rs`, `imports.rs`,
//! `upkeep.rs`. Addresses are cast, because this build reads no `inet`: `address::text` and `$1::text[]::inet[]`.

pub mod upkeep;
