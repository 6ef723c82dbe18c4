//! The four roles of an installation: created if the server allows it, otherwise printed as SQL for its administrator.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::{DbError, RoleKind, Target};

/// SQL that creates or repairs the roles. Names are `[a-z0-9_]` (validated with the configuration) and passwords hexadecimal, so nothing
/// needs quoting. `passwords` is off for output shown to people.
pub fn setup_sql(target: &Target, database: &str, passwords: bool) -> String {
    use std::fmt::Write as _;
    let mut sql = String::new();
    for kind in RoleKind::ALL {
        let name = target.role_name(kind);
        let attributes = match kind {
            // Under FORCE its own backfills would silently skip all rows.
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

/// Lets role `system` see the age of other sessions' transactions; `backup` and `owner` (used by `holdfast psql`) see other sessions'
/// activity; `backup` all other statistics (`pg_ls_waldir`); and `owner` end a blocking session. Separate from the rest, because not every
/// server that lets us create roles lets us grant these; without them only these functions are missing. One statement per line.
pub fn statistics_sql(target: &Target) -> String {
    let [owner, _, system, backup] = RoleKind::ALL.map(|kind| target.role_name(kind));
    format!(
        "GRANT pg_read_all_stats TO {system};\nGRANT pg_read_all_stats TO {backup};\nGRANT pg_monitor TO {backup};\n\
         GRANT pg_read_all_stats TO {owner};\nGRANT pg_signal_backend TO {owner};\n"
    )
}

/// A dump's statements take as long as its tables are large and would drown the log of slow statements.
fn unhurried_sql(target: &Target) -> String {
    format!("ALTER ROLE {} SET log_min_duration_statement = -1", target.role_name(RoleKind::Backup))
}

/// Keeps the statements of this transaction, which contain passwords, out of the server's log and statistics. Only a superuser may set
/// this; without one the server is someone else's.
const UNLOGGED: &str = "DO $$ BEGIN
    IF current_setting('is_superuser') = 'on' THEN
      PERFORM set_config('log_min_duration_statement', '-1', true), set_config('log_min_error_statement', 'panic', true),
        set_config('log_statement', 'none', true), set_config('pg_stat_statements.track_utility', 'off', true);
    END IF;
  END $$";

/// Ensures the four roles with their attributes and passwords.
pub async fn ensure(target: &Target) -> Result<(), RolesError> {
    // sqlx logs statements, slow ones as warnings; these contain passwords.
    let off = tracing::log::LevelFilter::Off;
    let admin = target.admin.clone().log_statements(off).log_slow_statements(off, Duration::MAX);
    let mut conn = PgConnection::connect_with(&admin).await.map_err(DbError::from)?;
    let database = sqlx::query_scalar!("SELECT current_database() AS \"name!\"")
        .fetch_one(&mut conn)
        .await
        .map_err(DbError::from)?;
    // Hosts of one installation may start at the same time.
    let result = async {
        let mut tx = conn.begin().await?;
        super::lock_until_commit(&mut tx, "platform.roles").await?;
        tx.execute(UNLOGGED).await?;
        sqlx::raw_sql(AssertSqlSafe(setup_sql(target, &database, true))).execute(&mut *tx).await?;
        tx.commit().await?;
        for wish in statistics_sql(target).lines().map(str::to_owned).chain([unhurried_sql(target)]) {
            if let Err(error) = sqlx::raw_sql(AssertSqlSafe(wish.clone())).execute(&mut conn).await {
                tracing::debug!(%error, wish, "this server refuses it; doctor says what is missing without it");
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

/// Whether the owner role exists, as seen by the administrator.
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

/// Creating the roles failed.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    #[error(
        "this database user may not create roles; let the server's administrator run the output of `holdfast doctor --roles-sql`, \
         which is this SQL with the passwords:\n{sql}"
    )]
    NotAllowed { sql: String, source: DbError },
    #[error(transparent)]
    Db(#[from] DbError),
}
