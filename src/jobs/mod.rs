//! Background jobs on PostgreSQL: enqueued in the caller's transaction, leased with a fencing token, retried, kept.
//!
//! A capability declares a [`Job`], enqueues it with [`enqueue`] in the transaction that makes it necessary, and
//! registers what runs it (and on which schedule) in the [`Registry`]. Delivery is at least once: a job whose worker
//! is lost runs again, so handlers are idempotent. The hot table holds what waits or runs; a lease of 30 s is extended
//! every 5 s, and every heartbeat and completion names its `lease_no`, so that a worker that was paused for longer can
//! no longer say anything about a job that another one has. Leases and schedules use the database's clock.
//!
//! Nobody sends NOTIFY: inside a transaction it serialises all commits, and a poll each second is the truth anyway.
//! Within a process, [`enqueue`] wakes the worker.
//!
//! What the queue's state is, every process that serves exports ([`figures`]): nothing about it dies with the last worker.
//! Whole tables of other rooms are read and swept by one process, the [`leader`], in [`Loops`].
//!
//! Owns `jobs`, `job_payloads`, `job_history`, `job_attempts`, `job_dead_letters`, `job_queues`, `job_schedules`,
//! `job_workers`, `job_leases`.
//! Jobs: `jobs.maintain`. Metrics: `holdfast_jobs_*`. Checks: `jobs.progress`,
//! `jobs.unknown_kinds`, `jobs.dead_letters`, `jobs.leader`.

pub mod config;
pub mod doctor;
mod error;
mod figures;
#[expect(clippy::module_inception, reason = "every capability has its jobs in jobs.rs, this one too")]
mod jobs;
mod leader;
mod loops;
mod metrics;
mod model;
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
pub use loops::{By, Loops};
pub use metrics::Metrics;
pub use model::{Enqueue, Job, JobContext, JobId, JobState, JobSummary, Progress};
pub use registry::Registry;
pub use schedule::{CatchUp, Cron};
pub use service::Jobs;
pub use store::{enqueue, is_live};
