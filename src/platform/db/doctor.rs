//! What `doctor` looks at in the database: does it answer, is its version repaired, what may be seen of it, its collation, its clock.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use chrono::{Days, NaiveDate};
use sqlx::{Connection as _, PgConnection};

use super::{
    Db, DbError, RoleKind, Target,
    managed::upgrade::{Folders, Kept, newest_installed},
    roles,
};
use crate::platform::{
    clock::Clock,
    disk::gib,
    error::chain,
    health::{Check, CheckResult},
    pools::CpuPool,
};

/// What the checks need.
#[derive(Clone)]
pub struct DoctorDeps {
    pub db: Db,
    pub target: Target,
    pub clock: Clock,
    /// The data directory, where the cluster is a private one.
    pub private_in: Option<PathBuf>,
    pub bin_dir: Option<PathBuf>,
}

pub fn checks(deps: DoctorDeps) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Reachable(deps.db.clone(), deps.target.clone())),
        Box::new(Version(deps.clone())),
        Box::new(Statistics(deps.db.clone(), roles::statistics_sql(&deps.target))),
        Box::new(Collation(deps.db.clone())),
        Box::new(Clocks(deps.db, deps.clock)),
    ]
}

struct Reachable(Db, Target);

impl Reachable {
    /// Of a pool one hears only that it waited; asked directly, the server, or the way to it, says why.
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
            // Roles and row-level security were verified on the way here: nothing is built on a database where they fail.
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

/// Is PostgreSQL's major version one that is still repaired, and is an upgrade of it finished?
struct Version(DoctorDeps);

/// For so long a kept cluster is no question.
const PROVEN_AFTER_DAYS: i64 = 7;
/// So long before its end a version is told to go.
const NEAR: Days = Days::new(180);

/// After this day nobody repairs a major version any more (postgresql.org, Versioning).
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

/// `newer` is installed beside it, `kept` are clusters that have been kept for long.
fn judge_version(major: u32, private: bool, today: NaiveDate, newer: Option<u32>, kept: &[Kept]) -> CheckResult {
    let mut summary = vec![format!("PostgreSQL {major}")];
    let mut remedies = Vec::new();
    if let Some(end) = end_of_life(major) {
        let (near, ended) = (end.checked_sub_days(NEAR).is_some_and(|near| today >= near), today >= end);
        let verb = if ended { "has not been repaired since" } else { "is repaired until" };
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
        remedies.push("when nothing is to go back to it: holdfast upgrade-postgres --accept".to_owned());
    }
    let summary = summary.join(", ");
    if remedies.is_empty() { CheckResult::pass(summary) } else { CheckResult::warn(summary, remedies.join("\n")) }
}

/// Can a transaction that stays open be seen? With the SQL that would let us.
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

/// A newer image or system below the same database may sort text otherwise, and its indexes are wrong from then on, without a word.
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
                    "the server's system sorts text by other rules (version {now}) than the indexes were built by ({then}): what is \
                     there may not be found, and what may be there once may be there twice"
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
    fn a_version_at_its_end_a_newer_one_and_a_cluster_that_is_kept_for_long_are_told() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let judge = |today: &str, newer, kept: &[Kept]| judge_version(15, true, day(today), newer, kept);
        let found = judge("2026-11-29", None, &[]);
        assert!(found.status == Status::Pass && found.summary.contains("repaired until 2027-11-11"), "{found:?}");
        let found = judge("2027-06-01", None, &[]);
        assert!(found.status == Status::Warn && found.remedy.unwrap().contains("install a newer version"));
        let found = judge("2028-01-01", None, &[]);
        assert!(found.summary.contains("not been repaired since"), "{found:?}");
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
