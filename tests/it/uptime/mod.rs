//! Monitors, on the real router, worker and PostgreSQL.

mod retention;
