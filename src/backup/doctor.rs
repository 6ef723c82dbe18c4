//! Health checks of backups.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use chrono::TimeDelta;
use sqlx::{Connection as _, PgConnection};

use super::{
    Backups,
    keys::{KeyError, KeyFile},
    model::{Drill, DrillStatus, Status},
};
use platform::{
    data_dir::free_bytes,
    db::{RoleKind, roles, tools::Tools},
    error::chain,
    health::{Check, CheckResult},
    http::Slice,
};

/// Delay after the schedule from which a backup counts as missing: 26 h after the last one for a daily schedule.
const LATE: TimeDelta = TimeDelta::hours(2);

/// The checks of this capability; if backups are off, one that says so.
pub fn checks(backups: &Backups) -> Vec<Box<dyn Check>> {
    if !backups.config().is_on() {
        return vec![Box::new(Recent(backups.clone()))];
    }
    vec![
        Box::new(Recent(backups.clone())),
        Box::new(Proven(backups.clone())),
        Box::new(Destinations(backups.clone())),
        Box::new(CanDump(backups.clone())),
        Box::new(Key(backups.clone())),
    ]
}

fn cannot_look(error: &dyn std::error::Error) -> CheckResult {
    CheckResult::fail(format!("cannot look: {}", chain(error)), "see the check of the database")
}

/// Is there a complete backup, and is it recent?
struct Recent(Backups);

#[async_trait]
impl Check for Recent {
    fn name(&self) -> &'static str {
        "backup.recent"
    }

    async fn run(&self) -> CheckResult {
        if !self.0.config().is_on() {
            return CheckResult::warn(
                "no backups are made: data lost on this host cannot be recovered",
                "holdfast backup keys generate --out FILE creates a key and prints the settings for [backup]",
            );
        }
        let backups = match self.0.list(&Slice::first(100)).await {
            Ok(backups) => backups,
            Err(error) => return cannot_look(&error),
        };
        let now = self.0.inner.clock.now();
        let interval = self.0.config().interval(now);
        let is_overdue = |age: TimeDelta| interval.is_some_and(|interval| age > interval + LATE);
        let last = backups.iter().find(|backup| backup.status != Status::Running);
        let whole = backups.iter().find(|backup| backup.status == Status::Verified);
        let ended = last.and_then(|backup| Some(format!("the last one: {}", backup.error.as_ref()?)));
        match whole {
            None if backups.is_empty() => {
                CheckResult::warn("there is no backup yet", "wait for the schedule, or make one: holdfast backup run")
            }
            None => CheckResult::fail(
                format!("no backup is whole; {}", ended.unwrap_or_default()),
                "fix that, then: holdfast backup run",
            ),
            Some(backup) if backup.is_ahead(now) => CheckResult::fail(
                format!("the newest whole backup is dated {}, in the future: its age is unknown", backup.started_at),
                "correct the clock, then: holdfast backup run",
            ),
            Some(backup) if is_overdue(now - backup.started_at) => CheckResult::fail(
                format!("the newest whole backup is {} h old", (now - backup.started_at).num_hours()),
                ended.unwrap_or_else(|| "is a worker running? look for the job backup.run".to_owned()),
            ),
            Some(backup) => match ended {
                Some(ended) => CheckResult::warn(format!("the newest whole one is of {}", backup.started_at), ended),
                None if !self.0.config().is_scheduled() => CheckResult::warn(
                    format!(
                        "the newest is of {}; backup.schedule is off, so no further one is scheduled",
                        backup.started_at
                    ),
                    "set backup.schedule, or let something else call holdfast backup run",
                ),
                None => CheckResult::pass(format!(
                    "{} of {}: {} rows, {} objects, {} bytes",
                    backup.id, backup.started_at, backup.rows, backup.objects, backup.total_bytes
                )),
            },
        }
    }
}

/// Has a restore been tested?
struct Proven(Backups);

