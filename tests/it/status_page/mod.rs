//! Status pages, on the real router, worker and PostgreSQL.

mod access;
mod calendar;
mod domains;
mod faults;
mod forms;
mod looks;
mod processes;
mod seed;
mod served;
mod subscribing;
