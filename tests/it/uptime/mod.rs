//! Monitors, on the real router, worker and PostgreSQL.

mod hostile;
mod kinds;
mod probe;
mod prober;
mod resume;
mod retention;
mod watch;
