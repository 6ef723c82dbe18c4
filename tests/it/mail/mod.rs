//! Mail through the real router, worker and PostgreSQL, to a mail server of somebody else.

mod api;
mod bounces;
mod delivery;
mod domains;
mod encryption;
mod expiry;
mod faults;
mod injection;
mod killed;
mod limits;
mod mailbox;
mod outbox;
mod pages;
mod secrets;
mod unsubscribe;
