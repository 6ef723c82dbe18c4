//! Background jobs on PostgreSQL: enqueued in the caller's transaction, leased with a fencing token, retried, kept.
//!
//! A capability declares a [`Job`], enqueues it with [`enqueue`] in the transaction that makes it necessary, and
//! registers its handler (and schedule) in the [`Registry`]. Delivery is at least once: a job whose worker is lost runs
//! again, so handlers are idempotent. The hot table holds only waiting and running jobs. A lease of 30 s is extended
//! every 5 s, and every heartbeat and completion names its `lease_no`, so that a worker that was paused for longer
//! cannot settle a job that another worker holds by then. Leases and schedules use the database's clock.
//!
//! Nothing sends NOTIFY: inside a transaction it serialises all commits, and a poll each second is needed anyway.
//! Within a process, [`enqueue`] wakes the worker.
//!
//! Every serving process exports the queue's metrics ([`figures`]), so they survive the last worker.
//! One process, the [`leader`], reads and sweeps whole tables of other rooms, in [`Loops`]. One worker has the [`Duty`] of checking monitors.
//!
//! Owns `jobs`, `job_payloads`, `job_history`, `job_attempts`, `job_dead_letters`, `job_queues`, `job_schedules`,
//! `job_workers`, `job_leases`.
//! Jobs: `jobs.maintain`. Metrics: `holdfast_jobs_*`. Checks: `jobs.progress`,
//! `jobs.unknown_kinds`, `jobs.dead_letters`, `jobs.leader`.

pub mod config;
pub mod doctor;
mod error;
mod figures;
mod jobs;
mod leader;
mod loops;
mod metrics;
mod model;
mod overview;
pub mod pages;
mod registry;
pub mod routes;
mod schedule;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod wake;
mod worker;

pub use config::Config;
pub use error::{JobError, JobsError};
pub use leader::{Duty, Standing};
pub use loops::{By, Loops};
pub use metrics::Metrics;
pub use model::{Enqueue, Job, JobContext, JobId, JobState, JobSummary, Progress};
pub use registry::Registry;
pub use schedule::{CatchUp, Cron};
pub use service::Jobs;
pub use store::{enqueue, is_live};

use console::{Locale, NavItem, Section};
use platform::{
    db::Table,
    http::{Role, Scope},
};

pub const READ: Scope = Scope::new("jobs_read", Role::Member);
pub const WRITE: Scope = Scope::new("jobs_write", Role::Admin);
pub const NAV: &[NavItem] = &[NavItem::new(Section::Operate, "/jobs", "jobs-nav", "jobs").keys('j').role(Role::Member)];
pub const LOCALE: Locale = console::locale!("jobs");
pub const TABLES: &[Table] = &[
    Table::watched("job_attempts"),
    Table::watched("job_history"),
    Table::watched("job_payloads"),
    Table::watched("job_queues"),
    Table::watched("jobs"),
    Table::small("job_dead_letters"),
    Table::small("job_leases"),
    Table::small("job_schedules"),
    Table::small("job_workers"),
];
/// Queue and schedule of its own job.
pub const QUEUE: &str = "system";
pub const SCHEDULE: &str = "jobs.maintain";
