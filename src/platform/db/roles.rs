//! The four roles of an installation: made where the server lets us, printed as SQL for its administrator where not.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::{DbError, RoleKind, Target};

/// The SQL that makes or mends the roles. Names are `[a-z0-9_]` (checked with the configuration), passwords are
/// hexadecimal: nothing in it needs quoting. `passwords` is off for what is shown to people.
pub fn setup_sql(target: &Target, database: &str, passwords: bool) -> String {
    use std::fmt::Write as _;
    let mut sql = String::new();
    for kind in RoleKind::ALL {
        let name = target.role_name(kind);
        let attributes = match kind {
            // Under FORCE its own backfills would silently touch nothing.
            RoleKind::Owner => "NOSUPERUSER BYPASSRLS",
            RoleKind::App | RoleKind::System => "NOSUPERUSER NOBYPASSRLS",
            RoleKind::Backup => "NOSUPERUSER BYPASSRLS REPLICATION",
        };
        let password = if passwords { target.role_password(kind) } else { "<see: holdfast doctor --roles-sql>".into() };
        let _ = writeln!(
            sql,
            "DO $$ BEGIN CREATE ROLE {name}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;\n\
             ALTER ROLE {name} LOGIN NOCREATEDB NOCREATEROLE {attributes} PASSWORD '{password}';"
        );
    }
    let [owner, app, system, backup] = RoleKind::ALL.map(|k| target.role_name(k));
    let database = database.replace('"', "\"\"");
    let _ = write!(
        sql,
        "GRANT pg_read_all_data TO {backup};\n\
         GRANT CONNECT, TEMPORARY, CREATE ON DATABASE \"{database}\" TO {owner};\n\
         GRANT CONNECT ON DATABASE \"{database}\" TO {app}, {system}, {backup};\n\
         GRANT USAGE, CREATE ON SCHEMA public TO {owner};\n\
         GRANT USAGE ON SCHEMA public TO {app}, {system};\n"
    );
    sql
}

/// Lets role `system` see how long others' transactions have been open; `backup` and `owner`, as which `holdfast psql` works, what others
/// do, too; `backup` all else that is watched (`pg_ls_waldir`); and `owner` end a session that is in the way. Apart from the rest: not every server that lets us make roles lets us grant these, and only what they
/// are for is lost without them. A statement a line.
pub fn statistics_sql(target: &Target) -> String {
    let [owner, _, system, backup] = RoleKind::ALL.map(|kind| target.role_name(kind));
    format!(
        "GRANT pg_read_all_stats TO {system};\nGRANT pg_read_all_stats TO {backup};\nGRANT pg_monitor TO {backup};\n\
         GRANT pg_read_all_stats TO {owner};\nGRANT pg_signal_backend TO {owner};\n"
    )
}

/// A dump's statements take as long as their tables are large: in a log of slow statements they hide the others.
fn unhurried_sql(target: &Target) -> String {
    format!("ALTER ROLE {} SET log_min_duration_statement = -1", target.role_name(RoleKind::Backup))
}

/// Keeps the statements of this transaction, which hold passwords, out of the server's own log and statistics, however long they take.
/// Only a superuser may say so; who is none asks a server of somebody else's.
const UNLOGGED: &str = "DO $$ BEGIN
    IF current_setting('is_superuser') = 'on' THEN
      PERFORM set_config('log_min_duration_statement', '-1', true), set_config('log_min_error_statement', 'panic', true),
        set_config('log_statement', 'none', true), set_config('pg_stat_statements.track_utility', 'off', true);
    END IF;
  END $$";

/// Makes sure that the four roles exist with the right attributes and passwords.
pub async fn ensure(target: &Target) -> Result<(), RolesError> {
    // sqlx logs statements, slow ones as warnings: these hold the roles' passwords.
    let off = tracing::log::LevelFilter::Off;
    let admin = target.admin.clone().log_statements(off).log_slow_statements(off, Duration::MAX);
    let mut conn = PgConnection::connect_with(&admin).await.map_err(DbError::from)?;
    let database = sqlx::query_scalar!("SELECT current_database() AS \"name!\"")
        .fetch_one(&mut conn)
        .await
        .map_err(DbError::from)?;
    // Hosts of one installation may start together.
    let result = async {
        let mut tx = conn.begin().await?;
        tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('holdfast roles', 0))").await?;
        tx.execute(UNLOGGED).await?;
        sqlx::raw_sql(AssertSqlSafe(setup_sql(target, &database, true))).execute(&mut *tx).await?;
        tx.commit().await?;
        for wish in statistics_sql(target).lines().map(str::to_owned).chain([unhurried_sql(target)]) {
            if let Err(error) = sqlx::raw_sql(AssertSqlSafe(wish.clone())).execute(&mut conn).await {
                tracing::debug!(%error, wish, "this server does not let us; doctor says what is lost without it");
            }
        }
        Ok(())
    }
    .await;
    let usable = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await;
    match (result, usable) {
        (_, Ok(owner)) => {
            let _ = owner.close().await;
            let _ = conn.close().await;
            Ok(())
        }
        (Err(error), _) if is_privilege_error(&error) => {
            let sql = setup_sql(target, &database, false) + &statistics_sql(target);
            Err(RolesError::NotAllowed { sql, source: error.into() })
        }
        (Err(error), _) | (Ok(()), Err(error)) => Err(RolesError::Db(error.into())),
    }
}

/// Whether the owner's role is there, as the administrator sees it.
pub(super) async fn owner_exists(target: &Target) -> sqlx::Result<bool> {
    let mut conn = PgConnection::connect_with(&target.admin).await?;
    let name = target.role_name(RoleKind::Owner);
    let found = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS "there!""#, name)
        .fetch_one(&mut conn)
        .await;
    let _ = conn.close().await;
    found
}

fn is_privilege_error(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if e.code().as_deref() == Some("42501"))
}

/// The roles could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    #[error(
        "this database user may not create roles; let the server's administrator run what `holdfast doctor --roles-sql` prints, \
         which is this with the passwords:\n{sql}"
    )]
    NotAllowed { sql: String, source: DbError },
    #[error(transparent)]
    Db(#[from] DbError),
}
