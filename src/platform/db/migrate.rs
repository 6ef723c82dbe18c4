//! Migrations: run once, by one process at a time, as the owner.

use std::path::Path;

use sqlx::{Connection as _, PgConnection, migrate::Migrator};
use uuid::Uuid;

use super::{
    DbError, RoleKind, Target,
    roles::{self, RolesError},
    verify::{self, Unsafe},
};

/// Every migration, in the binary.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

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
    roles::ensure(target).await?;
    let mut conn = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await.map_err(DbError::from)?;
    let marker = data_dir.join("installation-id");
    let expected = read_marker(&marker);
    let before = applied(&mut conn).await?;
    if let (Some(expected), 0) = (expected, before) {
        return Err(MigrateError::EmptyDatabase { marker: marker.display().to_string(), expected });
    }
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
    Ok(Migrated { installation: found, applied: after - before, total: MIGRATIONS.iter().count() })
}

/// What a migration run would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The newest migration that the database has; `None` for an empty database, or one whose roles are not there yet.
    pub newest: Option<i64>,
    /// Migrations of this binary that it lacks.
    pub missing: usize,
}

/// Looks, and changes nothing.
pub async fn state(target: &Target) -> Result<State, DbError> {
    let total = MIGRATIONS.iter().count();
    let Ok(mut conn) = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await else {
        return Ok(State { newest: None, missing: total });
    };
    let before = applied(&mut conn).await?;
    let newest = if before == 0 {
        None
    } else {
        // Not query!: see `applied`.
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(&mut conn).await?
    };
    let _ = conn.close().await;
    Ok(State { newest, missing: total.saturating_sub(before) })
}

/// How many migrations the database has.
async fn applied(conn: &mut PgConnection) -> Result<usize, DbError> {
    let exists = sqlx::query_scalar!("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS \"exists!\"")
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(0);
    }
    // Not query!: the table is sqlx's own and absent from the database that queries are checked against.
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success").fetch_one(conn).await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

fn read_marker(path: &Path) -> Option<Uuid> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn write_marker(path: &Path, id: Uuid) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, format!("{id}\n"))
}
