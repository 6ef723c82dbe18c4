//! Incidents, on the real router, worker and PostgreSQL.

mod found;
