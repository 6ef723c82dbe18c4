//! Checks of what belongs to no capability: database, disk, clock.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::App;
use crate::platform::{
    db::{Db, roles},
    health::{Check, CheckResult},
};

/// The checks of the ground floor.
pub fn checks(app: &App) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Database(app.db.clone())),
        Box::new(DatabaseStatistics(app.db.clone(), roles::statistics_sql(&app.runtime.target))),
        Box::new(DiskSpace(app.runtime.data_dir.clone())),
        Box::new(Clocks(app.clone())),
    ]
}

struct Database(Db);

#[async_trait]
impl Check for Database {
    fn name(&self) -> &'static str {
        "database.reachable"
    }

    async fn run(&self) -> CheckResult {
        let began = tokio::time::Instant::now();
        match self.0.server_version().await {
            // Roles and row-level security were verified on the way here: nothing is built on a database where they fail.
            Ok(version) => CheckResult::pass(format!(
                "PostgreSQL {version}, roles and row-level security verified, answers in {:.1} ms",
                began.elapsed().as_secs_f64() * 1e3
            )),
            Err(error) => {
                CheckResult::fail(format!("does not answer: {error}"), "look at the database's log and at database.url")
            }
        }
    }
}

/// Can a transaction that stays open be seen? With the SQL that would let us.
struct DatabaseStatistics(Db, String);

#[async_trait]
impl Check for DatabaseStatistics {
    fn name(&self) -> &'static str {
        "database.statistics"
    }

    async fn run(&self) -> CheckResult {
        match self.0.sees_others_sessions().await {
            Ok(true) => CheckResult::pass("readable"),
            Ok(false) => CheckResult::warn(
                "how long transactions have been open cannot be read: holdfast_database_longest_transaction_seconds is NaN",
                format!("let the server's administrator run:\n{}", self.1.trim_end()),
            ),
            Err(error) => CheckResult::fail(format!("cannot look: {error}"), "see database.reachable"),
        }
    }
}

struct DiskSpace(PathBuf);

#[async_trait]
impl Check for DiskSpace {
    fn name(&self) -> &'static str {
        "disk.space"
    }

    async fn run(&self) -> CheckResult {
        match rustix::fs::statvfs(&self.0) {
            Err(error) => CheckResult::fail(
                format!("cannot look at {}: {error}", self.0.display()),
                "is the data directory mounted?",
            ),
            Ok(fs) => judge_space(fs.f_bavail * fs.f_frsize, fs.f_blocks * fs.f_frsize, &self.0),
        }
    }
}

/// `free` of `total` bytes.
fn judge_space(free: u64, total: u64, place: &Path) -> CheckResult {
    let summary = format!("{:.1} GiB free of {:.1} GiB at {}", gib(free), gib(total), place.display());
    if free < 1 << 30 {
        CheckResult::fail(summary, "free some space: below 1 GiB uploads and the database are at risk")
    } else if free < 5 << 30 || free < total / 20 {
        CheckResult::warn(summary, "free some space, or move data_dir to a larger disk")
    } else {
        CheckResult::pass(summary)
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

struct Clocks(App);

#[async_trait]
impl Check for Clocks {
    fn name(&self) -> &'static str {
        "clock.skew"
    }

    async fn run(&self) -> CheckResult {
        match self.0.db.server_time().await {
            Err(error) => CheckResult::fail(format!("the database does not answer: {error}"), "see database.reachable"),
            Ok(theirs) => {
                let skew = (self.0.runtime.clock.now() - theirs).as_seconds_f64().abs();
                let summary = format!("this clock and the database's differ by {skew:.2} s");
                if skew > 5.0 {
                    CheckResult::warn(summary, "keep both hosts' clocks right with NTP (chrony, systemd-timesyncd)")
                } else {
                    CheckResult::pass(summary)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::health::Status;

    #[test]
    fn little_space_is_a_warning_and_almost_none_a_failure() {
        let judge = |free: u64, total: u64| judge_space(free << 20, total << 20, Path::new("/data")).status;
        assert_eq!(judge(1023, 100 << 10), Status::Fail);
        assert_eq!(judge(1024, 20 << 10), Status::Warn);
        assert_eq!(judge(5 << 10, 100 << 10), Status::Pass);
        assert_eq!(judge(40 << 10, 1000 << 10), Status::Warn, "a twentieth of a large disk");
        assert_eq!(judge(60 << 10, 1000 << 10), Status::Pass);
    }

    #[tokio::test]
    async fn a_data_directory_that_is_not_there_is_a_failure() {
        let found = DiskSpace("/nonexistent/holdfast".into()).run().await;
        assert!(found.status == Status::Fail && found.remedy.is_some(), "{found:?}");
    }
}
