//! The only SQL of monitors. Plain functions on a transaction.
//!
//! Addresses are cast, because this build reads no `inet`: `host(address)`, and `$1::text[]` whose elements are cast to `inet`.

pub mod beats;
pub mod checks;
pub mod file;
pub mod groups;
pub mod history;
pub mod imports;
pub mod monitors;
pub mod prober;
pub mod reports;
pub mod rollups;
pub mod shown;
pub mod spans;
pub mod specs;
pub mod state;
pub mod upkeep;
pub mod windows;