#[async_trait]
impl Check for Proven {
    fn name(&self) -> &'static str {
        "backup.proven"
    }

    async fn run(&self) -> CheckResult {
        let remedy = "test one: holdfast backup drill --key-file FILE; with backup.key_file this is done every day";
        let drills = match self.0.drills(200).await {
            Ok(drills) => drills,
            Err(error) => return cannot_look(&error),
        };
        let now = self.0.inner.clock.now();
        let ended =
            |name: &str| drills.iter().find(|drill| drill.destination == name && drill.status != DrillStatus::Running);
        // The latest of each destination: one that is intact says nothing about another.
        let names = self.0.config().destinations.keys();
        let last: Vec<&Drill> = names.filter_map(|name| ended(name)).collect();
        if let Some(drill) = last.iter().find(|drill| drill.status == DrillStatus::Failed) {
            return CheckResult::fail(
                format!(
                    "the last test restore from {} failed: {}",
                    drill.destination,
                    drill.error.as_deref().unwrap_or_default()
                ),
                format!(
                    "check the backup with holdfast backup verify, make a new one, then: holdfast backup drill --destination {}",
                    drill.destination
                ),
            );
        }
        if let Some(drill) = last.iter().find(|drill| drill.status == DrillStatus::NoRoom) {
            return CheckResult::warn(
                format!("the last restore could not be tested: {}", drill.error.as_deref().unwrap_or_default()),
                "free space there, or set backup.work_dir to a folder on a larger disk; this says nothing about the backup",
            );
        }
        let Some(newest) = last.iter().max_by_key(|drill| drill.started_at) else {
            return CheckResult::warn("no restore has been tried", remedy);
        };
        if now - newest.started_at > TimeDelta::days(8) {
            return CheckResult::warn(format!("the last proven restore is of {}", newest.started_at), remedy);
        }
        let proven: Vec<String> =
            last.iter().map(|drill| format!("from {} at {}", drill.destination, drill.started_at)).collect();
        CheckResult::pass(format!(
            "restored {} rows and {} vectors in {:.0} s: {}",
            newest.report.rows,
            newest.report.vectors,
            newest.seconds.unwrap_or_default(),
            proven.join(", ")
        ))
    }
}

/// Do the destinations respond, and is one of them off this machine?
struct Destinations(Backups);

#[async_trait]
impl Check for Destinations {
    fn name(&self) -> &'static str {
        "backup.destinations"
    }

    async fn run(&self) -> CheckResult {
        let config = self.0.config();
        let mut problems = Vec::new();
        let mut elsewhere = false;
        let mut doubts = Vec::new();
        let mut places = BTreeMap::new();
        for (name, place) in &config.destinations {
            if let Some(other) = places.insert(where_it_is(place), name) {
                doubts.push(format!("{other} and {name} are the same place and hold a single copy"));
            }
            if self.0.is_in_data_dir(Path::new(&place.url)) {
                doubts.push(format!("{name} is inside the data directory and would be lost with it"));
            }
            let probed = match self.0.open_destination(name).await {
                Ok(destination) => {
                    elsewhere |= self.0.is_elsewhere(&destination);
                    destination.round_trip().await.map_err(super::BackupError::from)
                }
                // The expected backups are in the database; a database error is not the destination's fault.
                Err(error @ super::BackupError::Db(_)) => return cannot_look(&error),
                Err(error) => Err(error),
            };
            if let Err(error) = probed {
                problems.push(chain(&error));
            }
        }
        if !problems.is_empty() {
            let user = rustix::process::geteuid().as_raw();
            return CheckResult::fail(
                problems.join("; "),
                format!(
                    "mount the folder and let user {user} write there (chown {user} FOLDER), or check bucket, keys and network"
                ),
            );
        }
        if !doubts.is_empty() {
            return CheckResult::warn(doubts.join("; "), "give each a folder or bucket of its own");
        }
        let count = config.destinations.len();
        if elsewhere {
            CheckResult::pass(format!(
                "{count} can write, read and delete a file, at least one on another file system than the data (whether on another disk cannot be seen from here)"
            ))
        } else {
            CheckResult::warn(
                format!("{count} can write, read and delete a file, but all are on the disk of the data"),
                "add one on another machine: [backup.destinations.offsite] with url = \"s3://...\" or a mount",
            )
        }
    }
}

/// Identity of a place: for a folder its device and inode, whatever path leads to it.
fn where_it_is(place: &storage::Config) -> (String, String, u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    let bucket = place.url.trim_end_matches('/').to_owned();
    match std::fs::metadata(&place.url) {
        Ok(folder) if !place.url.starts_with("s3://") => (String::new(), String::new(), folder.dev(), folder.ino()),
        _ => (bucket, place.s3_endpoint.clone(), 0, 0),
    }
}

/// Do the client tools fit the server, and may the backup role read everything?
struct CanDump(Backups);

