//! Migrations: run once, by one process at a time, as the owner.

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use sqlx::{Connection as _, PgConnection, migrate::Migrator};
use uuid::Uuid;

use super::{
    DbError, RoleKind, Target,
    roles::{self, RolesError},
    verify::{self, Unsafe},
};
use crate::data_dir::{INSTALLATION_ID, installation_id};

/// All migrations, embedded in the binary.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../../migrations");
    // A database with migrations of a newer version is served too: see `refuse_too_new`.
    migrations.set_ignore_missing(true);
    migrations
});

/// `SQLSTATE` for a missing database.
const NO_DATABASE: &str = "3D000";
/// `SQLSTATE` for a wrong password.
const WRONG_PASSWORD: &str = "28P01";
/// `SQLSTATE` class for a login that is not permitted.
const MAY_NOT_SIGN_IN: &str = "28";

/// The migration that creates the table `installation`.
const INSTALLATION: i64 = 1;

/// Why migrating failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Roles(#[from] RolesError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("a migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(
        "the database is empty, but {marker} says that this data directory belongs to installation {expected}: \
         is `database.url` correct? Restore a backup, or remove the file to start with an empty installation"
    )]
    EmptyDatabase { marker: String, expected: Uuid },
    #[error("the database belongs to installation {found}, but {marker} says {expected}: is `database.url` correct?")]
    OtherInstallation { marker: String, expected: Uuid, found: Uuid },
    #[error(
        "the roles {roles}_* on this server belong to another installation, or this data directory is new and lacks the secret key that they \
         were created with: set a separate `database.role_prefix` for this one, or put its key back (`secret_key_file`, `secrets/master.key`; \
         a restore includes it). If the roles are no longer used, drop them; {found}nothing was changed"
    )]
    OthersRoles { roles: String, found: String },
    #[error(
        "a newer Holdfast has changed this database so that this version (up to migration {known}) cannot work with it \
         (it must know {}): start the newer version, or roll back with `holdfast migrate --rollback`", list(.needed)
    )]
    TooNew { known: i64, needed: BTreeSet<i64> },
    #[error(
        "the database's content cannot be seen, and nothing was changed: is the server up and reachable, does it have connections left, and is \
         `database.url` right? Fix that, and try again"
    )]
    Unseen(#[source] DbError),
    #[error("cannot write {0}")]
    Marker(String, #[source] std::io::Error),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

/// Result of a migration run.
#[derive(Debug)]
pub struct Migrated {
    pub installation: Uuid,
    /// Migrations applied in this run.
    pub applied: usize,
    /// Migrations known to this binary.
    pub total: usize,
}

/// Creates the roles, applies missing migrations, and verifies row-level security. `data_dir` has the marker that tells an emptied database
/// from a new installation.
pub async fn run(target: &Target, data_dir: &Path) -> Result<Migrated, MigrateError> {
    let (marker, expected) = (data_dir.join(INSTALLATION_ID), installation_id(data_dir));
    ready_roles(target, data_dir).await?;
    let mut conn = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await.map_err(DbError::from)?;
    let before = applied(&mut conn).await?;
    if let (Some(expected), true) = (expected, before.is_empty()) {
        return Err(MigrateError::EmptyDatabase { marker: marker.display().to_string(), expected });
    }
    refuse_too_new(&mut conn, &before).await?;
    MIGRATIONS.run(&mut conn).await?;
    // Again at each start: the server may have the extensions by now.
    let are_indexed = sqlx::query_scalar!(r#"SELECT holdfast_search_indexes() AS "done!""#)
        .fetch_one(&mut conn)
        .await
        .map_err(DbError::from)?;
    if !are_indexed {
        tracing::warn!(
            "this server refuses the extensions of the search indexes: lists are searched row by row; doctor says what to run"
        );
    }
    let after = applied(&mut conn).await?;
    let found = sqlx::query_scalar!("SELECT id FROM installation").fetch_one(&mut conn).await.map_err(DbError::from)?;
    match expected {
        Some(expected) if expected != found => {
            return Err(MigrateError::OtherInstallation { marker: marker.display().to_string(), expected, found });
        }
        Some(_) => {}
        None => write_marker(&marker, found).map_err(|e| MigrateError::Marker(marker.display().to_string(), e))?,
    }
    verify::row_level_security(&mut conn, target).await?;
    let _ = conn.close().await;
    Ok(Migrated { installation: found, applied: after.len() - before.len(), total: MIGRATIONS.iter().count() })
}

/// Creates or repairs the roles of this installation, never those of another.
pub async fn ready_roles(target: &Target, data_dir: &Path) -> Result<(), MigrateError> {
    refuse_others(target, &data_dir.join(INSTALLATION_ID), installation_id(data_dir)).await?;
    Ok(roles::ensure(target).await?)
}

/// Called before any change: new passwords for the roles would lock out the installation that uses them.
async fn refuse_others(target: &Target, marker: &Path, expected: Option<Uuid>) -> Result<(), MigrateError> {
    let found = installation_as_admin(target).await;
    if let (Some(expected), Some(found)) = (expected, found)
        && expected != found
    {
        return Err(MigrateError::OtherInstallation { marker: marker.display().to_string(), expected, found });
    }
    // A directory that knows its installation may have a new key; the backups' key file reports that.
    if expected.is_some() || !matches!(roles::owner_exists(target).await, Ok(true)) {
        return Ok(());
    }
    match PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await {
        Err(error) if has_code(&error, WRONG_PASSWORD) => {
            let id =
                |id| format!("to go on with installation {id} and a new key, write that into {}; ", marker.display());
            let found = found.map(id).unwrap_or_default();
            Err(MigrateError::OthersRoles { roles: target.role_prefix.clone(), found })
        }
        Ok(conn) => {
            let _ = conn.close().await;
            Ok(())
        }
        // The next step reports other problems.
        Err(_) => Ok(()),
    }
}

/// Whether a server answered with this `SQLSTATE`, or one of this class.
fn has_code(error: &sqlx::Error, code: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|found| found.starts_with(code)))
}

/// Installation id in the database, if the administrator may read it.
async fn installation_as_admin(target: &Target) -> Option<Uuid> {
    let mut conn = PgConnection::connect_with(&target.admin).await.ok()?;
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('installation') IS NOT NULL").fetch_one(&mut conn).await.ok()?;
    let found = if there {
        sqlx::query_scalar!("SELECT id FROM installation").fetch_optional(&mut conn).await.ok().flatten()
    } else {
        None
    };
    let _ = conn.close().await;
    found
}

/// Result of comparing the database with this binary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Applied migrations; empty for an empty database, or one whose roles do not exist yet.
    pub applied: BTreeSet<i64>,
    /// Migrations of this binary that are not applied.
    pub missing: BTreeSet<i64>,
    /// Applied migrations that this binary does not know, from a newer version.
    pub unknown: BTreeSet<i64>,
    /// Migrations that a binary must know to work with the database, and that this one does not know.
    pub needed: BTreeSet<i64>,
}

