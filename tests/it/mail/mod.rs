//! Mail through the real router, worker and PostgreSQL, to a mail server of somebody else.

mod api;
mod bounces;
mod bulk;
mod delivery;
mod domains;
mod encryption;
mod expiry;
mod faults;
mod files;
mod holding;
mod injection;
mod killed;
mod limits;
mod log;
mod mailbox;
mod outbox;
mod pages;
mod secrets;
mod sources;
mod terminal;
mod unsubscribe;
