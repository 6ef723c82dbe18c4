//! The queue on a real PostgreSQL, with real workers: nothing is lost, nothing is finished twice, order and limits hold.

mod attempts;
pub mod bench;
mod faults;
mod leader;
mod queue;
mod surface;
mod upkeep;