impl State {
    /// Whether this binary works with the database after applying the missing migrations.
    pub fn serves(&self) -> bool {
        self.needed.is_empty()
    }
}

/// Migrations of this binary.
pub fn known() -> BTreeSet<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).collect()
}

/// Newest migration of this binary, for display only; comparing is wrong, because a lower number may be newer.
pub fn newest_known() -> i64 {
    known().last().copied().unwrap_or_default()
}

/// Compares without changing anything. Fails if it cannot: a database that cannot be seen is not empty.
pub async fn state(target: &Target) -> Result<State, MigrateError> {
    let known = known();
    let nothing = State { missing: known.clone(), ..State::default() };
    let unseen = |error: sqlx::Error| MigrateError::Unseen(error.into());
    // Asked first, because a login as a missing role would show up in the server's log like an attack.
    match roles::owner_exists(target).await {
        Ok(true) => {}
        Ok(false) => return Ok(nothing),
        Err(error) if has_code(&error, NO_DATABASE) => return Ok(nothing),
        Err(error) => return Err(unseen(error)),
    }
    let mut conn = match PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await {
        // Its password is set anew before anything is migrated.
        Err(error) if has_code(&error, MAY_NOT_SIGN_IN) => PgConnection::connect_with(&target.admin).await,
        conn => conn,
    }
    .map_err(unseen)?;
    let applied = applied(&mut conn).await.map_err(MigrateError::Unseen)?;
    let needed = needed(&mut conn, &applied, &known).await.map_err(MigrateError::Unseen)?;
    let _ = conn.close().await;
    Ok(State {
        missing: known.difference(&applied).copied().collect(),
        unknown: applied.difference(&known).copied().collect(),
        needed,
        applied,
    })
}

/// Refuses a database from which a newer version removed something that this one needs; it would otherwise fail in the middle of its work.
async fn refuse_too_new(conn: &mut PgConnection, applied: &BTreeSet<i64>) -> Result<(), MigrateError> {
    let needed = needed(conn, applied, &known()).await?;
    if needed.is_empty() { Ok(()) } else { Err(MigrateError::TooNew { known: newest_known(), needed }) }
}

/// Migrations needed to work with this database that are not in `known`. Compared as sets: the lower of two numbers may be newer.
async fn needed(
    conn: &mut PgConnection,
    applied: &BTreeSet<i64>,
    known: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>, DbError> {
    if !applied.contains(&INSTALLATION) {
        return Ok(BTreeSet::new());
    }
    // Not query!: it runs on databases of any version, and the columns were added one after the other.
    let asked: Vec<i64> = sqlx::query_scalar(
        "SELECT n FROM (SELECT (to_jsonb(i) ->> 'compatible_since')::bigint AS n FROM installation i \
         UNION SELECT jsonb_array_elements_text(coalesce(to_jsonb(i) -> 'needed_migrations', '[]'))::bigint FROM installation i) asked \
         WHERE n > 0",
    )
    .fetch_all(conn)
    .await?;
    let newest = known.last().copied().unwrap_or_default();
    let is_needed = |version: &i64| if crate::mutant(37) { *version > newest } else { !known.contains(version) };
    Ok(asked.into_iter().filter(is_needed).collect())
}

fn list(versions: &BTreeSet<i64>) -> String {
    versions.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// Applied migrations.
async fn applied(conn: &mut PgConnection) -> Result<BTreeSet<i64>, DbError> {
    let exists = sqlx::query_scalar!("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS \"exists!\"")
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(BTreeSet::new());
    }
    // Not query!: the table belongs to sqlx and is missing from the database used for checking queries.
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(conn).await?;
    Ok(versions.into_iter().collect())
}

fn write_marker(path: &Path, id: Uuid) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, format!("{id}\n"))
}
