//! Monitors, on the real router, worker and PostgreSQL.

mod answers;
mod file;
mod history;
mod hostile;
mod imports;
mod judged;
mod kinds;
mod manage;
mod outage;
mod probe;
mod prober;
mod resume;
mod retention;
pub mod watch;
