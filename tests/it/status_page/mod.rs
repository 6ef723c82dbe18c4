//! Status pages, on the real router, worker and PostgreSQL.

mod domains;
