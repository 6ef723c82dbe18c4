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
    // A database that a newer version has added to is served all the same: see `installation.compatible_since`.
    migrations.set_ignore_missing(true);
    migrations
});

/// The migration that added `installation.compatible_since`.
const COMPATIBILITY: i64 = 12;

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
         (it must know migration {needed}): start the newer version, or roll back with `holdfast migrate --rollback`"
    )]
    TooNew { known: i64, needed: i64 },
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
    refuse_others(target, &marker, expected).await?;
    roles::ensure(target).await?;
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

/// Before anything is changed: new passwords for the roles would lock out the installation that uses them.
async fn refuse_others(target: &Target, marker: &Path, expected: Option<Uuid>) -> Result<(), MigrateError> {
    let found = installation_as_admin(target).await;
    if let (Some(expected), Some(found)) = (expected, found)
        && expected != found
    {
        return Err(MigrateError::OtherInstallation { marker: marker.display().to_string(), expected, found });
    }
    // A directory that knows its installation may have got another key: that is told by the key file of backups.
    if expected.is_some() || roles::owner_exists(target).await != Some(true) {
        return Ok(());
    }
    match PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("28P01") => {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The newest migration that the database has; `None` for an empty database, or one whose roles are not there yet.
    pub newest: Option<i64>,
    /// Migrations of this binary that it lacks.
    pub missing: usize,
    /// Migrations that it has and this binary does not know: of a newer version.
    pub unknown: usize,
}

/// The newest migration of this binary.
pub fn newest_known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Looks, and changes nothing.
pub async fn state(target: &Target) -> Result<State, DbError> {
    let known: BTreeSet<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let nothing = State { newest: None, missing: known.len(), unknown: 0 };
    // Asked first: a server logs who comes as a role that is not there yet, as it logs an attack.
    if roles::owner_exists(target).await == Some(false) {
        return Ok(nothing);
    }
    let Ok(mut conn) = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await else {
        return Ok(nothing);
    };
    let has = applied(&mut conn).await?;
    let _ = conn.close().await;
    Ok(State {
        newest: has.last().copied(),
        missing: known.difference(&has).count(),
        unknown: has.difference(&known).count(),
    })
}

/// A version that is older than what was taken away from the database would fail in the middle of its work.
async fn refuse_too_new(conn: &mut PgConnection, applied: &BTreeSet<i64>) -> Result<(), MigrateError> {
    if !applied.contains(&COMPATIBILITY) {
        return Ok(());
    }
    let needed = sqlx::query_scalar!("SELECT compatible_since FROM installation").fetch_one(conn).await;
    let (needed, known) = (needed.map_err(DbError::from)?, newest_known());
    if needed > known { Err(MigrateError::TooNew { known, needed }) } else { Ok(()) }
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
