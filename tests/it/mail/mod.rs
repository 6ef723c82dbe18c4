//! Mail through the real router, worker and PostgreSQL, to a mail server of somebody else.

mod delivery;
mod encryption;
mod faults;
mod injection;
mod killed;
mod limits;
mod outbox;
