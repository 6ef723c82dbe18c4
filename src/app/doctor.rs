//! Checks of what belongs to no capability: database, disk, clock.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{Days, NaiveDate};
use sqlx::{Connection as _, PgConnection};

use super::App;
use crate::platform::{
    db::{
        Db, DbError, RoleKind, Target,
        managed::upgrade::{Folders, Kept, newest_installed},
        roles,
    },
    disk::{Disks, Volume},
    error::chain,
    health::{Check, CheckResult},
    pools::CpuPool,
};

/// The checks of the ground floor.
pub fn checks(app: &App) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Database(app.db.clone(), app.runtime.target.clone())),
        Box::new(DatabaseVersion(app.clone())),
        Box::new(DatabaseStatistics(app.db.clone(), roles::statistics_sql(&app.runtime.target))),
        Box::new(DatabaseCollation(app.db.clone())),
        Box::new(DiskSpace(app.disks.clone())),
        Box::new(Clocks(app.clone())),
    ]
}

struct Database(Db, Target);

impl Database {
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
            Err(error) => CheckResult::fail(
                format!("does not answer: {}", self.why(&error).await),
                "look at the database's log and at database.url",
            ),
        }
    }
}

/// Is PostgreSQL's major version one that is still repaired, and is an upgrade of it finished?
struct DatabaseVersion(App);

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
impl Check for DatabaseVersion {
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
        let runtime = &self.0.runtime;
        let private = runtime.config.database.url.is_none();
        let (data_dir, bin_dir) = (runtime.data_dir.clone(), runtime.config.database.bin_dir.clone());
        let look = move || (newest_installed(bin_dir.as_deref(), major), Folders::of(&data_dir).kept());
        let (newer, kept) = if private { CpuPool::new(1).run(look).await.unwrap_or_default() } else { (None, vec![]) };
        let now = runtime.clock.now();
        let old = |kept: &Kept| kept.until.is_none_or(|until| (now - until).num_days() >= PROVEN_AFTER_DAYS);
        let kept: Vec<Kept> = kept.into_iter().filter(old).collect();
        judge_version(major, private, now.date_naive(), newer, &kept)
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
            Err(error) => CheckResult::fail(format!("cannot look: {}", chain(&error)), "see database.reachable"),
        }
    }
}

/// A newer image or system below the same database may sort text otherwise, and its indexes are wrong from then on, without a word.
struct DatabaseCollation(Db);

#[async_trait]
impl Check for DatabaseCollation {
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

struct DiskSpace(Disks);

#[async_trait]
impl Check for DiskSpace {
    fn name(&self) -> &'static str {
        "disk.space"
    }

    async fn run(&self) -> CheckResult {
        match self.0.volumes().await {
            None => CheckResult::fail("a file system does not answer", "is a network mount's server away?"),
            Some(volumes) => judge_volumes(&volumes),
        }
    }
}

/// Each file system that we write to, and the worst of them.
fn judge_volumes(volumes: &[Volume]) -> CheckResult {
    let judged = volumes.iter().map(|volume| match &volume.space {
        Err(error) => CheckResult::fail(
            format!("cannot look at {}: {error}", volume.name()),
            "is the folder there, and its disk mounted?",
        ),
        Ok(space) if space.lacks_files() => CheckResult::fail(
            format!(
                "no more files can be made for {} ({} inodes are free)",
                volume.name(),
                space.files.unwrap_or_default()
            ),
            "df -i shows it: remove many small files there, or move what lies there to a file system with more inodes",
        ),
        Ok(space) => judge_space(space.free, space.size, &volume.name()),
    });
    let judged: Vec<CheckResult> = judged.collect();
    let summary = judged.iter().map(|result| result.summary.as_str()).collect::<Vec<_>>().join("; ");
    let worst = judged.into_iter().rev().max_by_key(|result| result.status);
    worst.map_or_else(|| CheckResult::pass("nothing is kept here"), |worst| CheckResult { summary, ..worst })
}

/// `free` of `total` bytes.
fn judge_space(free: u64, total: u64, place: &str) -> CheckResult {
    let summary = format!("{:.1} GiB free of {:.1} GiB for {place}", gib(free), gib(total));
    if free < 1 << 30 {
        CheckResult::fail(summary, "free some space: below 1 GiB uploads and the database are at risk")
    } else if free < 5 << 30 || free < total / 20 {
        CheckResult::warn(summary, "free some space, or move what lies there to a larger disk")
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
            Err(error) => {
                CheckResult::fail(format!("the database does not answer: {}", chain(&error)), "see database.reachable")
            }
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
    use crate::platform::{
        disk::{Folder, Space},
        health::Status,
    };

    #[test]
    fn little_space_is_a_warning_and_almost_none_a_failure() {
        let judge = |free: u64, total: u64| judge_space(free << 20, total << 20, "data").status;
        assert_eq!(judge(1023, 100 << 10), Status::Fail);
        assert_eq!(judge(1024, 20 << 10), Status::Warn);
        assert_eq!(judge(5 << 10, 100 << 10), Status::Pass);
        assert_eq!(judge(40 << 10, 1000 << 10), Status::Warn, "a twentieth of a large disk");
        assert_eq!(judge(60 << 10, 1000 << 10), Status::Pass);
    }

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

    #[test]
    fn the_worst_file_system_decides_and_all_are_named() {
        let volume = |folder, space| Volume { folders: vec![folder], path: folder.as_str().into(), space };
        let gib = |free: u64| Ok(Space { free: free << 30, size: 100 << 30, files: Some(1000) });
        let found = judge_volumes(&[volume(Folder::Data, gib(50)), volume(Folder::Objects, gib(0))]);
        assert_eq!(found.status, Status::Fail, "{found:?}");
        assert!(found.summary.contains("data (data)") && found.summary.contains("objects (objects)"), "{found:?}");
        let gone = Err(std::io::ErrorKind::NotFound.into());
        let found = judge_volumes(&[volume(Folder::Data, gib(50)), volume(Folder::Vectors, gone)]);
        assert!(found.status == Status::Fail && found.remedy.is_some(), "{found:?}");
        assert_eq!(judge_volumes(&[volume(Folder::Data, gib(50))]).status, Status::Pass);
        let crowded = Ok(Space { free: 50 << 30, size: 100 << 30, files: Some(0) });
        let found = judge_volumes(&[volume(Folder::Data, crowded)]);
        assert!(found.status == Status::Fail && found.summary.contains("0 inodes"), "{found:?}");
    }
}
