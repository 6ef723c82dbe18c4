//! Health checks of the database: reachable, version supported, statistics readable, collation, search indexes, clock.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use chrono::{Days, NaiveDate};
use sqlx::{Connection as _, PgConnection};

use super::{
    Db, DbError, RoleKind, Target,
    managed::upgrade::{Folders, Kept, newest_installed},
    roles,
    search::SearchIndexes,
};
use crate::{
    clock::Clock,
    disk::gib,
    error::chain,
    health::{Check, CheckResult},
    pools::CpuPool,
};

/// Dependencies of the checks.
#[derive(Clone)]
pub struct DoctorDeps {
    pub db: Db,
    pub target: Target,
    pub clock: Clock,
    /// The data directory, for a private cluster.
    pub private_in: Option<PathBuf>,
    pub bin_dir: Option<PathBuf>,
}

pub fn checks(deps: DoctorDeps) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Reachable(deps.db.clone(), deps.target.clone())),
        Box::new(Version(deps.clone())),
        Box::new(Statistics(deps.db.clone(), roles::statistics_sql(&deps.target))),
        Box::new(Collation(deps.db.clone())),
        Box::new(SearchIndexes(deps.db.clone())),
        Box::new(Clocks(deps.db, deps.clock)),
    ]
}

struct Reachable(Db, Target);

impl Reachable {
    /// A pool only reports a timeout; a direct connection shows the cause.
    async fn why(&self, error: &DbError) -> String {
        let options = self.1.connect_as(RoleKind::System);
        let asked = PgConnection::connect_with(&options);
        match tokio::time::timeout(Duration::from_secs(5), asked).await {
            Ok(Err(cause)) => chain(&cause),
            Ok(Ok(_)) | Err(_) => chain(error),
        }
    }
}

#[async_trait]
impl Check for Reachable {
    fn name(&self) -> &'static str {
        "database.reachable"
    }

    async fn run(&self) -> CheckResult {
        let began = tokio::time::Instant::now();
        match self.0.server_version().await {
            // Roles and row-level security have been verified: a process does not start without them.
            Ok(version) => CheckResult::pass(format!(
                "PostgreSQL {version}, roles and row-level security verified, answers in {:.1} ms",
                began.elapsed().as_secs_f64() * 1e3
            )),
            Err(error) => CheckResult::fail(
                format!("does not answer: {}", self.why(&error).await),
                "look at the database's log and at database.url",
            ),
        }
    }
}

/// Is the PostgreSQL version still supported upstream, and is its upgrade finished?
struct Version(DoctorDeps);

/// Age from which a kept former cluster is mentioned, days.
const PROVEN_AFTER_DAYS: i64 = 7;
/// Time before a version's end of life from which the check warns.
const NEAR: Days = Days::new(180);

/// Last day of upstream support of a major version (postgresql.org, Versioning).
fn end_of_life(major: u32) -> Option<NaiveDate> {
    let (year, month, day) = match major {
        15 => (2027, 11, 11),
        16 => (2028, 11, 9),
        17 => (2029, 11, 8),
        18 => (2030, 11, 14),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month, day)
}

#[async_trait]
impl Check for Version {
    fn name(&self) -> &'static str {
        "database.version"
    }

    async fn run(&self) -> CheckResult {
        let version = match self.0.db.server_version().await {
            Ok(version) => version,
            Err(error) => return CheckResult::fail(format!("cannot ask: {error}"), "see database.reachable"),
        };
        let major =
            version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or_default();
        let bin_dir = self.0.bin_dir.clone();
        let (newer, kept) = match self.0.private_in.clone() {
            Some(data_dir) => {
                let look = move || (newest_installed(bin_dir.as_deref(), major), Folders::of(&data_dir).kept());
                CpuPool::new(1).run(look).await.unwrap_or_default()
            }
            None => (None, Vec::new()),
        };
        let now = self.0.clock.now();
        let old = |kept: &Kept| kept.until.is_none_or(|until| (now - until).num_days() >= PROVEN_AFTER_DAYS);
        let kept: Vec<Kept> = kept.into_iter().filter(old).collect();
        judge_version(major, self.0.private_in.is_some(), now.date_naive(), newer, &kept)
    }
}

