//! Monitors, on the real router, worker and PostgreSQL.

mod hostile;
mod kinds;
mod probe;
mod retention;
