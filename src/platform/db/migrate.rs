//! Migrations: run once, by one process at a time, as the owner.

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use sqlx::{Connection as _, PgConnection, migrate::Migrator};
use uuid::Uuid;

use super::{
    DbError, RoleKind, Target,
    roles::{self, RolesError},
    verify::{self, Unsafe},
};
use crate::platform::data_dir::{INSTALLATION_ID, installation_id};

/// Every migration, in the binary.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("./migrations");
    // A database that a newer version has added to is served all the same: see `refuse_too_new`.
    migrations.set_ignore_missing(true);
    migrations
});

/// `SQLSTATE` of a server that lacks the database.
const NO_DATABASE: &str = "3D000";
/// `SQLSTATE` of a server to which a role gave another password than its own.
const WRONG_PASSWORD: &str = "28P01";
/// Class of `SQLSTATE` of a server that lets a role not in.
const MAY_NOT_SIGN_IN: &str = "28";

/// The migration that made the table `installation`.
const INSTALLATION: i64 = 1;

/// Why the database could not be brought up to date.
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
         is `database.url` right? Restore a backup, or remove the file to begin anew"
    )]
    EmptyDatabase { marker: String, expected: Uuid },
    #[error("the database belongs to installation {found}, but {marker} says {expected}: is `database.url` right?")]
    OtherInstallation { marker: String, expected: Uuid, found: Uuid },
    #[error(
        "the roles {roles}_* of this server are another installation's, or this data directory, which is new, lacks the secret key that they \
         were made with: give this one a `database.role_prefix` of its own, or put its key back (`secret_key_file`, `secrets/master.key`; a \
         restore brings it). Where nobody uses them any more, drop them; {found}nothing was changed"
    )]
    OthersRoles { roles: String, found: String },
    #[error(
        "a newer Holdfast has changed this database so that this version (up to migration {known}) cannot work with it \
         (it must know {}): start the newer version, or roll back with `holdfast migrate --rollback`", list(.needed)
    )]
    TooNew { known: i64, needed: BTreeSet<i64> },
    #[error(
        "what the database holds cannot be seen, and nothing was changed: is the server up and reachable, has it connections left, and is \
         `database.url` right? Mend that, and try again"
    )]
    Unseen(#[source] DbError),
    #[error("cannot write {0}")]
    Marker(String, #[source] std::io::Error),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

/// What a migration run did.
#[derive(Debug)]
pub struct Migrated {
    pub installation: Uuid,
    /// Migrations that were applied now.
    pub applied: usize,
    /// Migrations known to this binary.
    pub total: usize,
}

/// Makes the roles, applies what is missing, and checks that row-level security holds. `data_dir` has the marker that
/// tells an empty database from a new installation.
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

/// Makes or mends the roles of this installation, and of no other.
pub async fn ready_roles(target: &Target, data_dir: &Path) -> Result<(), MigrateError> {
    refuse_others(target, &data_dir.join(INSTALLATION_ID), installation_id(data_dir)).await?;
    Ok(roles::ensure(target).await?)
}

/// Before anything is changed: new passwords for the roles would lock out the installation that uses them.
async fn refuse_others(target: &Target, marker: &Path, expected: Option<Uuid>) -> Result<(), MigrateError> {
    let found = installation_as_admin(target).await;
    if let (Some(expected), Some(found)) = (expected, found)
        && expected != found
    {
        return Err(MigrateError::OtherInstallation { marker: marker.display().to_string(), expected, found });
    }
    // A directory that knows its installation may have got another key: that is told by the key file of backups.
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
        // What else is in the way, the next step tells.
        Err(_) => Ok(()),
    }
}

/// Whether a server answered with this `SQLSTATE`, or one of this class.
fn has_code(error: &sqlx::Error, code: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|found| found.starts_with(code)))
}

/// Whose database it is, as far as its administrator may read that.
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

/// What a migration run would find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The migrations that the database has; none for an empty database, or one whose roles are not there yet.
    pub applied: BTreeSet<i64>,
    /// Migrations of this binary that it lacks.
    pub missing: BTreeSet<i64>,
    /// Migrations that it has and this binary does not know: of a newer version.
    pub unknown: BTreeSet<i64>,
    /// Migrations that a binary must know to work with it, and this one does not.
    pub needed: BTreeSet<i64>,
}

impl State {
    /// Whether this binary works with the database, once it has applied what is missing.
    pub fn serves(&self) -> bool {
        self.needed.is_empty()
    }
}

/// The migrations of this binary.
pub fn known() -> BTreeSet<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).collect()
}

/// The newest migration of this binary: to be named, not to be compared with (a lower number may be newer).
pub fn newest_known() -> i64 {
    known().last().copied().unwrap_or_default()
}

/// Looks, and changes nothing. An error where it cannot: what is not seen is not empty.
pub async fn state(target: &Target) -> Result<State, MigrateError> {
    let known = known();
    let nothing = State { missing: known.clone(), ..State::default() };
    let unseen = |error: sqlx::Error| MigrateError::Unseen(error.into());
    // Asked first: a server logs who comes as a role that is not there yet, as it logs an attack.
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

/// A version that does not know what came in the place of what was taken away would fail in the middle of its work.
async fn refuse_too_new(conn: &mut PgConnection, applied: &BTreeSet<i64>) -> Result<(), MigrateError> {
    let needed = needed(conn, applied, &known()).await?;
    if needed.is_empty() { Ok(()) } else { Err(MigrateError::TooNew { known: newest_known(), needed }) }
}

/// The migrations that a binary must know to work with this database, and one that knows `known` does not. Compared as sets: of two
/// numbers the lower may have come later.
async fn needed(
    conn: &mut PgConnection,
    applied: &BTreeSet<i64>,
    known: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>, DbError> {
    if !applied.contains(&INSTALLATION) {
        return Ok(BTreeSet::new());
    }
    // Not query!: asked of databases of any version, and the columns came one after the other.
    let asked: Vec<i64> = sqlx::query_scalar(
        "SELECT n FROM (SELECT (to_jsonb(i) ->> 'compatible_since')::bigint AS n FROM installation i \
         UNION SELECT jsonb_array_elements_text(coalesce(to_jsonb(i) -> 'needed_migrations', '[]'))::bigint FROM installation i) asked \
         WHERE n > 0",
    )
    .fetch_all(conn)
    .await?;
    Ok(asked.into_iter().filter(|version| !known.contains(version)).collect())
}

fn list(versions: &BTreeSet<i64>) -> String {
    versions.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// The migrations that the database has.
async fn applied(conn: &mut PgConnection) -> Result<BTreeSet<i64>, DbError> {
    let exists = sqlx::query_scalar!("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS \"exists!\"")
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(BTreeSet::new());
    }
    // Not query!: the table is sqlx's own and absent from the database that queries are checked against.
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