/// `newer`: a newer version installed beside it; `kept`: clusters that have been kept for long.
fn judge_version(major: u32, private: bool, today: NaiveDate, newer: Option<u32>, kept: &[Kept]) -> CheckResult {
    let mut summary = vec![format!("PostgreSQL {major}")];
    let mut remedies = Vec::new();
    if let Some(end) = end_of_life(major) {
        let (near, ended) = (end.checked_sub_days(NEAR).is_some_and(|near| today >= near), today >= end);
        let verb = if ended { "has had no fixes since" } else { "gets fixes until" };
        summary.push(format!("{verb} {end}"));
        if near && newer.is_none() {
            remedies.push(if private {
                "install a newer version (15 to 18), then: holdfast upgrade-postgres --dry-run".to_owned()
            } else {
                "let the server's administrator upgrade it (Holdfast works with 15 to 18)".to_owned()
            });
        }
    }
    if let Some(newer) = newer {
        summary.push(format!("{newer} is installed"));
        remedies.push(format!(
            "to PostgreSQL {newer}: holdfast upgrade-postgres --dry-run (or set database.bin_dir to stay)"
        ));
    }
    for kept in kept {
        let until = kept.until.map_or_else(|| "for long".to_owned(), |until| format!("since {}", until.date_naive()));
        summary.push(format!("{} kept {until} takes {:.1} GiB", kept.path.display(), gib(kept.bytes)));
        remedies.push("once you will not go back to it: holdfast upgrade-postgres --accept".to_owned());
    }
    let summary = summary.join(", ");
    if remedies.is_empty() { CheckResult::pass(summary) } else { CheckResult::warn(summary, remedies.join("\n")) }
}

/// Can open transactions of others be seen? Includes the SQL that grants it.
struct Statistics(Db, String);

#[async_trait]
impl Check for Statistics {
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
            Err(error) => CheckResult::fail(format!("cannot look: {}", chain(&error)), "see database.reachable"),
        }
    }
}

/// Does the system still sort text as when the indexes were built? A newer image or system below the same database may sort differently,
/// which silently corrupts indexes.
struct Collation(Db);

#[async_trait]
impl Check for Collation {
    fn name(&self) -> &'static str {
        "database.collation"
    }

    async fn run(&self) -> CheckResult {
        match self.0.other_collation().await {
            Ok(None) => CheckResult::pass("text is sorted as its indexes were built"),
            Ok(Some((then, now, name))) => CheckResult::warn(
                format!(
                    "the server's system sorts text by other rules (version {now}) than the indexes were built with ({then}): \
                     existing rows may not be found, and unique columns may get duplicates"
                ),
                format!(
                    "make a backup, stop Holdfast, and let the server's administrator run, in {name}:\n\
                     REINDEX DATABASE {name};\nALTER DATABASE {name} REFRESH COLLATION VERSION;"
                ),
            ),
            Err(error) => CheckResult::fail(format!("cannot look: {}", chain(&error)), "see database.reachable"),
        }
    }
}

struct Clocks(Db, Clock);

#[async_trait]
impl Check for Clocks {
    fn name(&self) -> &'static str {
        "clock.skew"
    }

    async fn run(&self) -> CheckResult {
        match self.0.server_time().await {
            Err(error) => {
                CheckResult::fail(format!("the database does not answer: {}", chain(&error)), "see database.reachable")
            }
            Ok(theirs) => {
                let skew = (self.1.now() - theirs).as_seconds_f64().abs();
                let summary = format!("this clock and the database's differ by {skew:.2} s");
                if skew > 5.0 {
                    CheckResult::warn(
                        summary,
                        "synchronise the clocks of both hosts with NTP (chrony, systemd-timesyncd)",
                    )
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
    use crate::health::Status;

    #[test]
    fn a_version_at_its_end_a_newer_one_and_a_cluster_that_is_kept_for_long_are_told() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let judge = |today: &str, newer, kept: &[Kept]| judge_version(15, true, day(today), newer, kept);
        let found = judge("2026-11-29", None, &[]);
        assert!(found.status == Status::Pass && found.summary.contains("gets fixes until 2027-11-11"), "{found:?}");
        let found = judge("2027-06-01", None, &[]);
        assert!(found.status == Status::Warn && found.remedy.unwrap().contains("install a newer version"));
        let found = judge("2028-01-01", None, &[]);
        assert!(found.summary.contains("has had no fixes since"), "{found:?}");
        let found = judge_version(15, false, day("2028-01-01"), None, &[]);
        assert!(found.status == Status::Warn && found.remedy.unwrap().contains("administrator"));
        let found = judge("2026-11-29", Some(17), &[]);
        assert!(found.status == Status::Warn && found.remedy.unwrap().contains("upgrade-postgres"));
        let until = chrono::DateTime::from_timestamp(1_790_000_000, 0);
        let kept = Kept { path: "/data/postgres.before-upgrade".into(), major: 15, until, bytes: 3 << 30 };
        let found = judge_version(18, true, day("2026-11-29"), None, &[kept]);
        assert!(found.status == Status::Warn && found.summary.contains("3.0 GiB"), "{found:?}");
        assert!(found.remedy.unwrap().contains("--accept"));
    }
}
