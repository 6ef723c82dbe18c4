//! Monitors, on the real router, worker and PostgreSQL.

mod file;
mod history;
mod hostile;
mod imports;
mod kinds;
mod manage;
mod probe;
mod prober;
mod resume;
mod retention;
pub mod watch;