#[async_trait]
impl Check for CanDump {
    fn name(&self) -> &'static str {
        "backup.tools"
    }

    async fn run(&self) -> CheckResult {
        let deps = &self.0.inner.deps;
        let options = deps.target.connect_as(RoleKind::Backup);
        let looked = async {
            let mut conn = PgConnection::connect_with(&options).await?;
            let number: i32 =
                sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut conn).await?;
            let may: bool = sqlx::query_scalar(
                "SELECT r.rolbypassrls AND pg_has_role(r.oid, 'pg_read_all_data', 'USAGE') FROM pg_roles r WHERE r.rolname = current_user",
            )
            .fetch_one(&mut conn)
            .await?;
            let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut conn).await?;
            let _ = conn.close().await;
            Ok::<_, sqlx::Error>((number, may, database))
        };
        let (number, may, database) = match looked.await {
            Ok(found) => found,
            Err(error) => {
                let sql = roles::setup_sql(&deps.target, "<database>", false);
                return CheckResult::fail(
                    format!("the backup role cannot connect: {}", chain(&error)),
                    format!("let the server's administrator run:\n{sql}"),
                );
            }
        };
        if !may {
            let sql = roles::setup_sql(&deps.target, &database, false);
            return CheckResult::fail(
                "the backup role may not read everything",
                format!("let the server's administrator run:\n{sql}"),
            );
        }
        let (dir, major) = (deps.config.tools_dir.clone(), u32::try_from(number / 10_000).unwrap_or_default());
        match self.0.inner.pool.run(move || Tools::find(dir.as_deref(), major)).await {
            Ok(Ok(tools)) if !tools.restore_into(major) => CheckResult::warn(
                format!(
                    "pg_dump {} for server {major}: its dumps can only be restored into PostgreSQL 17 or newer, and drills, which bring a \
                     newer server, do not show that",
                    tools.version
                ),
                format!(
                    "apt-get install postgresql-client-{major}, or upgrade the server; until then restore into a newer one"
                ),
            ),
            Ok(Ok(tools)) => {
                let free = free_bytes(&self.0.work_dir()).unwrap_or_default() >> 20;
                CheckResult::pass(format!(
                    "pg_dump {} for server {major}, {free} MiB free in the work folder",
                    tools.version
                ))
            }
            Ok(Err(error)) => {
                CheckResult::fail(error.to_string(), format!("apt-get install postgresql-client-{major}"))
            }
            Err(error) => cannot_look(&error),
        }
    }
}

/// Does the configured key open the newest backup?
struct Key(Backups);

#[async_trait]
impl Check for Key {
    fn name(&self) -> &'static str {
        "backup.key"
    }

    async fn run(&self) -> CheckResult {
        let config = self.0.config();
        let Some(path) = &config.key_file else {
            return CheckResult::warn(
                "no key file is configured: restores cannot be tested automatically",
                "set backup.key_file to a copy of the key outside the data directory (a secret, mounted read-only)",
            );
        };
        let keys = match KeyFile::read_outside(path, &self.0.inner.data_dir) {
            Ok(keys) => keys,
            Err(KeyError::Read { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
                let (user, path) = (rustix::process::geteuid().as_raw(), path.display());
                return CheckResult::fail(
                    format!("{path} is not readable for user {user}, as whom Holdfast runs"),
                    format!(
                        "chown {user} {path} && chmod 0400 {path}    (on the host, if it is mounted into a container)"
                    ),
                );
            }
            Err(error) => return CheckResult::fail(chain(&error), "put the key file there"),
        };
        if let Err(error) = self.0.check_is_ours(&keys) {
            return CheckResult::fail(chain(&error), "holdfast backup keys adopt --key-file FILE, or the right file");
        }
        let recipients = match self.0.recipients() {
            Ok(recipients) => recipients.names(),
            Err(error) => return CheckResult::fail(chain(&error), "set backup.recipients"),
        };
        match keys.for_recipients(&recipients) {
            Err(_) => CheckResult::fail(
                "the key file does not decrypt backups made for backup.recipients",
                "provide the matching key file, or set backup.recipients to its public key",
            ),
            Ok(_) if keys.installation.is_none() => CheckResult::warn(
                "the key file does not say which installation it is for: a restore with it needs --trust-signer",
                "holdfast backup keys adopt --key-file FILE adds it; keep a copy of the changed file",
            ),
            Ok(identity) => CheckResult::pass(format!("{} opens new backups", identity.recipient())),
        }
    }
}
